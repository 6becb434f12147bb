#include "tests/fuzz/mock_sockets.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "tests/fuzz/fuzzing.h"

namespace imapmeter::fuzz {
namespace {

constexpr std::size_t period = 65521;  // a prime: no power of two fits in it

std::array<MockSocket, mock_socket_count> sockets;
std::size_t refused = 0;

MockSocket& socket_of(int fd) noexcept {
  const auto number = static_cast<std::size_t>(MockSocket::first_fd - fd);
  REQUIRE(number < mock_socket_count);
  return sockets[number];
}

ssize_t fail(int error) noexcept {
  errno = error;
  return -1;
}

ssize_t receive(MockSocket& socket, std::span<char> into) noexcept {
  if (socket.interruptions > 0) {
    --socket.interruptions;
    return fail(EINTR);
  }
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(socket.arrived - socket.read, into.size()));
  if (size > 0) {
    std::memcpy(into.data(), pattern().at(socket.read, size).data(), size);
    socket.read += size;
    return static_cast<ssize_t>(size);
  }
  if (socket.fin) return 0;
  if (socket.error != 0) return fail(std::exchange(socket.error, 0));
  return socket.gone ? 0 : fail(EAGAIN);
}

// `source`: whose octets these must be.
ssize_t transmit(MockSocket& socket, const MockSocket& source, std::span<const char> octets) noexcept {
  REQUIRE(!socket.end_sent);
  REQUIRE(socket.taken + octets.size() <= source.read);
  if (socket.interruptions > 0) {
    --socket.interruptions;
    return fail(EINTR);
  }
  if (socket.error != 0) return fail(std::exchange(socket.error, 0));
  if (socket.gone) return fail(EPIPE);
  const auto room = std::min<std::uint64_t>(socket.room, socket.most);
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(room, octets.size()));
  if (size == 0) {
    socket.full = true;
    ++refused;
    return fail(EAGAIN);
  }
  REQUIRE(std::memcmp(octets.data(), pattern().at(socket.taken, size).data(), size) == 0);
  socket.taken += size;
  socket.room -= size;
  return static_cast<ssize_t>(size);
}

}  // namespace

Pattern::Pattern() : octets_(period + longest) {
  Dice dice(1);
  for (std::size_t i = 0; i < octets_.size(); ++i) {
    octets_[i] = i < period ? static_cast<char>(1 + dice.roll(255)) : octets_[i - period];
  }
}

std::span<const char> Pattern::at(std::uint64_t position, std::size_t size) const noexcept {
  REQUIRE(size <= longest);
  return {octets_.data() + position % period, size};
}

void MockSocket::arrive(std::uint64_t octets) noexcept {
  if (fin || gone || octets == 0) return;
  arrived += octets;
  events |= EPOLLIN;
}

void MockSocket::drain(std::uint64_t octets) noexcept {
  room += octets;
  if (octets > 0 && std::exchange(full, false)) events |= EPOLLOUT;
}

void MockSocket::end() noexcept {
  if (fin || gone) return;
  fin = true;
  events |= EPOLLIN | EPOLLRDHUP;
}

void MockSocket::reset() noexcept {
  if (gone) return;
  gone = true;
  error = fin ? EPIPE : ECONNRESET;
  events |= EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR;
}

MockSocket& mock_socket(std::size_t number) noexcept { return sockets[number]; }

const Pattern& pattern() noexcept {
  static const Pattern made;
  return made;
}

std::size_t refusals() noexcept { return refused; }

}  // namespace imapmeter::fuzz

using imapmeter::fuzz::MockSocket;

extern "C" ssize_t recv(int fd, void* into, std::size_t size, int) {
  return imapmeter::fuzz::receive(imapmeter::fuzz::socket_of(fd), {static_cast<char*>(into), size});
}

extern "C" ssize_t send(int fd, const void* from, std::size_t size, int flags) {
  REQUIRE((flags & MSG_NOSIGNAL) != 0);
  MockSocket& socket = imapmeter::fuzz::socket_of(fd);
  MockSocket& source = imapmeter::fuzz::socket_of(2 * MockSocket::first_fd - 1 - fd);
  return imapmeter::fuzz::transmit(socket, source, {static_cast<const char*>(from), size});
}

extern "C" int shutdown(int fd, int how) noexcept {
  MockSocket& socket = imapmeter::fuzz::socket_of(fd);
  if (how == SHUT_WR) {
    socket.end_sent = true;
    return 0;
  }
  socket.gone = true;
  socket.events |= EPOLLIN | EPOLLRDHUP | EPOLLHUP;
  return 0;
}
