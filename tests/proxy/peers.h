// The far ends that the legs of a test talk to: socket pairs and an OpenSSL client on one.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "proxy/leg.h"
#include "proxy/listening_socket.h"
#include "proxy/net.h"
#include "proxy/tls_context.h"

namespace imapmeter::proxy::test {

inline std::pair<Fd, Fd> socket_pair() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0) throw std::runtime_error("socketpair");
  return {Fd(ends[0]), Fd(ends[1])};
}

// As socket_pair(), over TCP on loopback: takes megabytes in small writes.
inline std::pair<Fd, Fd> tcp_pair() {
  const ListeningSocket listening({"127.0.0.1", 0});
  Fd near = start_connect(local_address(listening.fd()), {});
  Fd far(accept4(listening.fd(), nullptr, nullptr, SOCK_NONBLOCK));
  if (!near || !far) throw std::runtime_error("no TCP pair");
  return {std::move(near), std::move(far)};
}

inline int socket_option(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  getsockopt(fd, level, name, &value, &size);
  return value;
}

// Everything that can be read now.
inline std::string read_all(int fd) {
  std::string all;
  char some[4096];
  for (ssize_t got = 0; (got = read(fd, some, sizeof some)) > 0;) all.append(some, static_cast<std::size_t>(got));
  return all;
}

inline void write_all(int fd, const std::string& octets) {
  ASSERT_EQ(write(fd, octets.data(), octets.size()), static_cast<ssize_t>(octets.size()));
}

// A TLS client (or, told so, a server) at the other end of a leg, driven by hand in the same thread.
struct TlsPeer {
  explicit TlsPeer(Fd socket) : fd(std::move(socket)), context(SSL_CTX_new(TLS_method())) {
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
    ssl = SSL_new(context.get());
    SSL_set_fd(ssl, fd.get());
    SSL_set_connect_state(ssl);
  }
  ~TlsPeer() { SSL_free(ssl); }
  TlsPeer(const TlsPeer&) = delete;
  TlsPeer& operator=(const TlsPeer&) = delete;

  // True when both sides have finished.
  bool shake_hands(Leg& leg) {
    for (int step = 0; step < 20; ++step) {
      ERR_clear_error();
      const int mine = SSL_do_handshake(ssl);
      leg.on_events(EPOLLIN | EPOLLOUT);
      if (leg.handshake() == Io::ok && mine == 1) return true;
    }
    return false;
  }
  std::string read_all() {
    std::string all;
    char some[4096];
    for (;;) {
      ERR_clear_error();
      const int got = SSL_read(ssl, some, sizeof some);
      if (got <= 0) return all;
      all.append(some, static_cast<std::size_t>(got));
    }
  }
  void write(const std::string& octets) {
    ASSERT_EQ(SSL_write(ssl, octets.data(), static_cast<int>(octets.size())), static_cast<int>(octets.size()));
  }

  Fd fd;
  SslContext context;
  SSL* ssl = nullptr;
};

inline config::Listener self_signed_listener() {
  config::Listener listener;
  listener.binds = {{"127.0.0.1", 0}};
  listener.self_signed = true;
  return listener;
}

}  // namespace imapmeter::proxy::test
