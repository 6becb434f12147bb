// The pump between two plain legs on mock sockets: whatever the sockets do, octets out are octets in, an end is handed
// on only behind them, nothing is read for a side that is full, and at most one read waits. The wire is pairs: an
// order, and how much. Bit 7 of an order: the loop does not run yet; bit 6: the upstream's socket.
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "proxy/pump.h"
#include "tests/fuzz/fuzzing.h"
#include "tests/fuzz/mock_sockets.h"

namespace imapmeter::fuzz {
namespace {

using imap::Direction;
using proxy::Io;
using proxy::Pumped;

constexpr std::uint8_t upstream_bit = 64;
constexpr std::uint8_t wait_bit = 128;
constexpr std::uint8_t holding = 1;  // option: the tap holds octets back, as the capability filter does
constexpr std::uint64_t most_octets = 1U << 20U;
constexpr std::array<char, proxy::min_quantum> zeros{};

// What the session does with its two legs, without deadlines and words of its own.
class Relay final : private proxy::Tap {
 public:
  Relay(proxy::ThreadBuffers& buffers, std::size_t hold) noexcept : buffers_(buffers), hold_(hold) {
    for (std::size_t side = 0; side < mock_socket_count; ++side) {
      mock_socket(side) = MockSocket{};
      legs_[side].open(proxy::Fd(MockSocket::first_fd - static_cast<int>(side)), buffers);
    }
  }

  // One round of the loop, and further ones while work is left over.
  void run() {
    bool again = true;
    for (int rounds = 0; again && !over_; ++rounds) {
      REQUIRE(rounds < 1000);
      for (std::size_t side = 0; side < mock_socket_count; ++side) {
        legs_[side].on_events(std::exchange(mock_socket(side).events, 0U));
      }
      const Pumped down = move(Direction::server_to_client);
      const Pumped up = move(Direction::client_to_server);
      settle(Direction::server_to_client);
      settle(Direction::client_to_server);
      const bool revived =
          down == Pumped::idle && flow(Direction::server_to_client).end == Io::again && legs_[upstream].may_read();
      again = down == Pumped::more || up == Pumped::more || revived || due();
    }
  }

  // All that came from the source of `direction` has gone out, and its end behind it.
  bool delivered(Direction direction) const noexcept {
    const MockSocket& from = mock_socket(source(direction));
    const MockSocket& to = mock_socket(sink(direction));
    return to.taken == from.arrived && to.end_sent;
  }
  Io end(Direction direction) const noexcept { return flows_[static_cast<std::size_t>(direction)].end; }
  bool over() const noexcept { return over_; }

  static constexpr std::size_t client = 0;
  static constexpr std::size_t upstream = 1;
  static std::size_t source(Direction direction) noexcept {
    return direction == Direction::client_to_server ? client : upstream;
  }
  static std::size_t sink(Direction direction) noexcept { return 1 - source(direction); }

 private:
  proxy::Flow& flow(Direction direction) noexcept { return flows_[static_cast<std::size_t>(direction)]; }
  static bool due() noexcept { return mock_socket(client).events != 0 || mock_socket(upstream).events != 0; }

  Pumped move(Direction direction) {
    MockSocket& from = mock_socket(source(direction));
    proxy::Leg& to = legs_[sink(direction)];
    const std::size_t allocated = allocations();
    const std::size_t refused = refusals();
    sink_ = &to;
    cleansed_ = std::span(zeros).first(0);
    const Pumped pumped = pump(flow(direction), direction, legs_[source(direction)], to, buffers_, *this);
    REQUIRE(allocations() - allocated <= refusals() - refused);
    REQUIRE(to.unsent() <= proxy::max_quantum + proxy::ThreadBuffers::headroom);
    REQUIRE(!to.blocked() || sum(direction) == from.read);
    REQUIRE(std::memcmp(cleansed_.data(), zeros.data(), cleansed_.size()) == 0);
    return pumped;
  }

  // What has gone out, what waits, and what the tap holds.
  std::uint64_t sum(Direction direction) const noexcept {
    const std::size_t to = sink(direction);
    return mock_socket(to).taken + legs_[to].unsent() + (direction == Direction::server_to_client ? held_ : 0);
  }

  void settle(Direction direction) {
    proxy::Flow& ended = flow(direction);
    proxy::Leg& to = legs_[sink(direction)];
    if (over_ || ended.end == Io::again || ended.closed) return;
    if (direction == Direction::server_to_client && !to.blocked()) release();
    if (to.blocked() && !ended.discard) return;
    REQUIRE(ended.discard || mock_socket(sink(direction)).taken == mock_socket(source(direction)).read);
    if (ended.end == Io::reset) {
      over_ = true;
      return;
    }
    REQUIRE(ended.end == Io::eof);
    if (!ended.discard) REQUIRE(to.end_writing(true));
    ended.closed = true;
    over_ = flow(Direction::server_to_client).closed && flow(Direction::client_to_server).closed;
  }

  void release() {
    const std::size_t size = std::exchange(held_, 0);
    if (size == 0) return;
    const Io written = legs_[client].write({hold_room_.data(), size});
    flow(Direction::server_to_client).discard |= written == Io::reset;
  }

  std::span<char> observe(Direction direction, std::span<char> octets) noexcept override {
    REQUIRE(!octets.empty() && !sink_->blocked());
    if (direction == Direction::client_to_server) {
      cleansed_ = octets;
      return octets;
    }
    char* const begin = octets.data() - held_;
    std::copy_n(hold_room_.begin(), held_, begin);
    const std::size_t size = octets.size() + held_;
    held_ = std::min(hold_, size);
    std::copy_n(begin + (size - held_), held_, hold_room_.begin());
    return {begin, size - held_};
  }
  void timed(Direction, std::chrono::nanoseconds) noexcept override {}
  void moved(Direction direction, std::size_t octets) noexcept override {
    std::uint64_t& moved = moved_[static_cast<std::size_t>(direction)];
    moved += octets;
    REQUIRE(octets > 0);
    REQUIRE(moved == mock_socket(sink(direction)).taken + sink_->unsent());
  }

  std::array<proxy::Leg, mock_socket_count> legs_;
  std::array<proxy::Flow, mock_socket_count> flows_;
  std::array<std::uint64_t, mock_socket_count> moved_{};
  proxy::ThreadBuffers& buffers_;
  proxy::Leg* sink_ = nullptr;
  std::span<const char> cleansed_;  // the client's octets of the last read
  std::array<char, proxy::ThreadBuffers::headroom> hold_room_{};
  std::size_t held_ = 0;
  std::size_t hold_;
  bool over_ = false;
};

std::uint64_t octets_of(std::uint8_t much) noexcept {
  // around the smallest quantum, up to the largest
  static constexpr std::array<std::uint32_t, 16> sizes = {130,   256,   1000,  4096,   8192,   16383, 16384, 16385,
                                                          16500, 24576, 32768, 131072, 262144, 16384, 16384, 16384};
  return much < 128 ? much : sizes[much % sizes.size()];
}

void act(MockSocket& socket, std::uint8_t order, std::uint8_t much) {
  switch (order & 7U) {
    case 0:
    case 1:
      if (socket.arrived < most_octets) socket.arrive(octets_of(much));
      return;
    case 2:
    case 3:
      return socket.drain(octets_of(much));
    case 4:
      return socket.end();
    case 5:
      return socket.reset();
    case 6:
      socket.interruptions = much & 3;
      socket.most = much < 128 ? UINT32_MAX : (much - 127U) * 16U;
      return;
    default:
      return refuse_allocation((much & 1) != 0);
  }
}

// Everybody reads and ends now: all must arrive.
void conclude(Relay& relay) {
  refuse_allocation(false);
  for (std::size_t side = 0; side < mock_socket_count; ++side) {
    MockSocket& socket = mock_socket(side);
    socket.most = UINT32_MAX;
    socket.end();
    socket.drain(4 * most_octets);
  }
  relay.run();
  REQUIRE(relay.over());
  for (const Direction direction : {Direction::client_to_server, Direction::server_to_client}) {
    const bool sound = !mock_socket(Relay::source(direction)).gone && !mock_socket(Relay::sink(direction)).gone;
    REQUIRE(!sound || relay.end(direction) == Io::again || relay.delivered(direction));
    REQUIRE(!sound || relay.end(direction) != Io::reset);
  }
  const bool all_well = !mock_socket(Relay::client).gone && !mock_socket(Relay::upstream).gone;
  REQUIRE(!all_well || relay.delivered(Direction::client_to_server));
  REQUIRE(!all_well || relay.delivered(Direction::server_to_client));
}

}  // namespace
}  // namespace imapmeter::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace imapmeter::fuzz;
  static imapmeter::proxy::ThreadBuffers buffers;
  pattern();  // made before allocations are counted, whichever input comes first
  Input input(data, size);
  Relay relay(buffers, (input.options & holding) != 0 ? input.seed % 65U : 0);
  while (input.wire.size() >= 2) {
    const auto order = static_cast<std::uint8_t>(input.wire[0]);
    act(mock_socket((order & upstream_bit) != 0 ? Relay::upstream : Relay::client), order,
        static_cast<std::uint8_t>(input.wire[1]));
    input.wire.remove_prefix(2);
    if ((order & wait_bit) == 0) relay.run();
  }
  conclude(relay);
  return 0;
}
