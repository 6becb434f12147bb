#include "proxy/pump.h"

#include <openssl/crypto.h>

#include <algorithm>

namespace imapmeter::proxy {
namespace {

using TimePoint = std::chrono::steady_clock::time_point;

constexpr int reads_per_turn = 4;
// The others wait meanwhile: what is dearest to read costs 20 ns an octet, this much of it 5 ms.
constexpr std::size_t octets_per_turn = 256 * 1024;

constexpr std::uint32_t quantum_limit(const Flow& flow, imap::Direction direction) noexcept {
  return direction == imap::Direction::server_to_client && !flow.compressed ? max_quantum : min_quantum;
}

// False when the sink is full.
bool hand_on(Flow& flow, imap::Direction direction, std::span<const char> octets, Leg& to, Tap& tap) noexcept {
  if (flow.discard || octets.empty()) return true;
  const Io written = to.write(octets);
  if (written == Io::ok || written == Io::again) tap.moved(direction, octets.size());
  flow.discard = written == Io::reset || written == Io::tls_error;
  if (written != Io::again) return true;
  flow.quantum = min_quantum;
  return false;
}

}  // namespace

Pumped pump(Flow& flow, imap::Direction direction, Leg& from, Leg& to, ThreadBuffers& buffers, Tap& tap) noexcept {
  if (to.blocked()) {
    const Io flushed = to.flush();
    if (flushed == Io::again) return Pumped::blocked;
    if (flushed == Io::reset) flow.discard = true;
  }
  std::uint8_t& turn = buffers.turns[static_cast<std::size_t>(direction)];
  const bool timed = turn % ThreadBuffers::timed_turns == 0;
  std::size_t octets = 0;
  for (int reads = 0; reads < reads_per_turn && octets < octets_per_turn; ++reads) {
    if (flow.end != Io::again || !from.may_read()) return Pumped::idle;
    flow.quantum = std::min(flow.quantum, quantum_limit(flow, direction));
    const std::span<char> room = buffers.scratch(std::min(flow.quantum, buffers.budget.largest_quantum()));
    const TimePoint start = timed ? std::chrono::steady_clock::now() : TimePoint{};
    const Leg::Read got = from.read(room);
    if (got.status != Io::ok && got.status != Io::again) flow.end = got.status;
    bool taken = true;
    if (got.octets > 0) {
      if (reads == 0) ++turn;
      taken = hand_on(flow, direction, tap.observe(direction, room.first(got.octets)), to, tap);
      if (direction == imap::Direction::client_to_server) OPENSSL_cleanse(room.data(), got.octets);
    }
    if (!taken) return Pumped::blocked;
    if (timed && got.octets > 0 && !flow.discard) tap.timed(direction, std::chrono::steady_clock::now() - start);
    // Records without payload: they cost what the next reads would.
    if (got.octets == 0 && got.status == Io::again && from.may_read()) break;
    octets += got.octets;
    if (flow.compressed && got.octets > 0) break;
    if (got.octets == flow.quantum) flow.quantum = std::min(flow.quantum * 2, quantum_limit(flow, direction));
  }
  return Pumped::more;
}

}  // namespace imapmeter::proxy
