#include "proxy/net.h"

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <system_error>

namespace imapmeter::proxy {
namespace {

constexpr std::array<std::uint8_t, 12> mapped_prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

void set(int fd, int level, int option, int value) noexcept { setsockopt(fd, level, option, &value, sizeof value); }

std::runtime_error cannot_listen(const config::Address& bind, const std::string& why) {
  return std::runtime_error("cannot listen on " + config::to_string(bind) + ": " + why);
}

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

SocketAddress unix_address(const std::string& path) {
  SocketAddress address;
  auto* local = reinterpret_cast<sockaddr_un*>(&address.storage);
  local->sun_family = AF_UNIX;
  std::memcpy(local->sun_path, path.c_str(), std::min(path.size() + 1, sizeof local->sun_path));
  address.size = sizeof *local;
  return address;
}

IpEndpoint ip_endpoint(const SocketAddress& address) noexcept {
  IpEndpoint endpoint;
  if (address.storage.ss_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address.storage);
    std::memcpy(endpoint.address.data(), &v6->sin6_addr, endpoint.address.size());
    endpoint.port = ntohs(v6->sin6_port);
    endpoint.known = true;
  } else if (address.storage.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address.storage);
    std::memcpy(endpoint.address.data(), mapped_prefix.data(), mapped_prefix.size());
    std::memcpy(endpoint.address.data() + mapped_prefix.size(), &v4->sin_addr, 4);
    endpoint.port = ntohs(v4->sin_port);
    endpoint.known = true;
  }
  return endpoint;
}

bool contains(const config::Network& network, const IpEndpoint& endpoint) noexcept {
  if (!endpoint.known) return false;
  const std::size_t whole = network.prefix / 8;
  if (!std::equal(network.address.begin(), network.address.begin() + whole, endpoint.address.begin())) return false;
  const unsigned rest = network.prefix % 8;
  return rest == 0 || (network.address.at(whole) ^ endpoint.address.at(whole)) >> (8 - rest) == 0;
}

std::string to_string(const IpEndpoint& endpoint) {
  if (!endpoint.known) return "unknown";
  char host[INET6_ADDRSTRLEN] = "?";
  const bool v4 = std::equal(mapped_prefix.begin(), mapped_prefix.end(), endpoint.address.begin());
  inet_ntop(v4 ? AF_INET : AF_INET6, endpoint.address.data() + (v4 ? mapped_prefix.size() : 0), host, sizeof host);
  return config::to_string({host, endpoint.port});
}

Fd listen_on(const config::Address& bind) {
  addrinfo hints{};
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(bind.port);
  if (const int error = getaddrinfo(bind.host.c_str(), port.c_str(), &hints, &found); error != 0)
    throw cannot_listen(bind, gai_strerror(error));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);

  Fd fd(socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) throw cannot_listen(bind, std::strerror(errno));
  set(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (::bind(fd.get(), found->ai_addr, found->ai_addrlen) != 0 || listen(fd.get(), SOMAXCONN) != 0)
    throw cannot_listen(bind, std::strerror(errno));
  return fd;
}

SocketAddress local_address(int fd) {
  SocketAddress address;
  address.size = sizeof address.storage;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address.storage), &address.size) != 0)
    throw std::system_error(errno, std::generic_category(), "getsockname");
  return address;
}

Fd start_connect(const SocketAddress& address, std::chrono::milliseconds keepalive) noexcept {
  Fd fd(socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fd;
  set_session_options(fd.get(), keepalive);
  if (connect(fd.get(), address.get(), address.size) != 0 && errno != EINPROGRESS) fd.reset();
  return fd;
}

int socket_error(int fd) noexcept {
  int error = 0;
  socklen_t size = sizeof error;
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

void set_session_options(int fd, std::chrono::milliseconds keepalive) noexcept {
  constexpr int probes = 4;
  const auto idle = static_cast<int>(std::chrono::ceil<std::chrono::seconds>(keepalive).count());
  set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set(fd, IPPROTO_TCP, TCP_KEEPIDLE, idle);
  set(fd, IPPROTO_TCP, TCP_KEEPINTVL, std::max(1, idle / probes));
  set(fd, IPPROTO_TCP, TCP_KEEPCNT, probes);
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
