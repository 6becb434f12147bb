// How much is logged of what others can cause at will. Both limiters may be asked by all threads at once.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace imapmeter::proxy {

enum class LogClass : std::uint8_t {
  upstream_connect,
  upstream_tls,
  client_handshake,
  descriptors,
  internal,
  signal,
  limit_global,
  limit_per_ip,
  limit_per_upstream,
  limit_handshakes,
  limit_rate,
  limit_memory,
};
inline constexpr std::size_t log_class_count = static_cast<std::size_t>(LogClass::limit_memory) + 1;

// Messages: at most one of each class in 10 s, which says how many were left out.
class LogLimiter {
 public:
  static constexpr std::chrono::seconds interval{10};
  // True when a line may be written; `left_out` is then how many were not since the last one.
  bool allow(LogClass log_class, std::chrono::steady_clock::time_point now, std::uint64_t& left_out) noexcept;

 private:
  struct Entry {
    std::atomic<std::int64_t> next{INT64_MIN};  // steady-clock nanoseconds
    std::atomic<std::uint64_t> left_out{0};
  };
  std::array<Entry, log_class_count> entries_;
};

// Records of one class, such as those of sessions: at most 50 in each second of the clock.
class LineRate {
 public:
  static constexpr std::uint32_t lines_per_second = 50;
  bool allow(std::chrono::steady_clock::time_point now) noexcept;

 private:
  std::atomic<std::uint64_t> state_{0};  // the second in the upper half, the lines allowed in it in the lower
};

}  // namespace imapmeter::proxy
