// The PROXY protocol in a session: who the client is, from the proxy in front of us, and to the server behind us.
#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "proxy/log.h"
#include "proxy/proxy_protocol.h"
#include "proxy/session.h"
#include "proxy/worker.h"

namespace imapmeter::proxy {

bool Session::client_is_in(const std::vector<config::Network>& networks) const noexcept {
  return std::any_of(networks.begin(), networks.end(),
                     [this](const config::Network& each) { return contains(each, facts_->client); });
}

// A unix socket has no address: who may open its file may say who the client is.
bool Session::sender_is_trusted() const noexcept {
  return !facts_->client.known || client_is_in(snapshot_->listeners[listener_].proxy_senders);
}

// Looks at the beginning of the connection and then takes the header alone: what follows it belongs to TLS or to IMAP.
// What is left in the socket meanwhile gives no event of its own, but each octet that arrives does.
void Session::read_proxy_header() {
  const std::span<char> room = worker_.buffers.scratch(longest_proxy_header);
  const ssize_t got = recv(client_.fd(), room.data(), room.size(), MSG_PEEK);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return force_close(got == 0 ? CloseReason::client_eof : CloseReason::client_reset);
  const auto beginning = room.first(static_cast<std::size_t>(got));
  const ProxyHeader header = parse_proxy_header(beginning);
  OPENSSL_cleanse(beginning.data(), beginning.size());
  if (header.status == ProxyHeader::Status::malformed) return refuse_proxy_header("malformed");
  if (header.status == ProxyHeader::Status::need_more) {
    if (!client_.hung_up()) return;
    // Octets that came before an RST are read before its error.
    return force_close(socket_error(client_.fd()) == 0 ? CloseReason::client_eof : CloseReason::client_reset);
  }
  if (recv(client_.fd(), room.data(), header.octets, 0) != static_cast<ssize_t>(header.octets))
    return force_close(CloseReason::client_reset);
  if (header.proxied) {
    facts_->client = header.source;
    claimed_destination_ = std::make_unique<IpEndpoint>(header.destination);
  }
  facts_->step_began = std::chrono::steady_clock::now();  // the wait for the header is none of the client's TLS
  begin_client();
}

// None of its octets is logged: they may be a password.
void Session::refuse_proxy_header(const char* why) {
  log_limited(LogClass::client_handshake, "listener {}: a connection without a PROXY header that can be believed: {}",
              snapshot_->listeners[listener_].name, why);
  force_close(CloseReason::proxy_protocol);
}

// Ahead of the upstream's TLS. Where it cannot be sent, the handshake or the relay finds out.
void Session::send_proxy_header() noexcept {
  const IpEndpoint destination = claimed_destination_ ? *claimed_destination_ : local_endpoint(client_.fd());
  ProxiedTls tls;
  if (client_.ssl() != nullptr) tls = {SSL_get_version(client_.ssl()), SSL_get_cipher_name(client_.ssl())};
  upstream_.write_first(proxy_header(facts_->client, destination, tls).octets());
  context_.observer->on_authored(Authored::proxy_header);
}

}  // namespace imapmeter::proxy
