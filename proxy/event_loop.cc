#include "proxy/event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace imapmeter::proxy {
namespace {

constexpr std::size_t events_per_turn = 256;

// A source and its tag travel in one epoll_data: sources are aligned to 8, so two bits are free.
std::uint64_t pack(EventSource& source, unsigned tag) noexcept {
  return reinterpret_cast<std::uintptr_t>(&source) | tag;
}

EventSource& unpack(std::uint64_t data) noexcept {
  return *reinterpret_cast<EventSource*>(data & ~std::uint64_t{3});  // NOLINT(performance-no-int-to-ptr)
}

int checked(int descriptor, const char* what) {
  if (descriptor < 0) throw std::system_error(errno, std::generic_category(), what);
  return descriptor;
}

}  // namespace

EventLoop::EventLoop(Clock clock)
    : clock_(clock),
      epoll_(checked(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      wake_(checked(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")),
      events_(events_per_turn),
      now_(clock()),
      wheel_(now_) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = 0;
  checked(epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event), "epoll_ctl");
}

EventLoop::~EventLoop() {
  bury();
  close(wake_);
  close(epoll_);
}

bool EventLoop::add(int fd, EventSource& source, unsigned tag, std::uint32_t events) noexcept {
  epoll_event event{};
  event.events = events;
  event.data.u64 = pack(source, tag);
  return epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0;
}

void EventLoop::remove(int fd) noexcept { epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr); }

void EventLoop::again(EventSource& source) noexcept {
  if (source.again_queued || source.retired) return;
  source.again_queued = true;
  source.next_again = nullptr;
  *again_end_ = &source;
  again_end_ = &source.next_again;
}

void EventLoop::forget_again(EventSource& source) noexcept {
  EventSource** link = &again_;
  while (*link != nullptr && *link != &source) link = &(*link)->next_again;
  if (*link == nullptr) return;  // its turn is in this turn: it will be passed over
  *link = source.next_again;
  if (again_end_ == &source.next_again) again_end_ = link;
}

void EventLoop::retire(std::unique_ptr<EventSource> source) noexcept {
  source->retired = true;
  wheel_.cancel(*source);
  if (source->again_queued) forget_again(*source);
  source->next_retired = retired_;
  retired_ = source.release();
}

void EventLoop::post(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(task));
  }
  const std::uint64_t one = 1;
  // Fails only when the counter is about to overflow, and then the loop is awake anyway.
  [[maybe_unused]] const auto written = write(wake_, &one, sizeof one);
}

void EventLoop::run() {
  for (stopped_ = false; !stopped_;) turn();
  bury();
}

int EventLoop::wait_milliseconds() const noexcept {
  if (again_ != nullptr) return 0;
  const auto due = wheel_.next_due();
  if (!due) return -1;
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(*due - clock_());
  return wait.count() < 0 ? 0 : static_cast<int>(wait.count());
}

void EventLoop::turn() {
  const int count = epoll_wait(epoll_, events_.data(), static_cast<int>(events_.size()), wait_milliseconds());
  now_ = clock_();
  bool woken = false;
  for (int i = 0; i < count; ++i) {
    const std::uint64_t data = events_[static_cast<std::size_t>(i)].data.u64;
    if (data == 0) {
      woken = true;
      continue;
    }
    EventSource& source = unpack(data);
    if (!source.retired) source.on_ready(static_cast<unsigned>(data & 3), events_[static_cast<std::size_t>(i)].events);
  }
  if (woken) run_posted();
  run_deadlines();
  run_again();
  bury();
}

void EventLoop::run_posted() {
  std::uint64_t ignored = 0;
  [[maybe_unused]] const auto taken = read(wake_, &ignored, sizeof ignored);
  std::vector<std::function<void()>> tasks;
  {
    const std::lock_guard lock(mutex_);
    tasks.swap(posted_);
  }
  for (auto& task : tasks) task();
}

void EventLoop::run_deadlines() {
  while (Deadline* due = wheel_.take_due(now_)) static_cast<EventSource*>(due)->on_deadline();
}

void EventLoop::run_again() {
  EventSource* next = std::exchange(again_, nullptr);
  again_end_ = &again_;  // whoever asks again from here on has its turn after the next events
  while (next != nullptr) {
    EventSource& source = *std::exchange(next, next->next_again);
    source.again_queued = false;
    if (!source.retired) source.on_again();
  }
}

void EventLoop::bury() noexcept {
  // A destructor may retire what it owns.
  while (retired_ != nullptr) {
    const std::unique_ptr<EventSource> dead(retired_);
    retired_ = dead->next_retired;
  }
}

}  // namespace imapmeter::proxy
