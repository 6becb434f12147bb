// Sockets: the few system calls that listeners, upstream and workers share.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <span>
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

// A resolved address: IPv4, IPv6 or a unix socket.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  bool is_unix() const noexcept { return storage.ss_family == AF_UNIX; }
  const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
};
// "127.0.0.1:993", "[::1]:993", "unix:/run/imap"; "unix:" where the socket has no name.
std::string to_string(const SocketAddress& address);
SocketAddress ip_address(const std::string& numeric);  // port 0; size 0 where it is none
SocketAddress unix_address(const std::string& path);

// One end of a connection, in little room: IPv4 as ::ffff:a.b.c.d.
struct IpEndpoint {
  std::array<std::uint8_t, 16> address{};
  std::uint16_t port = 0;
  bool known = false;  // false: a unix socket, or nobody has said

  bool operator==(const IpEndpoint&) const = default;
};
IpEndpoint ip_endpoint(const SocketAddress& address) noexcept;
IpEndpoint ipv4_endpoint(const std::uint8_t* address, std::uint16_t port) noexcept;  // 4 octets in network order
IpEndpoint ipv6_endpoint(const std::uint8_t* address, std::uint16_t port) noexcept;  // 16
bool is_ipv4(const IpEndpoint& endpoint) noexcept;
// Stands for the client network, /24 of IPv4 and /48 of IPv6; endpoints without an address share one. Never 0.
std::uint64_t network_of(const IpEndpoint& endpoint) noexcept;
bool contains(const config::Network& network, const IpEndpoint& endpoint) noexcept;
std::string to_string(const IpEndpoint& endpoint);     // "192.0.2.1:993"; "unknown"
std::string address_text(const IpEndpoint& endpoint);  // "192.0.2.1", "2001:db8::1"

SocketAddress local_address(int fd);  // throws std::system_error
IpEndpoint local_endpoint(int fd) noexcept;
// A non-blocking socket on which connect() has been called, or an empty one with errno set. It comes from the first of
// `sources` of the address's family that has a port left for it, or from the system's choice where none is of this
// family. EADDRNOTAVAIL: no source has a port left, or is an address of this machine.
Fd start_connect(const SocketAddress& address, std::span<const SocketAddress> sources) noexcept;
// The pending error of a socket, 0 for none (SO_ERROR).
int socket_error(int fd) noexcept;
void set_option(int fd, int level, int option, int value) noexcept;
// Of TCP, both; an accepted socket has what the one that listens had.
void set_no_delay(int fd) noexcept;
// A peer that is silent for `keepalive`, counted from its last octet, is asked whether it is there, and given up when
// it has not answered for as long again.
void set_keepalive(int fd, std::chrono::milliseconds keepalive) noexcept;
// Octets in the send queue that the peer has not acknowledged.
int unacknowledged(int fd) noexcept;
// Makes close() send RST.
void reset_on_close(int fd) noexcept;

}  // namespace imapmeter::proxy
