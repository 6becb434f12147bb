// Sockets: the few system calls that listeners, upstream and workers share.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <string>
#include <string_view>
#include <utility>

#include "config/config.h"

namespace imapmeter::proxy {

// Owns a descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) noexcept : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~Fd() { reset(); }

  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  int release() noexcept { return std::exchange(fd_, -1); }
  void reset() noexcept;

 private:
  int fd_ = -1;
};

// A resolved address.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
};
// "127.0.0.1:993", "[::1]:993".
std::string to_string(const SocketAddress& address);

// A non-blocking listening socket on the first address that `bind` resolves to. SO_REUSEADDR, not SO_REUSEPORT: a
// second process on the same port must fail. Throws std::runtime_error with a sentence that names the address.
Fd listen_on(const config::Address& bind);
SocketAddress local_address(int fd);
// A non-blocking socket on which connect() has been called, or an empty one with errno set.
Fd start_connect(const SocketAddress& address) noexcept;
// The pending error of a socket, 0 for none (SO_ERROR).
int socket_error(int fd) noexcept;
// What both legs of a session get: no Nagle delay, keepalive after 120 s.
void set_session_options(int fd) noexcept;
// Octets in the send queue that the peer has not acknowledged.
int unacknowledged(int fd) noexcept;
// Makes close() send RST.
void reset_on_close(int fd) noexcept;

}  // namespace imapmeter::proxy
