#include "proxy/net.h"

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <system_error>

namespace imapmeter::proxy {
namespace {

void set(int fd, int level, int option, int value) noexcept { setsockopt(fd, level, option, &value, sizeof value); }

std::runtime_error cannot_listen(const config::Address& bind, const std::string& why) {
  return std::runtime_error("cannot listen on " + config::to_string(bind) + ": " + why);
}

}  // namespace

void Fd::reset() noexcept {
  if (fd_ >= 0) close(std::exchange(fd_, -1));
}

std::string to_string(const SocketAddress& address) {
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

Fd start_connect(const SocketAddress& address) noexcept {
  Fd fd(socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fd;
  set_session_options(fd.get());
  if (connect(fd.get(), address.get(), address.size) != 0 && errno != EINPROGRESS) fd.reset();
  return fd;
}

int socket_error(int fd) noexcept {
  int error = 0;
  socklen_t size = sizeof error;
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

void set_session_options(int fd) noexcept {
  set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 120);
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
