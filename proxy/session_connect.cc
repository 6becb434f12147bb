// From accept to the relay: the client's TLS, the dial, the upstream's TLS.
#include <openssl/ssl.h>
#include <sys/epoll.h>

#include <cerrno>

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

bool is_certificate(HandshakeResult result) noexcept {
  return result == HandshakeResult::certificate_expired || result == HandshakeResult::certificate_name ||
         result == HandshakeResult::certificate_untrusted;
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
  const ListenerSettings& listener = snapshot_->listeners[listener_];
  if (!worker_.loop.add(client_.fd(), *this, client_tag, leg_events)) return force_close(CloseReason::internal);
  if (listener.tls == nullptr) return dial();
  if (!client_.start_tls(listener.tls->context(), true)) return force_close(CloseReason::limit_memory);
  client_handshake();
  arm();
}

void Session::client_handshake() {
  if (client_.blocked() && client_.flush() == Io::again) return;
  const Io status = client_.handshake();
  if (status == Io::again) return;
  if (status == Io::ok) {
    facts_->end_step(Step::client_tls);
    tell_handshake(Side::client, *client_.ssl());
    return dial();
  }
  const HandshakeResult result = handshake_failure(*client_.ssl(), status);
  context_.observer->on_handshake({.side = Side::client, .result = result});
  log_limited(LogClass::client_handshake, "listener {}: a client's TLS handshake failed: {}",
              snapshot_->listeners[listener_].name, name(result));
  reason_ = handshake_reason(result);
  finish();
}

void Session::tell_handshake(Side side, SSL& ssl) {
  const SessionFacts::Tls tls{tls_version(ssl), SSL_session_reused(&ssl) == 1};
  facts_->tls[static_cast<std::size_t>(side)] = tls;
  context_.observer->on_handshake({side, HandshakeResult::ok, tls.version, tls.resumed});
}

void Session::dial() {
  state_ = State::connect;
  dialled_ = true;
  facts_->step_began = std::chrono::steady_clock::now();
  state_since_ = now();
  address_ = 0;
  if (server().addresses.empty()) {
    fail_connect(CloseReason::upstream_dns, ConnectResult::dns);
  } else {
    errno = 0;
    dial_next();
  }
  arm();
}

// Tries the addresses that are left, in order; errno says why the last one failed.
void Session::dial_next() {
  const std::vector<SocketAddress>& addresses = server().addresses;
  while (address_ < addresses.size()) {
    Fd fd = start_connect(addresses[address_++], upstream().sources, snapshot_->timeouts.keepalive);
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
  facts_->end_step(Step::connect);
  facts_->source = local_endpoint(upstream_.fd());
  context_.observer->on_upstream_sessions(server_, +1);
  upstream_counted_ = true;
  if (upstream().tls == nullptr) {
    start_relay();
    return arm();
  }
  if (!upstream_.start_tls(*upstream().tls, false) || !expect_server(*upstream_.ssl(), server().host))
    return force_close(CloseReason::limit_memory);
  worker_.ticket(upstream_number()).offer(*upstream_.ssl());
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
    facts_->end_step(Step::upstream_tls);
    tell_handshake(Side::upstream, *upstream_.ssl());
    return start_relay();
  }
  const HandshakeResult result = handshake_failure(*upstream_.ssl(), status);
  context_.observer->on_handshake({.side = Side::upstream, .result = result});
  log_limited(LogClass::upstream_tls, "upstream {}: the TLS handshake with {} failed: {}", upstream().name,
              server().name, name(result));
  if (is_certificate(result))
    fail_connect(CloseReason::upstream_cert_invalid, ConnectResult::certificate);
  else
    fail_connect(CloseReason::upstream_tls_error, ConnectResult::tls);
}

// No server to relay to: the client hears it in its own language.
void Session::fail_connect(CloseReason reason, ConnectResult result) {
  connect_told_ = true;
  context_.observer->on_upstream_connect(server_, result);
  warn_of_no_session(reason);
  reason_ = reason;
  say_bye(bye_unavailable);
}

void Session::warn_of_no_session(CloseReason reason) const {
  log_limited(LogClass::upstream_connect, "upstream {}: no session with {}: {}", upstream().name, server().name,
              name(reason));
}

}  // namespace imapmeter::proxy
