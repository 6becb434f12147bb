// One non-blocking socket of a test session, plain or TLS.
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace traffic {

enum class Io : std::uint8_t {
  moved,
  again,      // would block
  eof,        // a clean end: close_notify on TLS, FIN on plain TCP
  truncated,  // FIN on TLS without close_notify
  failed,     // reset or a TLS error
};

struct Moved {
  Io result = Io::failed;
  std::size_t octets = 0;
};

struct FreeSsl {
  void operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
};
struct FreeContext {
  void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
};
using Context = std::unique_ptr<SSL_CTX, FreeContext>;

// `version`: TLS1_2_VERSION or TLS1_3_VERSION. The peer's certificate is not verified: not what these tests are about.
Context client_context(int version);
// PEM files; throws where they can't be read.
Context server_context(const std::string& cert, const std::string& key);

class Endpoint {
 public:
  Endpoint() = default;
  Endpoint(int fd, SSL* ssl) noexcept : fd_(fd), ssl_(ssl) {}
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;
  Endpoint(Endpoint&& other) noexcept;
  Endpoint& operator=(Endpoint&& other) noexcept;
  ~Endpoint();

  int fd() const noexcept { return fd_; }
  // SSL_connect or SSL_accept on the blocking socket; throws where it fails.
  void handshake(int (*step)(SSL*));
  // Octets that are decrypted already, for which no readiness will be told.
  bool has_pending() const noexcept { return ssl_ != nullptr && SSL_pending(ssl_.get()) > 0; }
  Moved read(std::span<char> into) noexcept;
  // After `again` the next call must offer at least the same octets.
  Moved write(std::span<const char> octets) noexcept;
  // Ends this direction: close_notify on TLS, then FIN. `moved` when done, `again` to be called again.
  Io finish() noexcept;

 private:
  Moved ssl_result(int returned) noexcept;

  int fd_ = -1;
  std::unique_ptr<SSL, FreeSsl> ssl_;
};

// Listens on a free port of 127.0.0.1.
class Listener {
 public:
  Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener();
  std::uint16_t port() const noexcept { return port_; }
  // Waits for one connection and, with a context, for its TLS handshake; throws after 30 s.
  Endpoint accept(SSL_CTX* context);

 private:
  int fd_ = -1;
  std::uint16_t port_ = 0;
};

// Connects and, with a context, does the TLS handshake; throws where that fails. `host` is an IPv4 address.
Endpoint connect_to(const std::string& host, std::uint16_t port, SSL_CTX* context);

}  // namespace traffic
