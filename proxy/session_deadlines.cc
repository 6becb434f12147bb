// What a session waits for, and for how long. Each wait has a setting.
#include <algorithm>
#include <cerrno>

#include "proxy/session.h"
#include "proxy/worker.h"

namespace imapmeter::proxy {
namespace {

using imap::Direction;

constexpr std::chrono::seconds longest_hold{1};         // of an unfinished capability word
constexpr std::chrono::milliseconds delivery_poll{20};  // has the peer acknowledged all, so that RST may follow?

}  // namespace

void Session::on_deadline() {
  armed_for_ = TimePoint::max();
  check_deadlines();
  arm();
}

void Session::check_deadlines() {
  if (try_drain()) return;
  // The relay has several at once, and one that moves with the clock: it looks at each.
  if (state_ != State::relay && next_deadline() > now()) return;
  switch (state_) {
    case State::proxy_header:
      return refuse_proxy_header("none in time");
    case State::handshake:
      context_.observer->on_handshake({.side = Side::client, .result = HandshakeResult::timeout});
      return force_close(CloseReason::client_handshake_timeout);
    case State::connect:
      return connect_timed_out();
    case State::upstream_handshake:
      context_.observer->on_handshake({.side = Side::upstream, .result = HandshakeResult::timeout});
      return fail_connect(CloseReason::upstream_tls_error, ConnectResult::timeout);
    case State::upstream_dialogue:
      return fail_connect(CloseReason::upstream_greeting_timeout, dialogue_failure());
    case State::client_dialogue:
      return force_close(CloseReason::client_handshake_timeout);
    case State::relay:
      return check_relay_deadlines();
    case State::farewell:
      return finish();
    case State::gone:
      return;
  }
}

void Session::connect_timed_out() {
  connect_left_ -= now() - state_since_;
  upstream_.close();
  errno = ETIMEDOUT;
  dial_next();
}

void Session::check_relay_deadlines() {
  const config::Timeouts& timeouts = snapshot_->timeouts;
  for (const auto direction : {Direction::client_to_server, Direction::server_to_client}) {
    const TimePoint held = held_since_[static_cast<std::size_t>(direction)];
    if (held != TimePoint{} && now() >= held + longest_hold) flush_held(direction);
  }
  settle(Direction::server_to_client, client_);
  settle(Direction::client_to_server, upstream_);
  if (state_ != State::relay) return;
  if (now() >= keepalive_deadline()) {
    set_keepalive(upstream_.fd(), timeouts.keepalive);
    upstream_asked_ = true;
  }
  if (reason_ && now() >= progress_ + timeouts.half_close) {
    // Our RST would destroy what the system still holds for a slow client: while that shrinks, it is progress.
    const int waiting = unacknowledged(client_.fd());
    if (waiting != 0 && waiting != unacknowledged_) {
      unacknowledged_ = waiting;
      progress_ = now();
      return;
    }
    if (flow(Direction::server_to_client).end == Io::reset) reset_on_close(client_.fd());
    if (flow(Direction::client_to_server).end == Io::reset) reset_on_close(upstream_.fd());
    return finish();
  }
  if (!connect_told_ && now() >= state_since_ + timeouts.greeting)
    return fail_connect(CloseReason::upstream_greeting_timeout, ConnectResult::greeting);
  if (now() >= preauth_deadline()) return force_close(CloseReason::preauth_timeout);
  if (now() >= idle_deadline()) return force_close(CloseReason::idle_timeout);
  for (const Direction direction : {Direction::server_to_client, Direction::client_to_server}) {
    const TimePoint since = blocked_since_[static_cast<std::size_t>(direction)];
    if (since == TimePoint{} || now() < since + timeouts.stall) continue;
    return force_close(direction == Direction::server_to_client ? CloseReason::client_stall
                                                                : CloseReason::upstream_stall);
  }
}

// Nobody would be asked any earlier: a session that is over by then has been spared the system calls.
TimePoint Session::keepalive_deadline() const noexcept {
  return upstream_asked_ ? TimePoint::max() : accepted_ + snapshot_->timeouts.keepalive;
}

TimePoint Session::preauth_deadline() const noexcept {
  const bool waits = connect_told_ && !tracker_.may_have_logged_in();
  return waits ? state_since_ + snapshot_->timeouts.preauth : TimePoint::max();
}

TimePoint Session::idle_deadline() const noexcept {
  const auto idle = snapshot_->timeouts.idle;
  return idle == idle.zero() ? TimePoint::max() : progress_ + idle;
}

TimePoint Session::next_deadline() const noexcept {
  const config::Timeouts& timeouts = snapshot_->timeouts;
  switch (state_) {
    case State::proxy_header:
      return accepted_ + timeouts.handshake;
    case State::handshake:  // since accept, or since the greeting of a STARTTLS listener
    case State::client_dialogue:
      return state_since_ + timeouts.handshake;
    case State::upstream_dialogue:
      return state_since_ + (dialogue_->upstream.greeted() ? timeouts.handshake : timeouts.greeting);
    case State::connect:
      // Each address has its share: one that swallows everything must not hide the next.
      return state_since_ + connect_left_ / static_cast<std::int64_t>(attempts_left());
    case State::upstream_handshake:
      return state_since_ + timeouts.handshake;
    case State::farewell:
      return state_since_ + timeouts.half_close;
    case State::gone:
      return TimePoint::max();
    case State::relay:
      break;
  }
  TimePoint next = std::min({preauth_deadline(), idle_deadline(), keepalive_deadline()});
  if (!connect_told_) next = std::min(next, state_since_ + timeouts.greeting);
  for (const auto direction : {Direction::client_to_server, Direction::server_to_client}) {
    const TimePoint held = held_since_[static_cast<std::size_t>(direction)];
    // Nothing can be let go while the receiver is full.
    const bool full = (direction == Direction::server_to_client ? client_ : upstream_).blocked();
    if (held != TimePoint{} && !full) next = std::min(next, held + longest_hold);
  }
  for (const TimePoint since : blocked_since_)
    if (since != TimePoint{}) next = std::min(next, since + timeouts.stall);
  if (reason_) next = std::min(next, progress_ + timeouts.half_close);
  for (const Flow& each : flows_)
    if (each.end == Io::reset && !each.closed) next = std::min(next, now() + delivery_poll);
  return next;
}

void Session::arm() {
  if (state_ == State::gone) return;
  TimePoint next = next_deadline();
  if (now() < drain_at_) next = std::min(next, drain_at_);
  if (next >= armed_for_) return;  // what is armed comes first; it will look again
  armed_for_ = next;
  worker_.loop.arm(*this, next);
}

}  // namespace imapmeter::proxy
