#include "proxy/log.h"

#include <spdlog/async.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace imapmeter::proxy {
namespace {

constexpr std::size_t queued_lines = 8192;

spdlog::level::level_enum to_spdlog(config::LogLevel level) {
  switch (level) {
    case config::LogLevel::trace:
      return spdlog::level::trace;
    case config::LogLevel::debug:
      return spdlog::level::debug;
    case config::LogLevel::info:
      return spdlog::level::info;
    case config::LogLevel::warn:
      return spdlog::level::warn;
    case config::LogLevel::error:
      return spdlog::level::err;
    case config::LogLevel::off:
      break;
  }
  return spdlog::level::off;
}

}  // namespace

void start_log(config::LogLevel level) {
  spdlog::init_thread_pool(queued_lines, 1);
  auto logger = spdlog::create_async_nb<spdlog::sinks::stderr_sink_mt>("imapmeter");
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
  logger->set_level(to_spdlog(level));
  logger->flush_on(spdlog::level::trace);
  logger->set_error_handler([](const std::string&) {});  // the default one would write to stderr, and wait for it
  spdlog::set_default_logger(std::move(logger));
}

void log_line(config::LogLevel level, std::string_view line) { spdlog::log(to_spdlog(level), "{}", line); }

void stop_log() noexcept { spdlog::shutdown(); }

LogLimiter& log_limiter() noexcept {
  static LogLimiter limiter;
  return limiter;
}

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

}  // namespace imapmeter::proxy
