#include "proxy/session.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

#include "proxy/log.h"
#include "proxy/worker.h"

namespace imapmeter::proxy {
namespace {

using imap::Direction;

constexpr unsigned client_tag = 0;
constexpr unsigned upstream_tag = 1;
constexpr std::uint32_t leg_events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
constexpr std::chrono::seconds longest_hold{1};          // of an unfinished capability word
constexpr std::chrono::milliseconds delivery_poll{20};   // has the peer acknowledged all, so that RST may follow?
constexpr int farewell_reads_per_turn = 4;

// No line breaks inside, nothing of a peer: this is the only IMAP that imapmeter speaks to a client here.
constexpr std::string_view bye_unavailable = "* BYE [UNAVAILABLE] The mail server cannot be reached, try again later\r\n";
constexpr std::string_view bye_drain = "* BYE [UNAVAILABLE] This connection is being closed, connect again\r\n";

CloseReason end_reason(Direction direction, Io end) noexcept {
  const bool by_client = direction == Direction::client_to_server;
  switch (end) {
    case Io::reset:
      return by_client ? CloseReason::client_reset : CloseReason::upstream_reset;
    case Io::tls_error:
      return by_client ? CloseReason::client_tls_error : CloseReason::upstream_tls_error;
    default:
      return by_client ? CloseReason::client_eof : CloseReason::upstream_eof;
  }
}

CloseReason handshake_reason(HandshakeResult result) noexcept {
  switch (result) {
    case HandshakeResult::eof:
      return CloseReason::client_eof;
    case HandshakeResult::reset:
      return CloseReason::client_reset;
    case HandshakeResult::not_tls:
      return CloseReason::not_tls;
    case HandshakeResult::alpn:
      return CloseReason::client_alpn;
    case HandshakeResult::timeout:
      return CloseReason::client_handshake_timeout;
    default:
      return CloseReason::client_tls_error;
  }
}

bool is_certificate(HandshakeResult result) noexcept {
  return result == HandshakeResult::certificate_expired || result == HandshakeResult::certificate_name ||
         result == HandshakeResult::certificate_untrusted;
}

// `logout` and `upstream_bye` say more than the way in which the connection then ended.
bool is_mere_end(CloseReason reason) noexcept {
  switch (reason) {
    case CloseReason::client_eof:
    case CloseReason::client_reset:
    case CloseReason::client_stall:
    case CloseReason::upstream_eof:
    case CloseReason::upstream_reset:
    case CloseReason::upstream_stall:
      return true;
    default:
      return false;
  }
}

struct ConnectFailure {
  CloseReason reason;
  ConnectResult result;
};

ConnectFailure connect_failure(int error) noexcept {
  switch (error) {
    case ECONNREFUSED:
      return {CloseReason::upstream_refused, ConnectResult::refused};
    case ETIMEDOUT:
      return {CloseReason::upstream_connect_timeout, ConnectResult::timeout};
    case ECONNRESET:
      return {CloseReason::upstream_reset, ConnectResult::reset};
    case EADDRNOTAVAIL:
      return {CloseReason::source_ports, ConnectResult::source_ports};
    default:
      return {CloseReason::upstream_unavailable, ConnectResult::refused};
  }
}

}  // namespace

Session::Session(Worker& worker, std::shared_ptr<const Snapshot> snapshot, std::size_t listener, Fd client)
    : worker_(worker),
      snapshot_(std::move(snapshot)),
      context_(worker.context(listener)),
      tracker_(*context_.imap_observer, context_.tracker),
      accepted_(worker.loop.now()),
      state_since_(accepted_),
      progress_(accepted_),
      listener_(static_cast<std::uint16_t>(listener)) {
  set_session_options(client.get());
  client_.open(std::move(client), worker.buffers);
}

Session::~Session() = default;

TimePoint Session::now() const noexcept { return worker_.loop.now(); }

const UpstreamTarget& Session::upstream() const noexcept {
  return snapshot_->upstreams[snapshot_->listeners[listener_].upstream];
}

void Session::start() {
  context_.observer->on_accepted();
  const ListenerSettings& listener = snapshot_->listeners[listener_];
  if (!worker_.loop.add(client_.fd(), *this, client_tag, leg_events)) return force_close(CloseReason::internal);
  if (listener.tls == nullptr) return dial();
  if (!client_.start_tls(listener.tls->context(), true)) return force_close(CloseReason::limit_memory);
  client_handshake();
  arm();
}

void Session::on_ready(unsigned tag, std::uint32_t events) {
  (tag == client_tag ? client_ : upstream_).on_events(events);
  if (state_ != State::connect) return advance();
  if (tag == upstream_tag && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0) finish_connect();
}

void Session::advance() {
  switch (state_) {
    case State::handshake:
      client_handshake();
      break;
    case State::upstream_handshake:
      upstream_handshake();
      break;
    case State::relay:
      relay();
      break;
    case State::farewell:
      farewell();
      break;
    case State::connect:
    case State::gone:
      return;
  }
  arm();
}

// --- before the relay --------------------------------------------------------------------------------------------

void Session::client_handshake() {
  if (client_.blocked() && client_.flush() == Io::again) return;
  const Io status = client_.handshake();
  if (status == Io::again) return;
  if (status == Io::ok) {
    context_.observer->on_handshake({Side::client, HandshakeResult::ok, tls_version(*client_.ssl()),
                                     SSL_session_reused(client_.ssl()) == 1});
    return dial();
  }
  const HandshakeResult result = handshake_failure(*client_.ssl(), status);
  context_.observer->on_handshake({.side = Side::client, .result = result});
  log_limited(LogClass::client_handshake, "listener {}: a client's TLS handshake failed: {}",
              snapshot_->listeners[listener_].name, name(result));
  reason_ = handshake_reason(result);
  finish();
}

void Session::dial() {
  state_ = State::connect;
  state_since_ = now();
  address_ = 0;
  if (upstream().servers.front().addresses.empty()) {
    fail_connect(CloseReason::upstream_dns, ConnectResult::dns);
  } else {
    errno = 0;
    dial_next();
  }
  arm();
}

// Tries the addresses that are left, in order; errno says why the last one failed.
void Session::dial_next() {
  const std::vector<SocketAddress>& addresses = upstream().servers.front().addresses;
  while (address_ < addresses.size()) {
    Fd fd = start_connect(addresses[address_++]);
    if (!fd && (errno == EMFILE || errno == ENFILE)) {
      log_limited(LogClass::descriptors, "no descriptor is left for a connection to upstream {}", upstream().name);
      reason_ = CloseReason::fd_exhausted;
      return say_bye(bye_unavailable);
    }
    if (!fd) continue;
    upstream_.open(std::move(fd), worker_.buffers);
    if (!worker_.loop.add(upstream_.fd(), *this, upstream_tag, leg_events)) return force_close(CloseReason::internal);
    return;
  }
  const ConnectFailure failure = connect_failure(errno);
  fail_connect(failure.reason, failure.result);
}

void Session::finish_connect() {
  if (const int error = socket_error(upstream_.fd()); error != 0) {
    upstream_.close();
    errno = error;
    dial_next();
    return arm();
  }
  context_.observer->on_upstream_sessions(0, +1);
  upstream_counted_ = true;
  if (upstream().tls == nullptr) {
    start_relay();
    return arm();
  }
  if (!upstream_.start_tls(*upstream().tls, false) || !expect_server(*upstream_.ssl(), upstream().servers.front().host))
    return force_close(CloseReason::limit_memory);
  state_ = State::upstream_handshake;
  state_since_ = now();
  upstream_handshake();
  arm();
}

void Session::upstream_handshake() {
  if (upstream_.blocked() && upstream_.flush() == Io::again) return;
  const Io status = upstream_.handshake();
  if (status == Io::again) return;
  if (status == Io::ok) {
    context_.observer->on_handshake({Side::upstream, HandshakeResult::ok, tls_version(*upstream_.ssl()),
                                     SSL_session_reused(upstream_.ssl()) == 1});
    return start_relay();
  }
  const HandshakeResult result = handshake_failure(*upstream_.ssl(), status);
  context_.observer->on_handshake({.side = Side::upstream, .result = result});
  log_limited(LogClass::upstream_tls, "upstream {}: the TLS handshake with {} failed: {}", upstream().name,
              upstream().servers.front().name, name(result));
  if (is_certificate(result))
    fail_connect(CloseReason::upstream_cert_invalid, ConnectResult::certificate);
  else
    fail_connect(CloseReason::upstream_tls_error, ConnectResult::tls);
}

// No server to relay to: the client hears it in its own language.
void Session::fail_connect(CloseReason reason, ConnectResult result) {
  connect_told_ = true;
  context_.observer->on_upstream_connect(0, result);
  log_limited(LogClass::upstream_connect, "upstream {}: no session with {}: {}", upstream().name,
              upstream().servers.front().name, name(reason));
  reason_ = reason;
  say_bye(bye_unavailable);
}

// --- relay -------------------------------------------------------------------------------------------------------

void Session::start_relay() {
  state_ = State::relay;
  relaying_ = true;
  state_since_ = progress_ = now();
  relay();
}

std::span<char> Session::observe(Direction direction, std::span<char> octets) noexcept {
  if (direction == Direction::client_to_server) {
    tracker_.client(octets, now());
    return octets;
  }
  relayed_ = true;
  const std::span<char> out = tracker_.server(octets, now());
  held_since_ = tracker_.holds_octets() ? now() : TimePoint{};
  return out;
}

void Session::moved(Direction direction, std::size_t octets) noexcept {
  progress_ = now();
  context_.observer->on_bytes(direction, octets);
}

void Session::relay() {
  const std::size_t unsent_down = client_.unsent();
  const std::size_t unsent_up = upstream_.unsent();
  const Pumped down = pump(flow(Direction::server_to_client), Direction::server_to_client, upstream_, client_,
                           worker_.buffers, *this);
  const Pumped up = pump(flow(Direction::client_to_server), Direction::client_to_server, client_, upstream_,
                         worker_.buffers, *this);
  watch_stall(Direction::server_to_client, client_, unsent_down);
  watch_stall(Direction::client_to_server, upstream_, unsent_up);
  watch_greeting();
  settle(Direction::server_to_client, client_);
  settle(Direction::client_to_server, upstream_);
  if (state_ != State::relay || try_drain()) return;
  // The second pump may have freed what the first one's source waited for.
  const bool revived = down == Pumped::idle && !half_closed(Direction::server_to_client) && upstream_.may_read();
  if (down == Pumped::more || up == Pumped::more || revived) worker_.loop.again(*this);
}

// Remembers since when a side has not taken anything of what waits for it.
void Session::watch_stall(Direction direction, const Leg& to, std::size_t unsent_before) noexcept {
  TimePoint& since = blocked_since_[static_cast<std::size_t>(direction)];
  if (!to.blocked())
    since = TimePoint{};
  else if (since == TimePoint{} || to.unsent() != unsent_before)
    since = now();
}

void Session::watch_greeting() {
  if (connect_told_ || (!tracker_.greeting_seen() && tracker_.state() != imap::SessionState::opaque)) return;
  connect_told_ = true;
  const bool welcome = tracker_.state() == imap::SessionState::not_authenticated ||
                       tracker_.state() == imap::SessionState::authenticated;
  context_.observer->on_upstream_connect(0, welcome ? ConnectResult::ok : ConnectResult::greeting);
}

// Hands the end of one direction on, once all before it has been delivered.
void Session::settle(Direction direction, Leg& to) {
  Flow& ended = flow(direction);
  if (state_ != State::relay || ended.end == Io::again || ended.closed) return;
  note_end(direction, ended.end);
  if (direction == Direction::server_to_client && !relayed_ && !half_closed(Direction::client_to_server))
    return lose_server_before_greeting(ended.end);
  if (direction == Direction::server_to_client) flush_held();
  if (to.blocked() && !ended.discard) return;
  if (ended.end == Io::reset) {
    // RST destroys what the peer's system has not taken yet: wait until it has.
    if (!ended.discard && unacknowledged(to.fd()) > 0) return;
    reset_on_close(to.fd());
    return finish();
  }
  // Without close_notify from there, none from here: truncation stays detectable.
  if (!ended.discard) to.end_writing(ended.end == Io::eof);
  ended.closed = true;
  if (flow(Direction::server_to_client).closed && flow(Direction::client_to_server).closed) finish();
}

void Session::note_end(Direction direction, Io end) {
  if (reason_) return;
  reason_ = end_reason(direction, end);
  progress_ = now();
}

void Session::lose_server_before_greeting(Io end) {
  if (!connect_told_) {
    connect_told_ = true;
    context_.observer->on_upstream_connect(0, end == Io::reset ? ConnectResult::reset : ConnectResult::greeting);
  }
  say_bye(bye_unavailable);
}

bool Session::half_closed(Direction direction) const noexcept { return flow(direction).end != Io::again; }

void Session::flush_held() {
  if (!tracker_.holds_octets() || client_.blocked()) return;
  held_since_ = TimePoint{};
  const std::span<const char> held = tracker_.release_held();
  const Io written = client_.write(held);
  if (written == Io::ok || written == Io::again) moved(Direction::server_to_client, held.size());
}

// --- the end -----------------------------------------------------------------------------------------------------

void Session::drain(TimePoint at) {
  drain_at_ = at;
  check_deadlines();
  arm();
}

bool Session::try_drain() {
  if (now() < drain_at_ || client_.blocked() || reason_) return false;
  if (state_ == State::handshake) {
    reason_ = CloseReason::drain;
    finish();
    return true;
  }
  if (state_ == State::farewell || state_ == State::gone) return false;
  if (relayed_ && !tracker_.at_response_boundary()) return false;
  reason_ = CloseReason::drain;
  say_bye(bye_drain);
  return true;
}

void Session::force_close(CloseReason reason) {
  if (!reason_ || reason == CloseReason::drain_forced) reason_ = reason;
  finish();
}

// Only before anything of the server was relayed, or at a response boundary.
void Session::say_bye(std::string_view line) {
  state_ = State::farewell;
  state_since_ = now();
  if (upstream_.is_open()) {
    if (relaying_ && !upstream_.blocked()) upstream_.end_writing(true);
    upstream_.close();
  }
  if (client_.blocked() || client_.write(line) == Io::reset) return finish();
  context_.observer->on_authored(Authored::bye);
  farewell();
}

// Waits for the client to close: a socket closed with unread input would send RST and destroy the BYE.
void Session::farewell() {
  if (client_.blocked()) {
    const Io flushed = client_.flush();
    if (flushed == Io::again) return;
    if (flushed == Io::reset) return finish();
  }
  Flow& down = flow(Direction::server_to_client);
  if (!down.closed) client_.end_writing(true);
  down.closed = true;
  for (int reads = 0; client_.may_read(); ++reads) {
    if (reads == farewell_reads_per_turn) return worker_.loop.again(*this);
    const std::span<char> room = worker_.buffers.scratch(min_quantum);
    const Leg::Read got = client_.read(room);
    OPENSSL_cleanse(room.data(), got.octets);
    if (got.status != Io::ok && got.status != Io::again) return finish();
  }
}

void Session::finish() {
  if (state_ == State::gone) return;
  state_ = State::gone;
  tracker_.finish();
  if (upstream_counted_) context_.observer->on_upstream_sessions(0, -1);
  const Closed closed{final_reason(), phase(), tracker_.state(), std::chrono::steady_clock::now() - accepted_};
  client_.close();
  upstream_.close();
  context_.observer->on_closed(closed);
  worker_.remove(*this);
}

CloseReason Session::final_reason() const noexcept {
  const CloseReason reason = reason_.value_or(CloseReason::internal);
  if (!is_mere_end(reason)) return reason;
  if (tracker_.logout_completed()) return CloseReason::logout;
  return tracker_.bye_seen() ? CloseReason::upstream_bye : reason;
}

Phase Session::phase() const noexcept {
  if (tracker_.ever_authenticated()) return Phase::authenticated;
  if (tracker_.greeting_seen()) return Phase::login;
  if (relaying_) return Phase::greeting;
  const bool shaken = client_.ssl() == nullptr || SSL_is_init_finished(client_.ssl()) == 1;
  return shaken ? Phase::connect : Phase::handshake;
}

// --- deadlines ---------------------------------------------------------------------------------------------------

void Session::on_deadline() {
  armed_for_ = TimePoint::max();
  check_deadlines();
  arm();
}

void Session::check_deadlines() {
  if (try_drain() || next_deadline() > now()) return;
  switch (state_) {
    case State::handshake:
      context_.observer->on_handshake({.side = Side::client, .result = HandshakeResult::timeout});
      return force_close(CloseReason::client_handshake_timeout);
    case State::connect:
      return fail_connect(CloseReason::upstream_connect_timeout, ConnectResult::timeout);
    case State::upstream_handshake:
      context_.observer->on_handshake({.side = Side::upstream, .result = HandshakeResult::timeout});
      return fail_connect(CloseReason::upstream_tls_error, ConnectResult::timeout);
    case State::relay:
      return check_relay_deadlines();
    case State::farewell:
      return finish();
    case State::gone:
      return;
  }
}

void Session::check_relay_deadlines() {
  const config::Timeouts& timeouts = snapshot_->timeouts;
  if (held_since_ != TimePoint{} && now() >= held_since_ + longest_hold) flush_held();
  settle(Direction::server_to_client, client_);
  settle(Direction::client_to_server, upstream_);
  if (state_ != State::relay) return;
  if (reason_ && now() >= progress_ + timeouts.half_close) return finish();
  if (!connect_told_ && now() >= state_since_ + timeouts.greeting) {
    connect_told_ = true;
    context_.observer->on_upstream_connect(0, ConnectResult::greeting);
    reason_ = CloseReason::upstream_greeting_timeout;
    return relayed_ ? finish() : say_bye(bye_unavailable);
  }
  for (const Direction direction : {Direction::server_to_client, Direction::client_to_server}) {
    const TimePoint since = blocked_since_[static_cast<std::size_t>(direction)];
    if (since == TimePoint{} || now() < since + timeouts.stall) continue;
    return force_close(direction == Direction::server_to_client ? CloseReason::client_stall
                                                                : CloseReason::upstream_stall);
  }
}

TimePoint Session::next_deadline() const noexcept {
  const config::Timeouts& timeouts = snapshot_->timeouts;
  switch (state_) {
    case State::handshake:
      return accepted_ + timeouts.handshake;
    case State::connect:
      return state_since_ + timeouts.connect;
    case State::upstream_handshake:
      return state_since_ + timeouts.handshake;
    case State::farewell:
      return state_since_ + timeouts.half_close;
    case State::gone:
      return TimePoint::max();
    case State::relay:
      break;
  }
  TimePoint next = TimePoint::max();
  if (!connect_told_) next = state_since_ + timeouts.greeting;
  if (held_since_ != TimePoint{}) next = std::min(next, held_since_ + longest_hold);
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
