#include "metrics/status_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "metrics/quantile.h"

namespace imapmeter::metrics {
namespace {

using nlohmann::json;

template <class Enum, std::size_t N>
json by(const std::array<std::uint64_t, N>& table) {
  json object = json::object();
  for (std::size_t i = 0; i < N; ++i) object[std::string(name(static_cast<Enum>(i)))] = table[i];
  return object;
}

json response_codes(const Totals& totals) {
  json object = json::object();
  for (std::size_t c = 0; c < imap::condition_count; ++c) {
    json codes = json::object();
    for (std::size_t i = 0; i < imap::response_code_count; ++i) {
      const std::uint64_t n = totals.response_codes[c][i];
      if (n != 0) codes[std::string(name(static_cast<imap::ResponseCode>(i)))] = n;
    }
    object[std::string(name(static_cast<imap::Condition>(c)))] = std::move(codes);
  }
  return object;
}

json responses(const Totals& totals) {
  json object = json::object();
  for (std::size_t kind = 0; kind < imap::response_kind_count; ++kind) {
    object[std::string(name(static_cast<imap::ResponseKind>(kind)))] = by<imap::Condition>(totals.responses[kind]);
  }
  return object;
}

json rates(const RateValues& values) {
  json object = json::object();
  for (std::size_t c = 0; c < values.size(); ++c) {
    for (std::size_t w = 0; w < values[c].size(); ++w) {
      object[std::string(name(rated_conditions[c]))][std::string(rate_windows[w].name)] = values[c][w];
    }
  }
  return object;
}

// Of a table of two enums, what is not zero.
template <class Row, class Column, std::size_t Columns, std::size_t Rows>
json counted(const std::array<std::array<std::uint64_t, Columns>, Rows>& table) {
  json rows = json::object();
  for (std::size_t row = 0; row < Rows; ++row) {
    for (std::size_t column = 0; column < Columns; ++column) {
      if (table[row][column] == 0) continue;
      rows[std::string(name(static_cast<Row>(row)))][std::string(name(static_cast<Column>(column)))] =
          table[row][column];
    }
  }
  return rows;
}

template <class Enum, std::size_t N>
json counted(const std::array<std::uint64_t, N>& table) {
  json object = json::object();
  for (std::size_t i = 0; i < N; ++i)
    if (table[i] != 0) object[std::string(name(static_cast<Enum>(i)))] = table[i];
  return object;
}

// Seconds; null where nothing was counted.
template <const auto& Bounds>
json quantiles(const Histogram<std::uint64_t, Bounds>& values) {
  json object = {{"count", count(values)}};
  for (const auto& [key, share] : {std::pair{"p50", 0.5}, std::pair{"p95", 0.95}, std::pair{"p99", 0.99}}) {
    const auto seconds = quantile(values, share);
    object[key] = seconds ? json(*seconds) : json();
  }
  return object;
}

json commands(const Totals& totals) {
  json all = json::array();
  for (std::size_t i = 0; i < imap::command_count; ++i) {
    const auto command = static_cast<imap::Command>(i);
    json row = by<imap::CommandResult>(totals.commands[i]);
    const auto& results = totals.commands[i];
    if (std::all_of(results.begin(), results.end(), [](std::uint64_t n) { return n == 0; })) continue;
    row["command"] = name(command);
    const bool timed = timed_commands[timed_place(command)] == command;
    row["duration"] = timed ? quantiles(totals.command_duration[timed_place(command)]) : json();
    row["first_response"] = timed ? quantiles(totals.first_response[timed_place(command)]) : json();
    all.push_back(std::move(row));
  }
  return all;
}

json login_phases(const Totals& totals) {
  json phases = json::object();
  for (std::size_t step = 0; step < proxy::step_count; ++step)
    phases[std::string(phase_names[step])] = quantiles(totals.login_phases[step]);
  return phases;
}

json anomalies(const Totals& totals) {
  json all = json::array();
  for (std::size_t i = 0; i < imap::anomaly_count; ++i) {
    if (totals.anomalies[i] == 0) continue;
    const auto kind = static_cast<imap::Anomaly>(i);
    const bool client = imap::side(kind) == imap::Direction::client_to_server;
    all.push_back({{"side", name(client ? proxy::Side::client : proxy::Side::upstream)},
                   {"kind", name(kind)},
                   {"count", totals.anomalies[i]}});
  }
  return all;
}

json handshakes(const Totals& totals, proxy::Side side) {
  json object = json::object();
  std::uint64_t resumed = 0;
  for (const proxy::TlsVersion version : {proxy::TlsVersion::tls1_2, proxy::TlsVersion::tls1_3}) {
    const auto& of_version = totals.handshakes_ok[at(side)][at(version)];
    object[std::string(name(version))] = of_version[0] + of_version[1];
    resumed += of_version[1];
  }
  object["resumed"] = resumed;
  object["failed"] = counted<proxy::HandshakeResult>(totals.handshakes[at(side)]);
  return object;
}

json failures(const Totals& totals) {
  json parties = json::object();
  for (std::size_t i = 0; i < failure_count; ++i) {
    const FailureRow& of = row(static_cast<Failure>(i));
    parties[std::string(name(of.party))][std::string(of.kind)] = totals.failures[i];
  }
  return parties;
}

// What the server says.
json said(const ListenerSnapshot& from) {
  const Totals& totals = from.totals;
  return {
      {"responses", responses(totals)},
      {"response_codes", response_codes(totals)},
      {"status_codes", by<imap::StatusCode>(totals.status_codes)},
      {"bye", by<imap::ByeReason>(totals.bye)},
      {"rates_per_second", rates(from.rates)},
      {"provider_signals", by<imap::ProviderSignal>(totals.provider_signals)},
      {"untagged_data", counted<imap::DataKeyword>(totals.untagged_data)},
  };
}

// What the clients ask for.
json asked(const ListenerSnapshot& from) {
  const Totals& totals = from.totals;
  return {
      {"commands_started", totals.commands_started},
      {"commands_in_flight", commands_in_flight(totals)},
      {"commands", commands(totals)},
      {"logins", counted<imap::Mechanism, imap::AuthResult>(totals.auth_attempts)},
      {"auth_failures", by<AuthFailure>(totals.auth_failures)},
      {"failing_networks", from.failing_networks},
      {"login_phases", login_phases(totals)},
      {"client_software", counted<imap::ClientSoftware>(totals.client_software)},
      {"client_problems", counted<imap::ClientSoftware, Problem>(totals.client_problems)},
      {"messages", by<imap::MessageOperation>(totals.messages)},
      {"compress", by<imap::CompressResult>(totals.compress_attempts)},
  };
}

json listener(const ListenerSnapshot& from) {
  const Totals& totals = from.totals;
  json all = {
      {"name", from.name},
      {"bind", from.binds},
      {"upstream", from.upstream},
      {"sessions", by<imap::SessionState>(totals.sessions)},
      {"sessions_accepted", totals.accepted},
      {"sessions_authenticated", totals.authenticated},
      {"session_outcomes", by<imap::Outcome>(totals.outcomes)},
      {"sessions_closed", counted<proxy::CloseReason, proxy::Phase>(totals.closed)},
      {"opaque_sessions", by<imap::OpaqueReason>(totals.opaque)},
      {"anomalies", anomalies(totals)},
      {"failures", failures(totals)},
      {"blocked", by<proxy::Side>(totals.blocked)},
      {"bytes", by<imap::Direction>(totals.bytes)},
      {"authored", by<proxy::Authored>(totals.authored)},
      {"certificates_not_after", from.certificates},
      {"handshakes",
       {{"client", handshakes(totals, proxy::Side::client)}, {"upstream", handshakes(totals, proxy::Side::upstream)}}},
  };
  all.update(said(from));
  all.update(asked(from));
  return all;
}

json upstream(const UpstreamSnapshot& from) {
  json servers = json::array();
  for (const auto& [server, totals] : from.servers) {
    const ServerHealth& health = from.health.at(server);
    servers.push_back({{"server", server},
                       {"up", health.up},
                       {"checks", {{"ok", health.ok}, {"failed", health.failed}}},
                       {"sessions", static_cast<std::int64_t>(totals.sessions)},
                       {"connects", by<proxy::ConnectResult>(totals.connects)},
                       {"responses", by<imap::Condition>(totals.responses)},
                       {"auth_attempts", by<ServerAuthResult>(totals.auth_attempts)},
                       {"first_response", quantiles(totals.first_response)}});
  }
  return {{"name", from.name},
          {"tls_verified", from.tls_verified},
          {"checked", from.checked},
          {"servers", std::move(servers)}};
}

// What is used of a limit, where it is known: null else.
json used(const Snapshot& all, const LimitSnapshot& limit) {
  if (limit.limit == "relay_buffer_bytes") return all.relay_buffer_bytes;
  if (limit.limit == "memory_bytes" && all.process) return all.process->resident_bytes;
  if (limit.limit != "sessions") return nullptr;
  std::uint64_t sessions = 0;
  for (const ListenerSnapshot& each : all.listeners)
    for (const std::uint64_t n : each.totals.sessions) sessions += n;
  return sessions;
}

json limits(const Snapshot& all) {
  json limits = json::array();
  for (const LimitSnapshot& each : all.limits)
    limits.push_back(
        {{"listener", each.listener}, {"limit", each.limit}, {"value", each.value}, {"used", used(all, each)}});
  return limits;
}

json settings(const Snapshot& all) {
  return {{"workers", all.workers},
          {"reloads", {{"success", all.reloads.succeeded}, {"failed", all.reloads.failed}}},
          {"last_reload_successful", all.reloads.last_succeeded},
          {"last_reload_success", all.reloads.last_success}};
}

json process(const std::optional<ProcessUsage>& usage) {
  if (!usage) return nullptr;
  return {{"cpu_seconds", usage->cpu_seconds},
          {"resident_bytes", usage->resident_bytes},
          {"open_fds", usage->open_fds},
          {"max_fds", usage->max_fds}};
}

}  // namespace

std::string status_json(const Snapshot& snapshot, bool ready) {
  json listeners = json::array();
  for (const auto& each : snapshot.listeners) listeners.push_back(listener(each));
  json upstreams = json::array();
  for (const auto& each : snapshot.upstreams) upstreams.push_back(upstream(each));
  const BuildInfo& build = snapshot.build;
  const json status = {
      {"build",
       {{"version", build.version}, {"revision", build.revision}, {"openssl", build.openssl}, {"boost", build.boost}}},
      {"ready", ready},
      {"time", snapshot.time},
      {"uptime_seconds", snapshot.time - snapshot.start},
      {"process", process(snapshot.process)},
      {"relay_buffer_bytes", snapshot.relay_buffer_bytes},
      {"log_lines_dropped", snapshot.log_lines_dropped},
      {"limits", limits(snapshot)},
      {"config", settings(snapshot)},
      {"listeners", std::move(listeners)},
      {"upstreams", std::move(upstreams)},
  };
  // A configured name that is not UTF-8 must not cost the page.
  return status.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace imapmeter::metrics
