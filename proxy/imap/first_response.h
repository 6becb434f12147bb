// How long a server lets its client wait: from the end of a command to the first line behind it. METRICS.md,
// command_first_response_seconds.
//
// Rules
// - Only a command that is alone when it ends is timed: the tracker knows.
// - Its end is the LF of its last line. Where the server may yet ask for more (a synchronizing literal, SASL) the first
//   line is only noted; it counts if the answer comes and no more was asked for.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "proxy/imap/event.h"

namespace imapmeter::imap {

class FirstResponse {
 public:
  using Time = std::chrono::nanoseconds;

  // A line of the command has ended; `open`: the server may ask for more.
  void start(TimePoint now, bool open) noexcept {
    time_ = now.time_since_epoch();
    stage_ = open ? Stage::open : Stage::ended;
  }
  // The command goes on.
  void stop() noexcept { stage_ = Stage::off; }
  bool waiting() const noexcept { return stage_ == Stage::open || stage_ == Stage::ended; }
  // A line of the server has ended: the time, if it is the one.
  std::optional<Time> line(TimePoint now) noexcept {
    if (!waiting()) return std::nullopt;
    time_ = now.time_since_epoch() - time_;
    if (stage_ == Stage::ended) return take();
    stage_ = Stage::noted;
    return std::nullopt;
  }
  // The command is answered: the time, if it was noted.
  std::optional<Time> answered() noexcept {
    if (stage_ == Stage::noted) return take();
    stop();
    return std::nullopt;
  }

 private:
  enum class Stage : std::uint8_t { off, open, ended, noted };

  Time take() noexcept {
    stop();
    return time_;
  }

  Time time_{};  // noted: how long; else since when
  Stage stage_ = Stage::off;
};

}  // namespace imapmeter::imap
