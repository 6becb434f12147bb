// A hashed timer wheel for the deadlines of one event loop: O(1) to arm and cancel, no allocation, time handed in.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>

namespace imapmeter::proxy {

using TimePoint = std::chrono::steady_clock::time_point;

// The base of what has a deadline; must not move while armed and must be cancelled before it dies.
struct Deadline {
  Deadline* previous = nullptr;
  Deadline* next = nullptr;
  bool armed() const noexcept { return previous != nullptr; }
};

// Coarse: a deadline fires up to one tick late. One that lies further away than the wheel reaches (about 20 s) fires
// early: its owner compares with its own time and arms it again.
class DeadlineWheel {
 public:
  static constexpr std::chrono::milliseconds tick{20};
  static constexpr std::size_t slots = 1024;

  explicit DeadlineWheel(TimePoint now) noexcept;
  DeadlineWheel(const DeadlineWheel&) = delete;
  DeadlineWheel& operator=(const DeadlineWheel&) = delete;

  // Arms or moves.
  void arm(Deadline& deadline, TimePoint at) noexcept;
  void cancel(Deadline& deadline) noexcept;
  // When the next non-empty slot falls due; nothing when no deadline is armed.
  std::optional<TimePoint> next_due() const noexcept;
  // Takes one deadline that is due at `now` out of the wheel, or nullptr. Call until nullptr.
  Deadline* take_due(TimePoint now) noexcept;

 private:
  std::uint64_t tick_of(TimePoint at) const noexcept;
  void empty_slot(std::uint64_t at) noexcept;

  TimePoint start_;
  std::uint64_t current_ = 0;            // the tick up to which all slots have been emptied
  Deadline due_{};                       // what they held and take_due() has not handed out; a circular list
  std::array<Deadline, slots> heads_{};  // circular lists
  // One bit per slot that may hold something: a bit is set by arm() and cleared when its slot is found empty.
  mutable std::array<std::uint64_t, slots / 64> occupied_{};
};

}  // namespace imapmeter::proxy
