// The process's log: each record is one line of JSON on stderr, {"time":...,"level":...,"message":...} or, for an event
// of a session, {"time":...,"level":...,"event":...}. A thread of its own writes them; they are dropped rather than
// waited for, and what is dropped is counted. Nothing that a peer sent is ever a part of a record.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <new>
#include <string_view>

#include "config/config.h"
#include "proxy/log_limiter.h"

namespace imapmeter::proxy {

// Call once, before there are threads; without it, or where it fails, nothing is written.
void start_log(config::LogLevel level) noexcept;
// Writes what is queued; call before exit, when the other threads are gone.
void stop_log() noexcept;

// Whether records of this level are written.
bool log_enabled(config::LogLevel level) noexcept;
// One record. `members` is JSON: what stands behind the time and the level, such as "event":"session".
void log_record(config::LogLevel level, std::string_view members) noexcept;
// One record with a message: any text.
void log_line(config::LogLevel level, std::string_view message) noexcept;

// Records that were not written: no room in the queue, left out by a limit, or refused by the system.
std::uint64_t log_lines_dropped() noexcept;
void count_dropped_line() noexcept;

// A line for which there is no memory is left out: no event is worth a session.
template <typename... Args>
void log_formatted(config::LogLevel level, fmt::format_string<Args...> text, Args&&... args) noexcept {
  try {
    log_line(level, fmt::format(text, std::forward<Args>(args)...));
  } catch (const std::bad_alloc&) {
    count_dropped_line();
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

LogLimiter& log_limiter() noexcept;

// A warning of what others can cause at will.
template <typename... Args>
void log_limited(LogClass log_class, fmt::format_string<Args...> text, Args&&... args) noexcept {
  if (!log_enabled(config::LogLevel::warn)) return;
  std::uint64_t left_out = 0;
  if (!log_limiter().allow(log_class, std::chrono::steady_clock::now(), left_out)) return count_dropped_line();
  if (left_out == 0) return log_warning(text, std::forward<Args>(args)...);
  try {
    log_warning("{} ({} more of this kind since the last line)", fmt::format(text, std::forward<Args>(args)...),
                left_out);
  } catch (const std::bad_alloc&) {
    count_dropped_line();
  }
}

}  // namespace imapmeter::proxy
