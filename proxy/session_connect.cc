// From accept to the relay: the client's TLS, the dial, the upstream's TLS.
#include <openssl/ssl.h>
#include <sys/epoll.h>

#include <bit>
#include <cerrno>
#include <utility>

#include "proxy/log.h"
#include "proxy/session.h"
#include "proxy/worker.h"

namespace imapmeter::proxy {
namespace {

constexpr std::uint32_t leg_events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

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

LogClass log_class(CloseReason limit) noexcept {
  switch (limit) {
    case CloseReason::limit_global:
      return LogClass::limit_global;
    case CloseReason::limit_per_ip:
      return LogClass::limit_per_ip;
    case CloseReason::limit_per_upstream:
      return LogClass::limit_per_upstream;
    case CloseReason::limit_handshakes:
      return LogClass::limit_handshakes;
    case CloseReason::limit_rate:
      return LogClass::limit_rate;
    default:
      return LogClass::limit_memory;
  }
}

struct ConnectFailure {
  CloseReason reason;
  ConnectResult result;
};

ConnectFailure connect_failure(int error) noexcept {
  switch (error) {
    case ECONNREFUSED:
    case ENOENT:  // a unix socket that is not there
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

void Session::start() {
  context_.observer->on_accepted();
  if (!snapshot_->listeners[listener_].observe) tracker_.go_opaque(imap::OpaqueReason::disabled);
  if (!worker_.loop.add(client_.fd(), *this, client_tag, leg_events)) return force_close(CloseReason::internal);
  if (const auto refused = worker_.limits.admit_connection(slots_)) return refuse(*refused);
  if (snapshot_->listeners[listener_].proxy_senders.empty()) {
    begin_client();
  } else if (!sender_is_trusted()) {
    refuse_proxy_header("from a network that is not trusted");
  } else {
    state_ = State::proxy_header;
  }
  arm();
}

// It is known who the client is.
void Session::begin_client() {
  if (const auto refused = worker_.limits.admit_client(slots_, listener_, facts_->client, now()))
    return refuse(*refused);
  const ListenerSettings& listener = snapshot_->listeners[listener_];
  if (client_is_in(listener.trusted_networks)) tracker_.take_out_multiplex();
  if (listener.tls == nullptr || listener.starttls) return dial();
  if (!client_.start_tls(listener.tls->context(), true)) return force_close(CloseReason::limit_memory);
  state_ = State::handshake;
  if (client_.may_read()) client_handshake();
}

// Cheap: there is no TLS so far, but at the dial.
void Session::refuse(CloseReason limit) {
  worker_.limits.release(slots_, listener_, upstream_number(), facts_->client);
  log_limited(log_class(limit), "listener {}: a connection is refused: {}", snapshot_->listeners[listener_].name,
              name(limit));
  reason_ = limit;
  const ListenerSettings& listener = snapshot_->listeners[listener_];
  const bool unspoken_tls = listener.tls != nullptr && !listener.starttls && client_.ssl() == nullptr;
  if (unspoken_tls) return finish();
  say_bye(bye_limit);
  arm();
}

void Session::client_handshake() {
  if (client_.blocked() && client_.flush() == Io::again) return;
  const Io status = client_.handshake();
  if (status == Io::again) return;
  if (status == Io::ok) {
    worker_.limits.end_handshake(slots_, listener_);
    facts_->end_step(Step::client_tls);
    tell_step(Step::client_tls);
    tell_handshake(Side::client, *client_.ssl());
    client_.offer_ticket();
    if (dialogue_ == nullptr) return dial();
    context_.observer->on_starttls(Side::client, StarttlsResult::ok);
    return end_dialogue();
  }
  const HandshakeResult result = handshake_failure(*client_.ssl(), status);
  context_.observer->on_handshake({.side = Side::client, .result = result});
  log_limited(LogClass::client_handshake, "listener {}: a client's TLS handshake failed: {}",
              snapshot_->listeners[listener_].name, name(result));
  reason_ = client_.starved() ? CloseReason::limit_memory : handshake_reason(result);
  finish();
}

void Session::tell_handshake(Side side, SSL& ssl) {
  const SessionFacts::Tls tls{tls_version(ssl), SSL_session_reused(&ssl) == 1};
  facts_->tls[static_cast<std::size_t>(side)] = tls;
  context_.observer->on_handshake({side, HandshakeResult::ok, tls.version, tls.resumed});
}

void Session::dial() {
  dialled_ = true;
  if (const auto refused = worker_.limits.admit_upstream(slots_, upstream_number())) return refuse(*refused);
  connect_left_ = snapshot_->timeouts.connect;
  facts_->dial_began = std::chrono::steady_clock::now();
  dial_server();
  arm();
}

// The best of the servers that have not been tried.
void Session::dial_server() {
  UpstreamState& shared = *upstream().state;
  const std::size_t turn = shared.turn.fetch_add(1, std::memory_order_relaxed);
  server_ = static_cast<std::uint16_t>(choose_server(upstream().balance, shared.servers, tried_, turn));
  tried_ |= ServerSet{1} << server_;
  shared.servers[server_].sessions.fetch_add(1, std::memory_order_relaxed);
  server_taken_ = true;
  state_ = State::connect;
  facts_->forget_server();
  state_since_ = now();
  address_ = 0;
  connect_told_ = relaying_ = false;
  flow(imap::Direction::server_to_client) = Flow{};
  if (server().addresses.empty()) return fail_connect(CloseReason::upstream_dns, ConnectResult::dns);
  errno = 0;
  dial_next();
}

// Tries the addresses that are left, in order; errno says why the last one failed.
void Session::dial_next() {
  const std::vector<SocketAddress>& addresses = server().addresses;
  while (address_ < addresses.size()) {
    Fd fd = start_connect(addresses[address_++], upstream().sources);
    if (!fd && (errno == EMFILE || errno == ENFILE)) {
      log_limited(LogClass::descriptors, "no descriptor is left for a connection to upstream {}", upstream().name);
      reason_ = CloseReason::fd_exhausted;
      return say_bye(bye_unavailable);
    }
    if (!fd) continue;
    upstream_.open(std::move(fd), worker_.buffers, true);
    upstream_tag_ = upstream_tag_ % last_upstream_tag + 1;
    if (!worker_.loop.add(upstream_.fd(), *this, upstream_tag_, leg_events)) return force_close(CloseReason::internal);
    state_since_ = now();
    return;
  }
  const ConnectFailure failure = connect_failure(errno);
  fail_connect(failure.reason, failure.result);
}

void Session::finish_connect(std::uint32_t events) {
  const int error = (events & (EPOLLERR | EPOLLHUP)) == 0 ? 0 : socket_error(upstream_.fd());
  connect_left_ -= now() - state_since_;
  if (error != 0) {
    upstream_.close();
    errno = error;
    dial_next();
    return arm();
  }
  facts_->end_step(Step::connect);
  facts_->source = local_endpoint(upstream_.fd());
  context_.observer->on_upstream_sessions(server_, +1);
  upstream_counted_ = true;
  if (upstream().tls != nullptr && !upstream().starttls) {
    start_upstream_tls();
  } else {
    if (upstream().proxy_protocol) send_proxy_header();
    begin_dialogue();
  }
  arm();
}

void Session::start_upstream_tls() {
  if (!upstream_.start_tls(*upstream().tls, false) || !expect_server(*upstream_.ssl(), server().host))
    return force_close(CloseReason::limit_memory);
  if (upstream().proxy_protocol && !upstream().starttls) send_proxy_header();
  worker_.ticket(upstream_number(), server_).offer(*upstream_.ssl());
  state_ = State::upstream_handshake;
  state_since_ = now();
  upstream_handshake();
}

void Session::upstream_handshake() {
  if (upstream_.blocked() && upstream_.flush() == Io::again) return;
  const Io status = upstream_.handshake();
  if (status == Io::again) return;
  if (status == Io::ok) {
    facts_->end_step(Step::upstream_tls);
    tell_handshake(Side::upstream, *upstream_.ssl());
    return upstream().starttls ? end_upstream_starttls() : begin_dialogue();
  }
  const HandshakeResult result = handshake_failure(*upstream_.ssl(), status);
  context_.observer->on_handshake({.side = Side::upstream, .result = result});
  log_limited(LogClass::upstream_tls, "upstream {}: the TLS handshake with {} failed: {}", upstream().name,
              server().name, name(result));
  if (is_certificate(result))
    fail_connect(CloseReason::upstream_cert_invalid, ConnectResult::certificate);
  else if (upstream().starttls && result == HandshakeResult::not_tls)
    end_upstream_dialogue(imap::UpstreamDialogue::Verdict::injection);
  else
    fail_connect(CloseReason::upstream_tls_error, ConnectResult::tls);
}

// This server gives no session. The next one may, unless this one or the client has been heard by the other already;
// where none is left, the client hears it in its own language.
void Session::fail_connect(CloseReason reason, ConnectResult result) {
  if (!connect_told_) warn_of_no_session(reason);
  tell_connect(result);
  const bool another = std::popcount(tried_) < static_cast<int>(upstream().servers.size());
  if (another && !relayed_ && !client_spoke_ && !reason_) {
    dismiss_server();
    return dial_server();
  }
  if (!reason_) reason_ = reason;
  relayed_ ? finish() : say_bye(bye_unavailable);
}

// Once for each server that is tried.
void Session::tell_connect(ConnectResult result) {
  if (std::exchange(connect_told_, true)) return;
  context_.observer->on_upstream_connect(server_, result);
}

// Ends the connection politely where it can be.
void Session::dismiss_server() {
  const bool ready = relaying_ || (dialogue_ != nullptr && dialogue_->upstream_ready);
  if (ready && upstream_.is_open() && !upstream_.blocked()) upstream_.end_writing(true);
  leave_server();
}

void Session::leave_server() {
  upstream_.close();
  upstream_asked_ = false;
  if (std::exchange(upstream_counted_, false)) context_.observer->on_upstream_sessions(server_, -1);
  if (std::exchange(server_taken_, false))
    upstream().state->servers[server_].sessions.fetch_sub(1, std::memory_order_relaxed);
}

// How many addresses share connect_left_: the present one, and all that may be tried after it.
std::size_t Session::attempts_left() const noexcept {
  const std::vector<ServerTarget>& servers = upstream().servers;
  std::size_t left = server().addresses.size() - address_ + 1;
  for (std::size_t number = 0; number < servers.size(); ++number)
    if ((tried_ >> number & 1) == 0) left += servers[number].addresses.size();
  return left;
}

void Session::warn_of_no_session(CloseReason reason) const {
  log_limited(LogClass::upstream_connect, "upstream {}: no session with {}: {}", upstream().name, server().name,
              name(reason));
}

}  // namespace imapmeter::proxy
