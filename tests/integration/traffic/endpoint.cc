#include "tests/integration/traffic/endpoint.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace traffic {
namespace {

constexpr int setup_seconds = 30;

[[noreturn]] void fail(const std::string& what) { throw std::runtime_error(what + ": " + std::strerror(errno)); }

// While a session is set up its socket blocks, but not for ever.
void prepare(int fd) {
  const int on = 1;
  const timeval limit{.tv_sec = setup_seconds, .tv_usec = 0};
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

Endpoint secured(int fd, SSL_CTX* context, int (*handshake)(SSL*)) {
  Endpoint endpoint(fd, context == nullptr ? nullptr : SSL_new(context));
  if (context != nullptr) endpoint.handshake(handshake);
  if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0) fail("fcntl");
  return endpoint;
}

Context make_context(const SSL_METHOD* method) {
  Context context(SSL_CTX_new(method));
  if (context == nullptr) throw std::runtime_error("SSL_CTX_new");
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  return context;
}

std::size_t as_length(std::size_t size) { return size < INT_MAX ? size : INT_MAX; }

}  // namespace

Context client_context(int version) {
  Context context = make_context(TLS_client_method());
  SSL_CTX_set_min_proto_version(context.get(), version);
  SSL_CTX_set_max_proto_version(context.get(), version);
  return context;
}

Context server_context(const std::string& cert, const std::string& key) {
  Context context = make_context(TLS_server_method());
  if (SSL_CTX_use_certificate_chain_file(context.get(), cert.c_str()) != 1 ||
      SSL_CTX_use_PrivateKey_file(context.get(), key.c_str(), SSL_FILETYPE_PEM) != 1) {
    throw std::runtime_error("cannot use " + cert + " and " + key);
  }
  return context;
}

Endpoint::Endpoint(Endpoint&& other) noexcept : fd_(std::exchange(other.fd_, -1)), ssl_(std::move(other.ssl_)) {}

Endpoint& Endpoint::operator=(Endpoint&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(ssl_, other.ssl_);
  return *this;
}

Endpoint::~Endpoint() {
  if (fd_ >= 0) ::close(fd_);
}

void Endpoint::handshake(int (*step)(SSL*)) {
  SSL_set_fd(ssl_.get(), fd_);
  if (step(ssl_.get()) != 1) {
    throw std::runtime_error(std::string("TLS handshake: ") + ERR_error_string(ERR_peek_last_error(), nullptr));
  }
}

Moved Endpoint::read(std::span<char> into) noexcept {
  ERR_clear_error();
  if (ssl_ != nullptr) return ssl_result(SSL_read(ssl_.get(), into.data(), static_cast<int>(as_length(into.size()))));
  const ssize_t count = ::recv(fd_, into.data(), into.size(), 0);
  if (count > 0) return {Io::moved, static_cast<std::size_t>(count)};
  if (count == 0) return {Io::eof, 0};
  return {errno == EAGAIN || errno == EINTR ? Io::again : Io::failed, 0};
}

Moved Endpoint::write(std::span<const char> octets) noexcept {
  ERR_clear_error();
  if (ssl_ != nullptr) {
    return ssl_result(SSL_write(ssl_.get(), octets.data(), static_cast<int>(as_length(octets.size()))));
  }
  const ssize_t count = ::send(fd_, octets.data(), octets.size(), MSG_NOSIGNAL);
  if (count >= 0) return {Io::moved, static_cast<std::size_t>(count)};
  return {errno == EAGAIN || errno == EINTR ? Io::again : Io::failed, 0};
}

Moved Endpoint::ssl_result(int returned) noexcept {
  if (returned > 0) return {Io::moved, static_cast<std::size_t>(returned)};
  switch (SSL_get_error(ssl_.get(), returned)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return {Io::again, 0};
    case SSL_ERROR_ZERO_RETURN:
      return {Io::eof, 0};
    default:
      break;
  }
  const bool cut = ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
  return {cut ? Io::truncated : Io::failed, 0};
}

Io Endpoint::finish() noexcept {
  ERR_clear_error();
  if (ssl_ != nullptr) {
    const int returned = SSL_shutdown(ssl_.get());  // 0: our close_notify is out, the peer's has not come yet
    if (returned < 0) return ssl_result(returned).result;
  }
  return ::shutdown(fd_, SHUT_WR) == 0 ? Io::moved : Io::failed;
}

Listener::Listener() : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof address;
  if (fd_ < 0 || ::bind(fd_, generic, size) != 0 || ::listen(fd_, SOMAXCONN) != 0) fail("listen");
  if (::getsockname(fd_, generic, &size) != 0) fail("getsockname");
  port_ = ntohs(address.sin_port);
}

Listener::~Listener() { ::close(fd_); }

Endpoint Listener::accept(SSL_CTX* context) {
  pollfd waiting{.fd = fd_, .events = POLLIN, .revents = 0};
  if (::poll(&waiting, 1, setup_seconds * 1000) != 1) throw std::runtime_error("nobody connects to the server");
  const int fd = ::accept(fd_, nullptr, nullptr);
  if (fd < 0) fail("accept");
  prepare(fd);
  return secured(fd, context, SSL_accept);
}

Endpoint connect_to(const std::string& host, std::uint16_t port, SSL_CTX* context) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (::inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) throw std::runtime_error("no IPv4 address: " + host);
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) fail("socket");
  prepare(fd);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail("connect");
  return secured(fd, context, SSL_connect);
}

}  // namespace traffic
