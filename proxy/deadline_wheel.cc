#include "proxy/deadline_wheel.h"

#include <algorithm>
#include <bit>

namespace imapmeter::proxy {

DeadlineWheel::DeadlineWheel(TimePoint now) noexcept : start_(now) {
  due_.previous = due_.next = &due_;
  for (Deadline& head : heads_) head.previous = head.next = &head;
}

// The first tick that is not before `at`.
std::uint64_t DeadlineWheel::tick_of(TimePoint at) const noexcept {
  if (at <= start_) return 0;
  return static_cast<std::uint64_t>((at - start_ + tick - std::chrono::nanoseconds(1)) / tick);
}

void DeadlineWheel::arm(Deadline& deadline, TimePoint at) noexcept {
  cancel(deadline);
  // An owner whose deadline lies in the past, or beyond the wheel's reach, has its next look in a later turn, or this
  // turn would never end.
  const std::uint64_t due = std::clamp(tick_of(at), current_ + 1, current_ + slots - 1);
  Deadline& head = heads_[due % slots];
  deadline.previous = head.previous;
  deadline.next = &head;
  head.previous->next = &deadline;
  head.previous = &deadline;
  occupied_[due % slots / 64] |= std::uint64_t{1} << (due % 64);
}

void DeadlineWheel::cancel(Deadline& deadline) noexcept {
  if (!deadline.armed()) return;
  deadline.previous->next = deadline.next;
  deadline.next->previous = deadline.previous;
  deadline.previous = deadline.next = nullptr;
}

std::optional<TimePoint> DeadlineWheel::next_due() const noexcept {
  if (due_.next != &due_) return start_ + current_ * tick;
  for (std::uint64_t at = current_ + 1; at < current_ + slots;) {
    std::uint64_t& word = occupied_[at % slots / 64];
    const std::uint64_t ahead = word >> (at % 64);
    if (ahead == 0) {
      at += 64 - at % 64;
      continue;
    }
    at += static_cast<unsigned>(std::countr_zero(ahead));
    const Deadline& head = heads_[at % slots];
    if (head.next != &head) return start_ + at * tick;
    word &= ~(std::uint64_t{1} << (at % 64));
  }
  return std::nullopt;
}

// Its deadlines go to the end of due_.
void DeadlineWheel::empty_slot(std::uint64_t at) noexcept {
  Deadline& head = heads_[at % slots];
  if (head.next == &head) return;
  due_.previous->next = head.next;
  head.next->previous = due_.previous;
  head.previous->next = &due_;
  due_.previous = head.previous;
  head.previous = head.next = &head;
}

Deadline* DeadlineWheel::take_due(TimePoint now) noexcept {
  const std::uint64_t reached = now <= start_ ? 0 : static_cast<std::uint64_t>((now - start_) / tick);
  if (reached > current_) {
    const std::uint64_t last = std::min(reached, current_ + slots);  // by then every slot has been passed
    for (std::uint64_t at = current_ + 1; at <= last; ++at) empty_slot(at);
    current_ = reached;
  }
  if (due_.next == &due_) return nullptr;
  Deadline* due = due_.next;
  cancel(*due);
  return due;
}

}  // namespace imapmeter::proxy
