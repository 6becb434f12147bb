// What a worker's loop serves: a session, a listener, an answer that is being refused.
#pragma once

#include <cstdint>

#include "proxy/deadline_wheel.h"

namespace imapmeter::proxy {

// Whoever owns descriptors in the loop. `tag` (0 to 3) tells several descriptors of one source apart.
struct EventSource : Deadline {
  EventSource() = default;
  EventSource(const EventSource&) = delete;
  EventSource& operator=(const EventSource&) = delete;
  virtual ~EventSource() = default;

  // `events`: the EPOLL* bits of descriptor `tag`.
  virtual void on_ready(unsigned tag, std::uint32_t events) = 0;
  // Its turn after again(): work was left over when the last turn's budget was used up.
  virtual void on_again() {}
  // The deadline it armed has come, or has come nearer (see DeadlineWheel).
  virtual void on_deadline() {}

  // The loop's lists run through their members: nothing that the loop does with a source can run out of memory.
  EventSource* next_again = nullptr;
  EventSource* next_retired = nullptr;
  bool again_queued = false;
  bool retired = false;
};

}  // namespace imapmeter::proxy
