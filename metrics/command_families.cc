#include "metrics/command_families.h"

#include "metrics/family_tables.h"

namespace imapmeter::metrics {
namespace {

template <class Histograms>
void by_timed_command(FamilyWriter& out, const Snapshot& all, Histograms Totals::*table) {
  for (const auto& listener : all.listeners) {
    for (std::size_t place = 0; place < timed_commands.size(); ++place)
      out.add({{"listener", listener.name}, {"command", name(timed_commands[place])}}, (listener.totals.*table)[place]);
  }
}

}  // namespace

std::uint64_t commands_in_flight(const Totals& totals) noexcept {
  std::uint64_t ended = 0;
  each<imap::Command>(totals.commands, [&](imap::Command command, const auto& by_result) {
    if (command == imap::Command::idle) return;
    for (const std::uint64_t n : by_result) ended += n;
  });
  const std::uint64_t started = totals.commands_started - totals.idle_started;
  // A sum taken while workers count can see the start of an IDLE in one number and not in the other.
  return started > ended ? started - ended : 0;
}

void commands(FamilyWriter& out, const Snapshot& all) {
  out.counter("imapmeter_commands_started_total", "Client commands whose first line was read.");
  by_listener(out, all, &Totals::commands_started);

  out.counter(
      "imapmeter_commands_total",
      "Client commands at their end, by result: OK NO BAD as the server answered, aborted when the session closed "
      "first, untracked when it was no longer read. Series that are zero are hidden.",
      Zeros::hidden);
  by<imap::Command, imap::CommandResult>(out, all, "command", "result", &Totals::commands);

  out.gauge("imapmeter_commands_in_flight", "Commands begun and not yet answered, IDLE excepted.");
  for (const auto& listener : all.listeners) {
    out.add({{"listener", listener.name}}, commands_in_flight(listener.totals));
  }

  out.histogram(
      "imapmeter_command_duration_seconds",
      "From the LF that ends the last line of a command to the LF of its answer OK, NO or BAD. IDLE and commands "
      "answered before their last octet are not in it. Commands without a label of their own are other.");
  by_timed_command(out, all, &Totals::command_duration);

  out.histogram(
      "imapmeter_command_first_response_seconds",
      "From the same LF to the next line of the server, of commands that were alone at their end. An untagged OK "
      "without a code and INPROGRESS do not count.");
  by_timed_command(out, all, &Totals::first_response);

  out.histogram("imapmeter_idle_duration_seconds", "From the + of an IDLE to its answer or the end of the session.");
  by_listener(out, all, &Totals::idle_duration);

  out.counter("imapmeter_untagged_data_total",
              "Untagged data responses of the server by keyword. Series that are zero are hidden.", Zeros::hidden);
  by<imap::DataKeyword>(out, all, "keyword", &Totals::untagged_data);

  out.counter("imapmeter_provider_signals_total",
              "What providers hide in the text of a NO, BAD or BYE: throttling, too many connections, a quota, or BAD "
              "after a login that seemed to succeed.");
  by<imap::ProviderSignal>(out, all, "signal", &Totals::provider_signals);
}

void logins(FamilyWriter& out, const Snapshot& all) {
  out.counter("imapmeter_auth_attempts_total",
              "Each LOGIN and AUTHENTICATE at its answer: rejected is the trouble of the user, temporary that of the "
              "server. mechanism is LOGIN_COMMAND for the command LOGIN.");
  by<imap::Mechanism, imap::AuthResult>(out, all, "mechanism", "result", &Totals::auth_attempts);

  out.counter("imapmeter_auth_failures_total",
              "Attempts to log in that were answered with anything but OK, by the response code of the answer.");
  by<AuthFailure>(out, all, "code", &Totals::auth_failures);

  out.histogram(
      "imapmeter_login_phase_duration_seconds",
      "From accept to login in steps that do not overlap, each once per session and only where it came to its "
      "end. Fix phase in every query.");
  for (const auto& listener : all.listeners) {
    for (std::size_t step = 0; step < proxy::step_count; ++step)
      out.add({{"listener", listener.name}, {"phase", phase_names[step]}}, listener.totals.login_phases[step]);
  }

  out.gauge("imapmeter_auth_failing_networks",
            "Client networks (/24, /48) with a failed login and no successful one in the last 15 minutes.");
  for (const auto& listener : all.listeners) {
    out.add({{"listener", listener.name}}, static_cast<std::uint64_t>(listener.failing_networks));
  }
}

}  // namespace imapmeter::metrics
