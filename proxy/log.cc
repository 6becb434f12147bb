#include "proxy/log.h"

#include <spdlog/async_logger.h>
#include <spdlog/details/null_mutex.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <exception>
#include <memory>

#include "proxy/line_writer.h"
#include "proxy/log_json.h"

namespace imapmeter::proxy {
namespace {

constexpr std::size_t queued_lines = 8192;
constexpr std::array<std::string_view, 6> level_names = {"trace", "debug", "info", "warn", "error", "off"};

std::atomic<std::uint64_t> dropped{0};  // but for those that found no room in the queue

// Called by the logger's one thread.
class StderrSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
  void sink_it_(const spdlog::details::log_msg& record) override {
    spdlog::memory_buf_t line;
    formatter_->format(record, line);
    if (!stderr_.write({line.data(), line.size()})) count_dropped_line();
  }
  void flush_() override {}

  LineWriter stderr_{STDERR_FILENO};
};

struct Log {
  config::LogLevel level;
  std::shared_ptr<spdlog::details::thread_pool> thread;
  std::shared_ptr<spdlog::async_logger> logger;
};

// There from start_log() to stop_log(); both are called while this process has one thread.
std::unique_ptr<Log> the_log;

std::unique_ptr<Log> make_log(config::LogLevel level) {
  auto log = std::make_unique<Log>();
  log->level = level;
  log->thread = std::make_shared<spdlog::details::thread_pool>(queued_lines, 1);
  log->logger = std::make_shared<spdlog::async_logger>("imapmeter", std::make_shared<StderrSink>(), log->thread,
                                                       spdlog::async_overflow_policy::overrun_oldest);
  log->logger->set_pattern(R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ",%v})", spdlog::pattern_time_type::utc);
  log->logger->set_error_handler([](const std::string&) { count_dropped_line(); });  // out of memory
  return log;
}

}  // namespace

void start_log(config::LogLevel level) noexcept {
  try {
    the_log = make_log(level);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "imapmeter: there will be no log: %s\n", error.what());
  }
}

void stop_log() noexcept { the_log.reset(); }

bool log_enabled(config::LogLevel level) noexcept { return the_log != nullptr && level >= the_log->level; }

void log_record(config::LogLevel level, std::string_view members) noexcept {
  if (!log_enabled(level)) return;
  try {
    const auto name = level_names[static_cast<std::size_t>(level)];
    the_log->logger->log(spdlog::level::info, fmt::format(R"("level":"{}",{})", name, members));
  } catch (const std::exception&) {
    count_dropped_line();
  }
}

void log_line(config::LogLevel level, std::string_view message) noexcept {
  if (!log_enabled(level)) return;
  try {
    log_record(level, fmt::format(R"("message":"{}")", json_escape(message)));
  } catch (const std::exception&) {
    count_dropped_line();
  }
}

std::uint64_t log_lines_dropped() noexcept {
  const std::uint64_t overrun = the_log == nullptr ? 0 : the_log->thread->overrun_counter();
  return dropped.load(std::memory_order_relaxed) + overrun;
}

void count_dropped_line() noexcept { dropped.fetch_add(1, std::memory_order_relaxed); }

LogLimiter& log_limiter() noexcept {
  static LogLimiter limiter;
  return limiter;
}

}  // namespace imapmeter::proxy
