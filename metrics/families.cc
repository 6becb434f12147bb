#include "metrics/families.h"

#include <array>
#include <cstddef>
#include <string_view>

#include "metrics/command_families.h"
#include "metrics/family_tables.h"
#include "metrics/family_writer.h"

namespace imapmeter::metrics {
namespace {

void status_responses(FamilyWriter& out, const Snapshot& all) {
  out.counter(
      "imapmeter_status_codes_total",
      "Status responses of the server by ImapStatusCode member. One response can raise several members, so a sum "
      "over status_code counts some responses more than once: use imapmeter_responses_total for totals.");
  by<imap::StatusCode>(out, all, "status_code", &Totals::status_codes);

  out.counter(
      "imapmeter_responses_total",
      "Status responses of the server (OK NO BAD PREAUTH BYE), each once, by kind (greeting, tagged, untagged).");
  by<imap::ResponseKind, imap::Condition>(out, all, "kind", "status", &Totals::responses);

  out.counter(
      "imapmeter_response_codes_total",
      "The same status responses by their response code in brackets (RFC 5530): none without a code, other for a "
      "code outside the IANA registry. Series that are zero are hidden.",
      Zeros::hidden);
  by<imap::Condition, imap::ResponseCode>(out, all, "status", "code", &Totals::response_codes);

  out.counter(
      "imapmeter_bye_total",
      "Sessions whose server said BYE, by why (RFC 9051 section 7.1.5): the answer to LOGOUT, a refusing greeting, "
      "an inactivity time-out, or a shutdown.");
  by<imap::ByeReason>(out, all, "reason", &Totals::bye);

  out.gauge("imapmeter_status_rate",
            "Status responses per second, exponentially decayed like a load average. Fix window in every query: the "
            "windows show the same responses. For graphs and alerts use rate() of the counters.");
  for (const auto& listener : all.listeners) {
    for (std::size_t c = 0; c < rated_conditions.size(); ++c) {
      for (std::size_t w = 0; w < rate_windows.size(); ++w) {
        out.add({{"listener", listener.name}, {"status", name(rated_conditions[c])}, {"window", rate_windows[w].name}},
                listener.rates[c][w]);
      }
    }
  }
}

void sessions(FamilyWriter& out, const Snapshot& all) {
  out.gauge("imapmeter_sessions", "Open sessions by state; connecting lasts until the greeting has been counted.");
  by<imap::SessionState>(out, all, "state", &Totals::sessions);

  out.counter("imapmeter_sessions_accepted_total",
              "Accepted connections, those refused by a limit or failing the handshake included.");
  by_listener(out, all, &Totals::accepted);

  out.counter(
      "imapmeter_sessions_authenticated_total",
      "Sessions that authenticated, once each, PREAUTH included. Divide by this for shares: port scanners never get "
      "here.");
  by_listener(out, all, &Totals::authenticated);

  out.counter(
      "imapmeter_sessions_closed_total",
      "Accepted connections at their end, each once, by reason and by how far they had come (phase). Series that "
      "are zero are hidden.",
      Zeros::hidden);
  by<proxy::CloseReason, proxy::Phase>(out, all, "reason", "phase", &Totals::closed);

  out.counter(
      "imapmeter_session_outcomes_total",
      "Sessions that saw a greeting, at their end, each once by the first outcome that fits. Share that went well: "
      "good / (all - login_rejected - unseen).");
  by<imap::Outcome>(out, all, "outcome", &Totals::outcomes);

  out.counter(
      "imapmeter_failures_total",
      "Every failed login, failed command and cut session, each once, by the party whose fault it is and by kind: "
      "docs/verdict.md has the table.");
  for (const auto& listener : all.listeners) {
    each<Failure>(listener.totals.failures, [&](Failure failure, std::uint64_t n) {
      out.add({{"listener", listener.name}, {"party", name(row(failure).party)}, {"kind", row(failure).kind}}, n);
    });
  }

  out.histogram("imapmeter_session_duration_seconds", "Accepted connections, from accept to their end.");
  by_listener(out, all, &Totals::session_duration);

  out.counter("imapmeter_client_software_total",
              "Sessions that authenticated, at their end, by the program that the client says it is in its ID command "
              "(RFC 2971): none without one, other for one that is not in the list. Series that are zero are hidden.",
              Zeros::hidden);
  by<imap::ClientSoftware>(out, all, "software", &Totals::client_software);

  out.counter(
      "imapmeter_client_problems_total",
      "Sessions at their end, authenticated or not, whose outcome was one of these, by the same program. Series "
      "that are zero are hidden.",
      Zeros::hidden);
  by<imap::ClientSoftware, Problem>(out, all, "software", "kind", &Totals::client_problems);

  out.counter("imapmeter_opaque_sessions_total",
              "Sessions that are relayed but no longer read, by why; none of their later responses is counted.");
  by<imap::OpaqueReason>(out, all, "reason", &Totals::opaque);

  out.counter("imapmeter_compress_attempts_total",
              "COMPRESS by what became of it: active (OK), refused (NO, BAD), aborted (no answer).");
  by<imap::CompressResult>(out, all, "result", &Totals::compress_attempts);
}

void octets(FamilyWriter& out, const Snapshot& all) {
  out.counter("imapmeter_bytes_total",
              "Octets relayed, as accepted by the receiving side: TLS removed, compression not, our own octets not.");
  by<imap::Direction>(out, all, "direction", &Totals::bytes);

  out.counter("imapmeter_deflated_bytes_total",
              "Octets that passed under COMPRESS and were read; they are among imapmeter_bytes_total.");
  by<imap::Direction>(out, all, "direction", &Totals::deflated_bytes);

  out.counter("imapmeter_inflated_bytes_total", "What the octets of imapmeter_deflated_bytes_total were inflated to.");
  by<imap::Direction>(out, all, "direction", &Totals::inflated_bytes);

  out.counter("imapmeter_literal_bytes_total", "Octets of IMAP literals: message data rather than protocol.");
  by<imap::Direction>(out, all, "direction", &Totals::literal_bytes);

  out.counter("imapmeter_messages_total",
              "Messages that passed as literals: fetched, once per FETCH response with the whole of a message or part; "
              "appended, by an APPEND that was answered OK.");
  by<imap::MessageOperation>(out, all, "operation", &Totals::messages);

  out.counter("imapmeter_authored_total",
              "What imapmeter said or took out itself, by what; in no response, command or byte family.");
  by<proxy::Authored>(out, all, "what", &Totals::authored);

  out.counter("imapmeter_anomalies_total",
              "What looked wrong and was relayed all the same, by the side that sent it and by kind.");
  for (const auto& listener : all.listeners) {
    each<imap::Anomaly>(listener.totals.anomalies, [&](imap::Anomaly kind, std::uint64_t n) {
      const auto side =
          imap::side(kind) == imap::Direction::client_to_server ? proxy::Side::client : proxy::Side::upstream;
      out.add({{"listener", listener.name}, {"side", name(side)}, {"kind", name(kind)}}, n);
    });
  }
}

void delays(FamilyWriter& out, const Snapshot& all) {
  out.gauge("imapmeter_blocked_sessions", "Sessions that wait because side does not read what is meant for it.");
  by<proxy::Side>(out, all, "side", &Totals::blocked);

  out.counter("imapmeter_blocked_seconds_total",
              "Time that sessions have waited because side did not read what was meant for it.");
  for (const auto& listener : all.listeners) {
    each<proxy::Side>(listener.totals.blocked_nanoseconds, [&](proxy::Side side, std::uint64_t nanoseconds) {
      out.add({{"listener", listener.name}, {"side", name(side)}}, FamilyWriter::seconds(nanoseconds));
    });
  }
  out.histogram("imapmeter_relay_delay_seconds",
                "From reading octets to handing on the same octets, where nothing is blocked; one turn in 64.");
  by<imap::Direction>(out, all, "direction", &Totals::relay_delay);
}

void handshakes_of(FamilyWriter& out, const ListenerSnapshot& listener, proxy::Side side) {
  constexpr std::array<std::string_view, 2> resumed_names = {"false", "true"};
  const auto add = [&](std::string_view version, std::string_view resumed, proxy::HandshakeResult result,
                       std::uint64_t n) {
    out.add({{"listener", listener.name},
             {"side", name(side)},
             {"version", version},
             {"resumed", resumed},
             {"result", name(result)}},
            n);
  };
  each<proxy::TlsVersion>(listener.totals.handshakes_ok[at(side)], [&](proxy::TlsVersion version, const auto& resumed) {
    for (std::size_t i = 0; i < resumed.size(); ++i) {
      // A handshake that succeeded has a version; should it have none, its count is not lost.
      if (version == proxy::TlsVersion::none && resumed[i] == 0) continue;
      add(name(version), resumed_names[i], proxy::HandshakeResult::ok, resumed[i]);
    }
  });
  each<proxy::HandshakeResult>(listener.totals.handshakes[at(side)],
                               [&](proxy::HandshakeResult result, std::uint64_t n) {
                                 if (result != proxy::HandshakeResult::ok) add("none", "none", result, n);
                               });
}

void tls(FamilyWriter& out, const Snapshot& all) {
  out.counter(
      "imapmeter_tls_handshakes_total",
      "TLS handshakes by result. Fix side in every query: client and upstream belong to the same sessions. version "
      "and resumed are none unless result is ok.");
  for (const auto& listener : all.listeners) {
    handshakes_of(out, listener, proxy::Side::client);
    handshakes_of(out, listener, proxy::Side::upstream);
  }
  out.counter("imapmeter_starttls_total",
              "Attempts to put TLS on a connection by STARTTLS, by the side that we spoke with and by result. Never "
              "without TLS: each but ok ended the attempt.");
  by<proxy::Side, proxy::StarttlsResult>(out, all, "side", "result", &Totals::starttls);

  out.counter("imapmeter_plaintext_logins_refused_total",
              "LOGIN or AUTHENTICATE of a client before TLS, refused by us and kept from the server.");
  by_listener(out, all, &Totals::plaintext_logins_refused);

  out.gauge("imapmeter_tls_certificate_not_after_timestamp_seconds",
            "When each certificate now served expires, in seconds since the epoch; certificate is its file name in the "
            "configuration, or self_signed.");
  for (const auto& listener : all.listeners) {
    for (const auto& [certificate, not_after] : listener.certificates) {
      out.add({{"listener", listener.name}, {"certificate", certificate}}, not_after);
    }
  }
}

// The series of the family that is open: one per server, by one enum where there is one.
template <class Numbers>
void by_server(FamilyWriter& out, const Snapshot& all, Numbers ServerTotals::*number) {
  for (const auto& upstream : all.upstreams) {
    for (const auto& [server, totals] : upstream.servers)
      out.add({{"upstream", upstream.name}, {"server", server}}, totals.*number);
  }
}
template <class Enum, class Numbers>
void by_server(FamilyWriter& out, const Snapshot& all, std::string_view label, Numbers ServerTotals::*table) {
  for (const auto& upstream : all.upstreams) {
    for (const auto& [server, totals] : upstream.servers) {
      each<Enum>(totals.*table, [&, &server = server](Enum value, std::uint64_t n) {
        out.add({{"upstream", upstream.name}, {"server", server}, {label, name(value)}}, n);
      });
    }
  }
}

void upstreams(FamilyWriter& out, const Snapshot& all) {
  out.gauge("imapmeter_upstream_tls_verify",
            "1 where the certificate of the upstream is verified, 0 where it is not, plaintext included.");
  for (const auto& upstream : all.upstreams) {
    out.add({{"upstream", upstream.name}}, std::uint64_t{upstream.tls_verified ? 1U : 0U});
  }
  out.counter("imapmeter_upstream_connects_total",
              "Connections to a server by result; ok means that a greeting OK or PREAUTH was read.");
  by_server<proxy::ConnectResult>(out, all, "result", &ServerTotals::connects);

  out.gauge("imapmeter_upstream_sessions", "Sessions that hold a connection to the server.");
  by_server(out, all, &ServerTotals::sessions);

  out.counter(
      "imapmeter_server_responses_total",
      "Status responses of the server (OK NO BAD PREAUTH BYE), each once: which of several answers NO, BAD, BYE.");
  by_server<imap::Condition>(out, all, "status", &ServerTotals::responses);

  out.counter("imapmeter_server_auth_attempts_total",
              "Each LOGIN and AUTHENTICATE at its answer: temporary is the trouble of the server, rejected that of the "
              "user, other any other answer or none.");
  by_server<ServerAuthResult>(out, all, "result", &ServerTotals::auth_attempts);

  out.counter(
      "imapmeter_upstream_capability_changes_total",
      "How often the capabilities of the server, before any was taken out, were none of its last 16 distinct sets; "
      "which words, see /api/v1/events.");
  for (const auto& upstream : all.upstreams) {
    for (const auto& [server, totals] : upstream.servers) {
      for (std::size_t state = 0; state < capability_states; ++state)
        out.add({{"upstream", upstream.name}, {"server", server}, {"state", capability_state_names[state]}},
                totals.capability_changes[state]);
    }
  }

  out.histogram("imapmeter_server_first_response_seconds",
                "From the end of a command to the next line of the server, of commands that were alone at their end. "
                "IDLE, an untagged OK without a code and INPROGRESS do not count.");
  by_server(out, all, &ServerTotals::first_response);
}

// Of the upstreams whose servers are checked.
void health(FamilyWriter& out, const Snapshot& all) {
  out.gauge("imapmeter_upstream_up", "1 where the last health check of the server succeeded.");
  for (const auto& upstream : all.upstreams) {
    if (!upstream.checked) continue;
    for (const auto& [server, health] : upstream.health)
      out.add({{"upstream", upstream.name}, {"server", server}}, std::uint64_t{health.last_succeeded ? 1U : 0U});
  }
  out.counter("imapmeter_upstream_health_checks_total",
              "Health checks of the server: connect, TLS, a greeting OK or PREAUTH. They are in no other family.");
  for (const auto& upstream : all.upstreams) {
    if (!upstream.checked) continue;
    for (const auto& [server, health] : upstream.health) {
      out.add({{"upstream", upstream.name}, {"server", server}, {"result", "ok"}}, health.ok);
      out.add({{"upstream", upstream.name}, {"server", server}, {"result", "failed"}}, health.failed);
    }
  }
}

void limits(FamilyWriter& out, const Snapshot& all) {
  out.gauge(
      "imapmeter_limit",
      "The limits in force, those of the whole process under listener=\"all\". A limit that is off has no series.");
  for (const auto& [listener, limit, value] : all.limits) out.add({{"listener", listener}, {"limit", limit}}, value);
  out.gauge("imapmeter_relay_buffer_bytes", "Octets that sessions keep now of what their peers do not take.");
  out.add({}, all.relay_buffer_bytes);
}

void info(FamilyWriter& out, const Snapshot& all) {
  out.gauge("imapmeter_listener_info",
            "Always 1: each address of a listener and its upstream as configured, to join the rest.");
  for (const auto& listener : all.listeners) {
    for (const std::string& bind : listener.binds)
      out.add({{"listener", listener.name}, {"bind", bind}, {"upstream", listener.upstream}}, std::uint64_t{1});
  }
  out.gauge("imapmeter_build_info", "Always 1: what runs.");
  out.add({{"version", all.build.version},
           {"revision", all.build.revision},
           {"openssl", all.build.openssl},
           {"boost", all.build.boost}},
          std::uint64_t{1});
  out.counter(
      "imapmeter_log_lines_dropped_total",
      "Lines of the log that were not written: a log that is not read or full, or the limits on what others can "
      "cause.");
  out.add({}, all.log_lines_dropped);
}

void reloads(FamilyWriter& out, const ReloadState& state) {
  out.counter("imapmeter_config_reloads_total",
              "Requests to read the settings again (SIGHUP). This version does not, so that each counts as failed.");
  out.add({{"result", "success"}}, state.succeeded);
  out.add({{"result", "failed"}}, state.failed);
  out.gauge("imapmeter_config_last_reload_successful", "1 where the settings were read the last time they were to be.");
  out.add({}, std::uint64_t{state.last_succeeded ? 1U : 0U});
  out.gauge("imapmeter_config_last_reload_success_timestamp_seconds",
            "When the settings in force were read, in seconds since the epoch.");
  out.add({}, state.last_success);
}

void process(FamilyWriter& out, const ProcessUsage& usage) {
  out.counter("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.");
  out.add({}, usage.cpu_seconds);
  out.gauge("process_resident_memory_bytes", "Resident memory size in bytes.");
  out.add({}, usage.resident_bytes);
  out.gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.");
  out.add({}, usage.virtual_bytes);
  out.gauge("process_open_fds", "Number of open file descriptors.");
  out.add({}, usage.open_fds);
  out.gauge("process_max_fds", "Maximum number of open file descriptors.");
  out.add({}, usage.max_fds);
  out.gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.");
  out.add({}, usage.start_time_seconds);
}

}  // namespace

std::vector<prometheus::MetricFamily> families(const Snapshot& snapshot) {
  FamilyWriter out;
  status_responses(out, snapshot);
  commands(out, snapshot);
  logins(out, snapshot);
  sessions(out, snapshot);
  octets(out, snapshot);
  delays(out, snapshot);
  tls(out, snapshot);
  upstreams(out, snapshot);
  health(out, snapshot);
  limits(out, snapshot);
  info(out, snapshot);
  reloads(out, snapshot.reloads);
  if (snapshot.process) process(out, *snapshot.process);
  return out.finish();
}

}  // namespace imapmeter::metrics
