#include "proxy/log_limiter.h"

namespace imapmeter::proxy {

bool LogLimiter::allow(LogClass log_class, std::chrono::steady_clock::time_point now,
                       std::uint64_t& left_out) noexcept {
  Entry& entry = entries_[static_cast<std::size_t>(log_class)];
  const std::int64_t at = std::chrono::nanoseconds(now.time_since_epoch()).count();
  std::int64_t next = entry.next.load(std::memory_order_relaxed);
  const std::int64_t after = at + std::chrono::nanoseconds(interval).count();
  if (at < next || !entry.next.compare_exchange_strong(next, after)) {
    entry.left_out.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  left_out = entry.left_out.exchange(0, std::memory_order_relaxed);
  return true;
}

bool LineRate::allow(std::chrono::steady_clock::time_point now) noexcept {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  const std::uint64_t fresh = static_cast<std::uint64_t>(seconds) << 32;
  std::uint64_t state = state_.load(std::memory_order_relaxed);
  std::uint64_t next = 0;
  do {
    // A thread that read the clock just before the second ended counts in the new one.
    next = state < fresh ? fresh + 1 : state + 1;
    if ((next & 0xffffffffU) > lines_per_second) return false;
  } while (!state_.compare_exchange_weak(state, next, std::memory_order_relaxed));
  return true;
}

}  // namespace imapmeter::proxy
