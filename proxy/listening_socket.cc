#include "proxy/listening_socket.h"

#include <netdb.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <utility>

namespace imapmeter::proxy {
namespace {

constexpr mode_t socket_mode = S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP;

std::runtime_error cannot_listen(const config::Address& bind, const std::string& why) {
  return std::runtime_error("cannot listen on " + config::to_string(bind) + ": " + why);
}

Fd new_socket(int family) noexcept { return Fd(socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)); }

Fd listen_tcp(const config::Address& bind, std::chrono::milliseconds keepalive, bool ipv6_only) {
  addrinfo hints{};
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(bind.port);
  if (const int error = getaddrinfo(bind.host.c_str(), port.c_str(), &hints, &found); error != 0)
    throw cannot_listen(bind, gai_strerror(error));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);

  Fd fd = new_socket(found->ai_family);
  if (!fd) throw cannot_listen(bind, std::strerror(errno));
  set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  // Those that are accepted have them too, without a system call for each.
  set_no_delay(fd.get());
  set_keepalive(fd.get(), keepalive);
  if (ipv6_only && found->ai_family == AF_INET6) set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
  if (::bind(fd.get(), found->ai_addr, found->ai_addrlen) != 0 || listen(fd.get(), SOMAXCONN) != 0)
    throw cannot_listen(bind, std::strerror(errno));
  return fd;
}

// A socket file of a process that is gone stays behind; one that answers, and any other file, is not ours to remove.
void remove_stale(const SocketAddress& address, const char* path) {
  struct stat info {};
  if (lstat(path, &info) != 0 || !S_ISSOCK(info.st_mode)) return;
  const Fd probe = new_socket(AF_UNIX);
  if (connect(probe.get(), address.get(), address.size) != 0 && errno == ECONNREFUSED) unlink(path);
}

Fd listen_unix(const config::Address& bind) {
  const SocketAddress address = unix_address(bind.path);
  remove_stale(address, bind.path.c_str());
  Fd fd = new_socket(AF_UNIX);
  if (!fd || ::bind(fd.get(), address.get(), address.size) != 0) throw cannot_listen(bind, std::strerror(errno));
  // Before listen(): until then nobody can connect.
  if (chmod(bind.path.c_str(), socket_mode) == 0 && listen(fd.get(), SOMAXCONN) == 0) return fd;
  const int error = errno;
  unlink(bind.path.c_str());
  throw cannot_listen(bind, std::strerror(error));
}

}  // namespace

ListeningSocket::ListeningSocket(const config::Address& bind, std::chrono::milliseconds keepalive, bool ipv6_only)
    : fd_(bind.is_unix() ? listen_unix(bind) : listen_tcp(bind, keepalive, ipv6_only)), path_(bind.path) {}

ListeningSocket::ListeningSocket(ListeningSocket&& other) noexcept
    : fd_(std::move(other.fd_)), path_(std::exchange(other.path_, {})) {}

ListeningSocket::~ListeningSocket() {
  if (!path_.empty()) unlink(path_.c_str());
}

}  // namespace imapmeter::proxy
