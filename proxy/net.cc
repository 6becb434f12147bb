#include "proxy/net.h"

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <system_error>

namespace imapmeter::proxy {
namespace {

constexpr std::array<std::uint8_t, 12> mapped_prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

}  // namespace

void Fd::reset() noexcept {
  if (fd_ >= 0) close(std::exchange(fd_, -1));
}

std::string to_string(const SocketAddress& address) {
  if (address.storage.ss_family == AF_UNIX) {
    const auto* local = reinterpret_cast<const sockaddr_un*>(&address.storage);
    const auto size =
        address.size <= offsetof(sockaddr_un, sun_path) ? 0 : address.size - offsetof(sockaddr_un, sun_path);
    return "unix:" + std::string(local->sun_path, strnlen(local->sun_path, size));
  }
  char host[INET6_ADDRSTRLEN] = "?";
  if (address.storage.ss_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address.storage);
    inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
    return config::to_string({host, ntohs(v6->sin6_port)});
  }
  const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address.storage);
  inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
  return config::to_string({host, ntohs(v4->sin_port)});
}

SocketAddress ip_address(const std::string& numeric) {
  SocketAddress address;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (inet_pton(AF_INET, numeric.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    address.size = sizeof *v4;
  } else if (inet_pton(AF_INET6, numeric.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    address.size = sizeof *v6;
  }
  return address;
}

SocketAddress unix_address(const std::string& path) {
  SocketAddress address;
  auto* local = reinterpret_cast<sockaddr_un*>(&address.storage);
  local->sun_family = AF_UNIX;
  std::memcpy(local->sun_path, path.c_str(), std::min(path.size() + 1, sizeof local->sun_path));
  address.size = sizeof *local;
  return address;
}

IpEndpoint ip_endpoint(const SocketAddress& address) noexcept {
  if (address.storage.ss_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address.storage);
    return ipv6_endpoint(v6->sin6_addr.s6_addr, ntohs(v6->sin6_port));
  }
  if (address.storage.ss_family != AF_INET) return {};
  const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address.storage);
  return ipv4_endpoint(reinterpret_cast<const std::uint8_t*>(&v4->sin_addr), ntohs(v4->sin_port));
}

IpEndpoint ipv4_endpoint(const std::uint8_t* address, std::uint16_t port) noexcept {
  IpEndpoint endpoint{.port = port, .known = true};
  std::memcpy(endpoint.address.data(), mapped_prefix.data(), mapped_prefix.size());
  std::memcpy(endpoint.address.data() + mapped_prefix.size(), address, 4);
  return endpoint;
}

IpEndpoint ipv6_endpoint(const std::uint8_t* address, std::uint16_t port) noexcept {
  IpEndpoint endpoint{.port = port, .known = true};
  std::memcpy(endpoint.address.data(), address, endpoint.address.size());
  return endpoint;
}

// A bit for the kind of address stands above its octets.
std::uint64_t network_of(const IpEndpoint& endpoint) noexcept {
  if (!endpoint.known) return std::uint64_t{1} << 63;
  const bool ipv4 = is_ipv4(endpoint);
  const auto* octet = endpoint.address.data() + (ipv4 ? mapped_prefix.size() : 0);
  std::uint64_t network = ipv4 ? 2 : 1;
  for (int octets = ipv4 ? 3 : 6; octets > 0; --octets) network = network << 8 | *octet++;
  return network;
}

bool contains(const config::Network& network, const IpEndpoint& endpoint) noexcept {
  if (!endpoint.known) return false;
  const std::size_t whole = network.prefix / 8;
  if (!std::equal(network.address.begin(), network.address.begin() + whole, endpoint.address.begin())) return false;
  const unsigned rest = network.prefix % 8;
  return rest == 0 || (network.address.at(whole) ^ endpoint.address.at(whole)) >> (8 - rest) == 0;
}

bool is_ipv4(const IpEndpoint& endpoint) noexcept {
  return std::equal(mapped_prefix.begin(), mapped_prefix.end(), endpoint.address.begin());
}

std::string to_string(const IpEndpoint& endpoint) {
  return endpoint.known ? config::to_string({address_text(endpoint), endpoint.port}) : "unknown";
}

std::string address_text(const IpEndpoint& endpoint) {
  char text[INET6_ADDRSTRLEN] = "?";
  const bool v4 = is_ipv4(endpoint);
  inet_ntop(v4 ? AF_INET : AF_INET6, endpoint.address.data() + (v4 ? mapped_prefix.size() : 0), text, sizeof text);
  return text;
}

IpEndpoint local_endpoint(int fd) noexcept {
  SocketAddress address;
  address.size = sizeof address.storage;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address.storage), &address.size) != 0) return {};
  return ip_endpoint(address);
}

SocketAddress local_address(int fd) {
  SocketAddress address;
  address.size = sizeof address.storage;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address.storage), &address.size) != 0)
    throw std::system_error(errno, std::generic_category(), "getsockname");
  return address;
}

namespace {

// `source`: none: the system's choice. The port is chosen at connect(), where only this one destination counts.
Fd connect_from(const SocketAddress* source, const SocketAddress& address) noexcept {
  Fd fd(socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fd;
  if (!address.is_unix()) set_no_delay(fd.get());
  if (source != nullptr) {
    set_option(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    if (bind(fd.get(), source->get(), source->size) != 0) fd.reset();
  }
  if (fd && connect(fd.get(), address.get(), address.size) != 0 && errno != EINPROGRESS) fd.reset();
  return fd;
}

}  // namespace

Fd start_connect(const SocketAddress& address, std::span<const SocketAddress> sources) noexcept {
  bool tried = false;
  for (const SocketAddress& source : sources) {
    if (source.storage.ss_family != address.storage.ss_family) continue;
    tried = true;
    Fd fd = connect_from(&source, address);
    if (fd || errno != EADDRNOTAVAIL) return fd;
  }
  return tried ? Fd() : connect_from(nullptr, address);
}

int socket_error(int fd) noexcept {
  int error = 0;
  socklen_t size = sizeof error;
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

void set_option(int fd, int level, int option, int value) noexcept {
  setsockopt(fd, level, option, &value, sizeof value);
}

void set_no_delay(int fd) noexcept { set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1); }

void set_keepalive(int fd, std::chrono::milliseconds keepalive) noexcept {
  constexpr int probes = 4;
  const auto idle = static_cast<int>(std::chrono::ceil<std::chrono::seconds>(keepalive).count());
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, idle);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, std::max(1, idle / probes));
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, probes);
}

int unacknowledged(int fd) noexcept {
  int octets = 0;
  return ioctl(fd, SIOCOUTQ, &octets) == 0 ? octets : 0;
}

void reset_on_close(int fd) noexcept {
  const linger now{1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

}  // namespace imapmeter::proxy
