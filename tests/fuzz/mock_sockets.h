// Two sockets that do what a script says, in place of recv(), send() and shutdown() (defined in mock_sockets.cc, for
// the whole executable). They behave as Linux's: octets before an end, an error told once, edges and not levels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace imapmeter::fuzz {

// The octets that a peer sends: the same for everybody, each place told from its neighbours.
class Pattern {
 public:
  static constexpr std::size_t longest = 256 * 1024 + 64;  // span that at() can give

  Pattern();
  // `size` octets of the stream from `position` on.
  std::span<const char> at(std::uint64_t position, std::size_t size) const noexcept;

 private:
  std::vector<char> octets_;
};

struct MockSocket {
  // Below 0, for then Fd leaves them alone; -1 is none.
  static constexpr int first_fd = -2;

  std::uint64_t arrived = 0;  // octets of the peer's stream that are here or were read
  std::uint64_t read = 0;
  std::uint64_t taken = 0;          // octets that were sent: the other peer's stream
  std::uint64_t room = 0;           // octets that it takes before it is full
  std::uint32_t most = UINT32_MAX;  // octets that one send() takes
  int interruptions = 0;            // calls that end with EINTR
  int error = 0;                    // told by the next call that fails
  bool fin = false;
  bool gone = false;         // RST came, or both directions were shut down here
  bool full = false;         // the last send() found no room
  bool end_sent = false;     // shutdown(SHUT_WR)
  std::uint32_t events = 0;  // EPOLL* that are due

  // What can befall it.
  void arrive(std::uint64_t octets) noexcept;
  void drain(std::uint64_t octets) noexcept;
  void end() noexcept;
  void reset() noexcept;
};

inline constexpr std::size_t mock_socket_count = 2;
// By number; their descriptors are first_fd - number.
MockSocket& mock_socket(std::size_t number) noexcept;
const Pattern& pattern() noexcept;
// Times that a send() found no room.
std::size_t refusals() noexcept;

}  // namespace imapmeter::fuzz
