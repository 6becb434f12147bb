// The process's log: one line per event on stderr, written by a thread of its own, dropped rather than waited for.
// Nothing that a peer sent is ever a part of a line.
#pragma once

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <new>
#include <string_view>

#include "config/config.h"

namespace imapmeter::proxy {

// Call once, before the first line. Lines of before go to stderr unbuffered.
void start_log(config::LogLevel level);
// Writes what is queued; call before exit.
void stop_log() noexcept;

// One line, as it is. Throws std::bad_alloc.
void log_line(config::LogLevel level, std::string_view line);

// A line for which there is no memory is left out: no event is worth a session.
template <typename... Args>
void log_formatted(config::LogLevel level, fmt::format_string<Args...> text, Args&&... args) noexcept {
  try {
    log_line(level, fmt::format(text, std::forward<Args>(args)...));
  } catch (const std::bad_alloc&) {
  }
}

template <typename... Args>
void log_info(fmt::format_string<Args...> text, Args&&... args) noexcept {
  log_formatted(config::LogLevel::info, text, std::forward<Args>(args)...);
}
template <typename... Args>
void log_warning(fmt::format_string<Args...> text, Args&&... args) noexcept {
  log_formatted(config::LogLevel::warn, text, std::forward<Args>(args)...);
}
template <typename... Args>
void log_error(fmt::format_string<Args...> text, Args&&... args) noexcept {
  log_formatted(config::LogLevel::error, text, std::forward<Args>(args)...);
}

// Events that others can cause at will: at most one line of each class in 10 s, which says how many were left out.
enum class LogClass : std::uint8_t { upstream_connect, upstream_tls, client_handshake, descriptors, internal, signal };
inline constexpr std::size_t log_class_count = 6;

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

LogLimiter& log_limiter() noexcept;

template <typename... Args>
void log_limited(LogClass log_class, fmt::format_string<Args...> text, Args&&... args) noexcept {
  std::uint64_t left_out = 0;
  if (!log_limiter().allow(log_class, std::chrono::steady_clock::now(), left_out)) return;
  if (left_out == 0) return log_warning(text, std::forward<Args>(args)...);
  try {
    log_warning("{} ({} more of this kind since the last line)", fmt::format(text, std::forward<Args>(args)...),
                left_out);
  } catch (const std::bad_alloc&) {
  }
}

}  // namespace imapmeter::proxy
