// Stands in for proxy/event_loop.h in imapmeter_asio: the same loop, driven by the waits of Boost.Asio, so that the
// same pump can be measured on both. For commands and handshakes only: it waits for room to send just once, when a
// connection opens, so a session whose socket fills up would stop.
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "proxy/deadline_wheel.h"
#include "proxy/event_source.h"

namespace imapmeter::proxy {

class EventLoop {
 public:
  using Clock = TimePoint (*)();
  explicit EventLoop(Clock clock = std::chrono::steady_clock::now);
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  bool add(int fd, EventSource& source, unsigned tag, std::uint32_t events);
  void remove(int fd);
  void arm(EventSource& source, TimePoint at) noexcept { wheel_.arm(source, at); }
  void disarm(EventSource& source) noexcept { wheel_.cancel(source); }
  void again(EventSource& source) {
    if (!std::exchange(source.again_queued, true)) again_.push_back(&source);
  }
  void retire(std::unique_ptr<EventSource> source);
  TimePoint now() const noexcept { return now_; }
  void post(std::function<void()> task);
  void run();
  void stop() noexcept { stopped_ = true; }

 private:
  // A descriptor that is waited for. Its owner closes it without a word: the next one with its number finds it here.
  struct Watched {
    Watched(boost::asio::io_context& context, int fd, EventSource& source, unsigned tag)
        : descriptor(context, fd), source(&source), tag(tag) {}

    // Also ends its waits, which keep it alive.
    void forget() {
      source = nullptr;
      descriptor.release();
    }

    boost::asio::posix::stream_descriptor descriptor;
    EventSource* source;  // null: destroyed
    unsigned tag;
  };

  void wait(const std::shared_ptr<Watched>& watched, boost::asio::posix::stream_descriptor::wait_type what);
  void turn();
  void run_deadlines();
  void run_again();

  Clock clock_;
  boost::asio::io_context context_{1};
  TimePoint now_;
  bool clock_is_old_ = false;  // from before a wait
  DeadlineWheel wheel_;
  std::unordered_map<int, std::shared_ptr<Watched>> watched_;
  std::unordered_map<EventSource*, std::array<int, 4>> descriptors_;  // by tag; of a source, -1: none
  std::vector<EventSource*> again_;
  std::vector<std::unique_ptr<EventSource>> retired_;
  bool stopped_ = false;
};

}  // namespace imapmeter::proxy
