// A worker's loop: edge-triggered epoll with sockets registered once, deadlines, a mailbox from other threads. All but
// post() and stop() belong to the thread that runs it. Why not Asio here: ARCHITECTURE.md.
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "proxy/deadline_wheel.h"
#include "proxy/event_source.h"

namespace imapmeter::proxy {

class EventLoop {
 public:
  using Clock = TimePoint (*)();
  explicit EventLoop(Clock clock = std::chrono::steady_clock::now);  // throws std::system_error
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Registers once; `events` as for epoll_ctl. A descriptor leaves by remove() or by being closed.
  bool add(int fd, EventSource& source, unsigned tag, std::uint32_t events) noexcept;
  void remove(int fd) noexcept;

  void arm(EventSource& source, TimePoint at) noexcept { wheel_.arm(source, at); }
  void disarm(EventSource& source) noexcept { wheel_.cancel(source); }
  // Calls on_again() once, after the other sources that are ready now.
  void again(EventSource& source) noexcept;
  // Destroys the source when the current batch of events is done: an event of it may still be in the batch.
  void retire(std::unique_ptr<EventSource> source) noexcept;

  // The time at which the current turn began.
  TimePoint now() const noexcept { return now_; }

  // From any thread: runs `task` in the loop. Throws std::bad_alloc, and then does not.
  void post(std::function<void()> task);
  void run();
  // From the loop's thread: run() returns after this turn, and may be called again.
  void stop() noexcept { stopped_ = true; }

 private:
  void turn();
  int wait_milliseconds() const noexcept;
  void run_posted();
  void run_deadlines();
  void run_again();
  void forget_again(EventSource& source) noexcept;
  void bury() noexcept;

  Clock clock_;
  int epoll_;
  int wake_;
  std::vector<epoll_event> events_;  // of the present turn; not cleared for each
  TimePoint now_;
  DeadlineWheel wheel_;
  EventSource* again_ = nullptr;  // first in, first out
  EventSource** again_end_ = &again_;
  EventSource* retired_ = nullptr;
  bool stopped_ = false;
  std::mutex mutex_;
  std::vector<std::function<void()>> posted_;
};

}  // namespace imapmeter::proxy
