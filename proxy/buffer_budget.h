// What the sessions of one worker may keep, all together, of what their peers do not take: a share of
// limits.relay_buffers. The fuller it is, the less is read at once; its last eighth is a reserve from which a session
// can still keep the little that it read. What does not fit is refused, and that session ends.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace imapmeter::proxy {

inline constexpr std::size_t max_quantum = 256 * 1024;   // what one read from the upstream takes at most
inline constexpr std::size_t min_quantum = 16 * 1024;    // and what it starts with; also the client's
inline constexpr std::size_t scarce_quantum = 4 * 1024;  // what one read takes from the reserve

// Used on its worker's thread; lent() on any.
class BufferBudget {
 public:
  explicit BufferBudget(std::uint64_t share) noexcept : share_(share) {}

  // False: they would exceed the share, and are not lent.
  bool take(std::size_t octets) noexcept {
    if (octets > share_ - lent()) return false;
    set(lent() + octets);
    return true;
  }
  void give_back(std::size_t octets) noexcept { set(lent() - octets); }

  // What one read may take now. A share that a few large reads would fill is not read in large ones.
  std::uint32_t largest_quantum() const noexcept {
    const std::uint64_t room = share_ - lent();
    if (room < share_ / 8) return scarce_quantum;
    return room < share_ / 2 || room < 4 * max_quantum ? min_quantum : max_quantum;
  }
  std::uint64_t lent() const noexcept { return lent_.load(std::memory_order_relaxed); }

 private:
  // One writer: no locked addition.
  void set(std::uint64_t lent) noexcept { lent_.store(lent, std::memory_order_relaxed); }

  const std::uint64_t share_;
  std::atomic<std::uint64_t> lent_{0};
};

}  // namespace imapmeter::proxy
