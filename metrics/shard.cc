#include "metrics/shard.h"

#include <bit>
#include <memory>
#include <new>
#include <utility>

#include "proxy/session_facts.h"

namespace imapmeter::metrics {
namespace {

std::optional<Problem> problem(imap::Outcome outcome) noexcept {
  switch (outcome) {
    case imap::Outcome::cut:
      return Problem::cut;
    case imap::Outcome::degraded:
      return Problem::degraded;
    case imap::Outcome::login_failed:
      return Problem::login_failed;
    case imap::Outcome::login_rejected:
      return Problem::login_rejected;
    case imap::Outcome::unseen:
    case imap::Outcome::good:
      break;
  }
  return std::nullopt;
}

// A login that was answered and refused.
bool is_failure(imap::AuthResult result) noexcept {
  return result != imap::AuthResult::success && result != imap::AuthResult::aborted;
}

}  // namespace

Shard::Shard(std::size_t servers, Clock clock) : clock_(clock), servers_(servers), last_capabilities_(servers) {}

void Shard::on_status(const imap::Status& status) noexcept {
  counts_.responses[at(status.kind)][at(status.condition)].add(1);
  counts_.response_codes[at(status.condition)][at(status.code)].add(1);
  for (std::uint32_t members = status.members.bits; members != 0; members &= members - 1)
    counts_.status_codes[static_cast<std::size_t>(std::countr_zero(members))].add(1);
  // Only these are rated, and only they pay for a look at the clock.
  const bool rated = status.condition != imap::Condition::ok && status.condition != imap::Condition::preauth;
  if (rated) rates_.count(status.condition, clock_());
}

void Shard::on_undefined_status() noexcept { counts_.status_codes[at(imap::StatusCode::not_defined)].add(1); }

void Shard::on_data(const imap::Data& data) noexcept { counts_.untagged_data[at(data.keyword)].add(data.responses); }

void Shard::on_bye(imap::ByeReason reason) noexcept { counts_.bye[at(reason)].add(1); }

void Shard::on_state(imap::SessionState from, imap::SessionState to) noexcept {
  counts_.sessions[at(from)].add(std::uint64_t{0} - 1);
  counts_.sessions[at(to)].add(1);
}

void Shard::on_authenticated() noexcept { counts_.authenticated.add(1); }

void Shard::on_command_started(const imap::CommandStart& start) noexcept {
  counts_.commands_started.add(1);
  if (start.command == imap::Command::idle) counts_.idle_started.add(1);
}

void Shard::on_command_ended(const imap::CommandEnd& end) noexcept {
  counts_.commands[at(end.command)][at(end.result)].add(1);
  count(failure_of(end));
  if (end.duration) counts_.command_duration[timed_place(end.command)].observe(*end.duration);
}

void Shard::on_first_response(imap::Command command, std::chrono::nanoseconds time) noexcept {
  counts_.first_response[timed_place(command)].observe(time);
}

void Shard::on_idle(std::chrono::nanoseconds duration) noexcept { counts_.idle_duration.observe(duration); }

void Shard::on_auth_attempt(const imap::AuthAttempt& attempt) noexcept {
  counts_.auth_attempts[at(attempt.mechanism)][at(attempt.result)].add(1);
  count(failure_of(attempt.result));
  if (is_failure(attempt.result)) counts_.auth_failures[at(auth_failure(attempt.code))].add(1);
}

void Shard::on_literal(imap::Direction direction, std::size_t octets) noexcept {
  counts_.literal_bytes[at(direction)].add(octets);
}

void Shard::on_messages(imap::MessageOperation operation, std::size_t messages) noexcept {
  counts_.messages[at(operation)].add(messages);
}

void Shard::on_provider_signal(imap::ProviderSignal signal) noexcept { counts_.provider_signals[at(signal)].add(1); }

void Shard::on_anomaly(imap::Anomaly anomaly) noexcept { counts_.anomalies[at(anomaly)].add(1); }

void Shard::on_compress(imap::CompressResult result) noexcept { counts_.compress_attempts[at(result)].add(1); }

void Shard::on_inflated(imap::Direction direction, std::size_t deflated, std::size_t inflated) noexcept {
  counts_.deflated_bytes[at(direction)].add(deflated);
  counts_.inflated_bytes[at(direction)].add(inflated);
}

void Shard::on_opaque(imap::OpaqueReason reason) noexcept { counts_.opaque[at(reason)].add(1); }

void Shard::on_capability_removed() noexcept { on_authored(proxy::Authored::capability_words); }

void Shard::on_multiplex_removed() noexcept { on_authored(proxy::Authored::multiplex); }

void Shard::on_outcome(imap::Outcome outcome) noexcept { counts_.outcomes[at(outcome)].add(1); }

void Shard::on_accepted() noexcept {
  counts_.accepted.add(1);
  counts_.sessions[at(imap::SessionState::connecting)].add(1);
}

void Shard::on_handshake(const proxy::Handshake& handshake) noexcept {
  const std::size_t side = at(handshake.side);
  if (handshake.result == proxy::HandshakeResult::ok) {
    counts_.handshakes_ok[side][at(handshake.version)][handshake.resumed ? 1 : 0].add(1);
  } else {
    counts_.handshakes[side][at(handshake.result)].add(1);
  }
}

void Shard::on_starttls(proxy::Side side, proxy::StarttlsResult result) noexcept {
  counts_.starttls[at(side)][at(result)].add(1);
}

void Shard::on_plaintext_login_refused() noexcept { counts_.plaintext_logins_refused.add(1); }

void Shard::on_upstream_connect(std::size_t server, proxy::ConnectResult result) noexcept {
  if (server < servers_.size()) servers_[server].connects[at(result)].add(1);
}

void Shard::on_upstream_sessions(std::size_t server, int change) noexcept {
  if (server < servers_.size()) servers_[server].sessions.add(static_cast<std::uint64_t>(std::int64_t{change}));
}

void Shard::on_bytes(imap::Direction direction, std::size_t octets) noexcept {
  counts_.bytes[at(direction)].add(octets);
}

void Shard::on_authored(proxy::Authored what) noexcept { counts_.authored[at(what)].add(1); }

void Shard::on_blocked(proxy::Side side, int change, std::chrono::nanoseconds waited) noexcept {
  counts_.blocked[at(side)].add(static_cast<std::uint64_t>(std::int64_t{change}));
  counts_.blocked_nanoseconds[at(side)].add(static_cast<std::uint64_t>(waited.count()));
}

void Shard::on_relay_delay(imap::Direction direction, std::chrono::nanoseconds delay) noexcept {
  counts_.relay_delay[at(direction)].observe(delay);
}

void Shard::on_step(proxy::Step step, std::chrono::nanoseconds time) noexcept {
  counts_.login_phases[at(step)].observe(time);
}

void Shard::on_server_status(std::size_t server, imap::Condition condition) noexcept {
  if (server < servers_.size()) servers_[server].responses[at(condition)].add(1);
}

void Shard::on_server_capabilities(std::size_t server, const imap::Capabilities& capabilities) noexcept {
  if (server >= servers_.size() || shared_.capabilities == nullptr) return;
  const std::size_t state = capabilities.after_login ? 1 : 0;
  imap::CapabilitySet& last = last_capabilities_[server][state];
  if (last == capabilities.set) return;
  last = capabilities.set;
  if (shared_.capabilities->is_change(server, capabilities)) servers_[server].capability_changes[state].add(1);
}

void Shard::on_server_first_response(std::size_t server, std::chrono::nanoseconds time) noexcept {
  if (server < servers_.size()) servers_[server].first_response.observe(time);
}

void Shard::on_auth_attempt(std::size_t server, const proxy::SessionFacts& session,
                            const imap::AuthAttempt& attempt) noexcept {
  if (server < servers_.size()) servers_[server].auth_attempts[at(server_auth_result(attempt.result))].add(1);
  const bool cancelled = attempt.result == imap::AuthResult::cancelled || attempt.result == imap::AuthResult::aborted;
  if (!cancelled) failing_networks_.note(session.network, attempt.result == imap::AuthResult::success, clock_());
}

void Shard::on_closed(const proxy::Closed& closed) noexcept {
  counts_.sessions[at(closed.state)].add(std::uint64_t{0} - 1);
  counts_.closed[at(closed.reason)][at(closed.phase)].add(1);
  counts_.session_duration.observe(closed.duration);
  count(failure_of(closed));
  const bool limit =
      closed.reason >= proxy::CloseReason::limit_global && closed.reason <= proxy::CloseReason::fd_exhausted;
  if (limit && !limits_told_[at(closed.reason)]) tell_limit(closed.reason);
  if (closed.facts == nullptr) return;
  const std::size_t software = at(closed.facts->client_software);
  if (closed.phase == proxy::Phase::authenticated) counts_.client_software[software].add(1);
  const auto trouble = closed.facts->outcome ? problem(*closed.facts->outcome) : std::nullopt;
  if (trouble) counts_.client_problems[software][at(*trouble)].add(1);
  const bool badly = closed.facts->outcome && *closed.facts->outcome != imap::Outcome::good;
  if (badly && shared_.skeletons != nullptr) keep_skeleton(closed);
}

void Shard::count(std::optional<Failure> failure) noexcept {
  if (failure) counts_.failures[at(*failure)].add(1);
}

void Shard::tell_limit(proxy::CloseReason limit) noexcept {
  limits_told_[at(limit)] = true;
  if (shared_.events == nullptr) return;
  try {
    const std::string reason(name(limit));
    shared_.events->note_once(reason, {"limit", {{"reason", reason}}});
  } catch (const std::bad_alloc&) {
    // the counter tells
  }
}

// Where there is no memory it is lost.
void Shard::keep_skeleton(const proxy::Closed& closed) noexcept {
  try {
    const proxy::SessionFacts& facts = *closed.facts;
    Skeleton kept;
    kept.id = proxy::session_id_text(facts.id);
    kept.listener = shared_.names->listener;
    if (facts.server && *facts.server < shared_.names->servers.size())
      kept.server = shared_.names->servers[*facts.server];
    kept.end = std::chrono::system_clock::now();
    kept.reason = closed.reason;
    kept.phase = closed.phase;
    kept.outcome = *facts.outcome;
    kept.client_software = facts.client_software;
    kept.duration = closed.duration;
    kept.noted = facts.flight.noted();
    kept.events = facts.flight.events();
    shared_.skeletons->keep(std::make_shared<const Skeleton>(std::move(kept)));
  } catch (const std::bad_alloc&) {
    return;
  }
}

}  // namespace imapmeter::metrics
