// The numbers of one worker and listener as plain tables indexed by enum, and how tables are summed for a scrape.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "metrics/capability_history.h"
#include "metrics/failures.h"
#include "metrics/histogram.h"
#include "metrics/labels.h"
#include "proxy/imap/event.h"
#include "proxy/imap/status.h"
#include "proxy/observer.h"

namespace imapmeter::metrics {

// A number with one writer and any readers. A load and a store, not a locked addition: nobody else writes. Release and
// acquire cost nothing on x86-64 and let a reader that has seen an end also see the start that went before it.
class Cell {
 public:
  void add(std::uint64_t n) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_release);
  }
  std::uint64_t read() const noexcept { return value_.load(std::memory_order_acquire); }

 private:
  std::atomic<std::uint64_t> value_{0};
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

template <class T, std::size_t First, std::size_t... Rest>
struct TableOf {
  using type = std::array<typename TableOf<T, Rest...>::type, First>;
};
template <class T, std::size_t Last>
struct TableOf<T, Last> {
  using type = std::array<T, Last>;
};
// Table<T, 3, 5>: 3 rows of 5.
template <class T, std::size_t... Sizes>
using Table = typename TableOf<T, Sizes...>::type;

template <class Enum>
constexpr std::size_t at(Enum value) noexcept {
  return static_cast<std::size_t>(value);
}

// Cell in a shard, std::uint64_t in a sum. Each member is indexed by the enums of its families' labels, in that order.
// Gauges go up and down by wrap-around: their sum, read as signed, is exact.
template <class T>
struct Counts {
  Table<T, imap::status_code_count> status_codes{};
  Table<T, imap::response_kind_count, imap::condition_count> responses{};
  Table<T, imap::condition_count, imap::response_code_count> response_codes{};
  Table<T, imap::bye_reason_count> bye{};
  Table<T, imap::command_count, imap::command_result_count> commands{};
  T commands_started{};
  T idle_started{};  // IDLE among commands_started
  std::array<Histogram<T, command_bounds>, timed_commands.size()> command_duration{};
  std::array<Histogram<T, command_bounds>, timed_commands.size()> first_response{};
  Histogram<T, session_bounds> idle_duration{};
  Table<T, imap::data_keyword_count> untagged_data{};
  Table<T, imap::mechanism_count, imap::auth_result_count> auth_attempts{};
  Table<T, auth_failure_count> auth_failures{};
  std::array<Histogram<T, command_bounds>, proxy::step_count> login_phases{};
  Table<T, imap::provider_signal_count> provider_signals{};
  Table<T, imap::message_operation_count> messages{};
  Table<T, imap::session_state_count> sessions{};
  Table<T, proxy::close_reason_count, proxy::phase_count> closed{};
  T accepted{};
  T authenticated{};
  Table<T, imap::outcome_count> outcomes{};
  Table<T, failure_count> failures{};
  Histogram<T, session_bounds> session_duration{};
  Table<T, imap::client_software_count> client_software{};
  Table<T, imap::client_software_count, problem_count> client_problems{};
  Table<T, imap::direction_count> bytes{};
  Table<T, imap::direction_count> literal_bytes{};
  Table<T, proxy::authored_count> authored{};
  Table<T, imap::opaque_reason_count> opaque{};
  Table<T, imap::compress_result_count> compress_attempts{};
  Table<T, imap::direction_count> deflated_bytes{};
  Table<T, imap::direction_count> inflated_bytes{};
  Table<T, imap::anomaly_count> anomalies{};
  Table<T, proxy::side_count, proxy::handshake_result_count> handshakes{};   // `ok` stays 0: see the next line
  Table<T, proxy::side_count, proxy::tls_version_count, 2> handshakes_ok{};  // by version and by whether resumed
  Table<T, proxy::side_count, proxy::starttls_result_count> starttls{};
  T plaintext_logins_refused{};
  Table<T, proxy::side_count> blocked{};
  Table<T, proxy::side_count> blocked_nanoseconds{};
  std::array<Histogram<T, relay_delay_bounds>, imap::direction_count> relay_delay{};
};

template <class T>
struct ServerCounts {
  Table<T, proxy::connect_result_count> connects{};
  T sessions{};
  Table<T, imap::condition_count> responses{};
  Table<T, server_auth_result_count> auth_attempts{};
  Histogram<T, server_first_response_bounds> first_response{};
  Table<T, capability_states> capability_changes{};
};

using Totals = Counts<std::uint64_t>;
using ServerTotals = ServerCounts<std::uint64_t>;

inline void add(std::uint64_t& to, const Cell& from) noexcept { to += from.read(); }
template <class To, class From, std::size_t N>
void add(std::array<To, N>& to, const std::array<From, N>& from) noexcept {
  for (std::size_t i = 0; i < N; ++i) add(to[i], from[i]);
}

// Ends are read before starts, so that no scrape sees more commands ended than started or sessions closed than
// accepted.
inline void add(Totals& to, const Counts<Cell>& from) noexcept {
  add(to.command_duration, from.command_duration);
  add(to.first_response, from.first_response);
  add(to.commands, from.commands);
  add(to.idle_started, from.idle_started);
  add(to.commands_started, from.commands_started);
  add(to.closed, from.closed);
  add(to.authenticated, from.authenticated);
  add(to.accepted, from.accepted);
  add(to.status_codes, from.status_codes);
  add(to.responses, from.responses);
  add(to.response_codes, from.response_codes);
  add(to.bye, from.bye);
  add(to.sessions, from.sessions);
  add(to.outcomes, from.outcomes);
  add(to.failures, from.failures);
  add(to.idle_duration, from.idle_duration);
  add(to.untagged_data, from.untagged_data);
  add(to.auth_attempts, from.auth_attempts);
  add(to.auth_failures, from.auth_failures);
  add(to.login_phases, from.login_phases);
  add(to.provider_signals, from.provider_signals);
  add(to.messages, from.messages);
  add(to.session_duration, from.session_duration);
  add(to.client_software, from.client_software);
  add(to.client_problems, from.client_problems);
  add(to.bytes, from.bytes);
  add(to.literal_bytes, from.literal_bytes);
  add(to.authored, from.authored);
  add(to.opaque, from.opaque);
  add(to.compress_attempts, from.compress_attempts);
  add(to.deflated_bytes, from.deflated_bytes);
  add(to.inflated_bytes, from.inflated_bytes);
  add(to.anomalies, from.anomalies);
  add(to.handshakes, from.handshakes);
  add(to.handshakes_ok, from.handshakes_ok);
  add(to.starttls, from.starttls);
  add(to.plaintext_logins_refused, from.plaintext_logins_refused);
  add(to.blocked, from.blocked);
  add(to.blocked_nanoseconds, from.blocked_nanoseconds);
  add(to.relay_delay, from.relay_delay);
}

inline void add(ServerTotals& to, const ServerCounts<Cell>& from) noexcept {
  add(to.connects, from.connects);
  add(to.sessions, from.sessions);
  add(to.responses, from.responses);
  add(to.auth_attempts, from.auth_attempts);
  add(to.first_response, from.first_response);
  add(to.capability_changes, from.capability_changes);
}

}  // namespace imapmeter::metrics
