#include "proxy/event_loop.h"

#include <sys/epoll.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <utility>
#include <vector>

namespace imapmeter::proxy {

using Descriptor = boost::asio::posix::stream_descriptor;

EventLoop::EventLoop(Clock clock) : clock_(clock), now_(clock()), wheel_(now_) {}

bool EventLoop::add(int fd, EventSource& source, unsigned tag, std::uint32_t events) {
  auto& watched = watched_[fd];
  if (watched) watched->forget();
  watched = std::make_shared<Watched>(context_, fd, source, tag);
  descriptors_.try_emplace(&source, std::array<int, 4>{-1, -1, -1, -1}).first->second[tag] = fd;
  wait(watched, Descriptor::wait_read);
  if ((events & EPOLLOUT) != 0) wait(watched, Descriptor::wait_write);
  return true;
}

void EventLoop::remove(int fd) {
  const auto found = watched_.find(fd);
  if (found == watched_.end()) return;
  found->second->forget();
  watched_.erase(found);
}

void EventLoop::wait(const std::shared_ptr<Watched>& watched, Descriptor::wait_type what) {
  watched->descriptor.async_wait(what, [this, watched, what](const boost::system::error_code& error) {
    if (error || watched->source == nullptr) return;
    if (std::exchange(clock_is_old_, false)) now_ = clock_();
    EventSource& source = *watched->source;
    source.on_ready(watched->tag, what == Descriptor::wait_read ? EPOLLIN : EPOLLOUT);
    if (what == Descriptor::wait_read && !source.retired) wait(watched, what);
  });
}

void EventLoop::retire(std::unique_ptr<EventSource> source) {
  source->retired = true;
  wheel_.cancel(*source);
  const auto own = descriptors_.find(source.get());
  if (own != descriptors_.end()) {
    for (const int fd : own->second) {
      const auto found = watched_.find(fd);
      if (found != watched_.end() && found->second->source == source.get()) remove(fd);
    }
    descriptors_.erase(own);
  }
  std::erase(again_, source.get());
  retired_.push_back(std::move(source));
}

void EventLoop::post(std::function<void()> task) { boost::asio::post(context_, std::move(task)); }

void EventLoop::run() {
  const auto work = boost::asio::make_work_guard(context_);
  for (stopped_ = false; !stopped_;) turn();
}

void EventLoop::turn() {
  const auto due = wheel_.next_due();
  // Asio runs the first handler within the wait: with the time from before it, a session that is accepted after a long
  // wait would have a deadline that has passed.
  clock_is_old_ = true;
  if (again_.empty()) due ? context_.run_one_until(*due) : context_.run_one();
  now_ = clock_();
  context_.poll();
  run_deadlines();
  run_again();
  retired_.clear();
}

void EventLoop::run_deadlines() {
  while (Deadline* due = wheel_.take_due(now_)) static_cast<EventSource*>(due)->on_deadline();
}

void EventLoop::run_again() {
  for (EventSource* source : std::exchange(again_, {})) {
    source->again_queued = false;
    if (!source->retired) source->on_again();
  }
}

}  // namespace imapmeter::proxy
