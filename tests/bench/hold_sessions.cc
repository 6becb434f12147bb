// Many sessions through a proxy, held or churned, as a test says: the sizes of its fault suite.
//   hold_sessions --port P     then, line by line on stdin:
//   open N                     N more sessions up to IDLE: "done N"
//   close                      DONE and LOGOUT in all of them: "done N"
//   churn N CONCURRENCY        N short sessions (LOGIN, SELECT, LOGOUT), each resumed with the ticket of the one before
//                              in its place: "done N RESUMED"
// Sessions come from 127.0.0.1 to 127.0.0.16 in turn. Anything unexpected ends it with a sentence.
#include <sys/epoll.h>

#include <csignal>
#include <cstdio>
#include <iostream>
#include <list>
#include <memory>
#include <span>
#include <sstream>
#include <stdexcept>

#include "tests/bench/process_sample.h"
#include "tests/bench/session.h"

namespace imapmeter::bench {
namespace {

constexpr std::size_t kRamp = 32;  // sessions that may be on their way to IDLE at the same time
constexpr unsigned kSources = 16;
constexpr std::uint64_t kPatience = 20'000'000'000;  // nanoseconds without a single answer

constexpr Verb kHeld[] = {Verb::login, Verb::select, Verb::idle};
constexpr Verb kReleased[] = {Verb::done, Verb::logout};
constexpr Verb kShort[] = {Verb::login, Verb::select, Verb::logout};

struct Slot {
  std::unique_ptr<Session> session;
  SSL_SESSION* ticket = nullptr;
  std::span<const Verb> script;  // what is still to be said
  bool writable_once = false;
  std::uint8_t source = 1;
};

// OpenSSL hands over each ticket as it arrives; the latest one of a slot is kept.
int keep_ticket(SSL* ssl, SSL_SESSION* ticket) {
  auto* const slot = static_cast<Slot*>(SSL_get_app_data(ssl));
  SSL_SESSION_free(slot->ticket);
  slot->ticket = ticket;
  return 1;
}

class Holder {
 public:
  explicit Holder(std::uint16_t port) : port_(port), context_(client_context(0)), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    SSL_CTX_set_session_cache_mode(context_.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(context_.get(), keep_ticket);
  }

  std::size_t open(std::size_t count);
  std::size_t close();
  // Returns how many were resumed.
  std::uint64_t churn(std::size_t count, std::size_t concurrency);

 private:
  void start(Slot& slot, std::span<const Verb> script);
  void say_next(Slot& slot);
  void turn();

  std::uint16_t port_;
  ContextPtr context_;
  int epoll_;
  std::vector<epoll_event> events_ = std::vector<epoll_event>(512);
  Journal journal_;
  std::list<Slot> slots_;
  std::size_t busy_ = 0;     // slots with something left to say or to hear
  std::size_t to_open_ = 0;  // of a churn
  std::uint64_t last_progress_ = 0;
};

void Holder::start(Slot& slot, std::span<const Verb> script) {
  slot.session = std::make_unique<Session>(context_.get(), port_, slot.ticket, journal_, slot.source);
  SSL_set_app_data(slot.session->ssl(), &slot);
  slot.script = script;
  slot.writable_once = false;
  epoll_event event{.events = EPOLLOUT, .data = {.ptr = &slot}};
  epoll_ctl(epoll_, EPOLL_CTL_ADD, slot.session->fd(), &event);
}

void Holder::say_next(Slot& slot) {
  if (slot.session->state == Session::State::ready) {
    if (slot.script.empty()) {
      --busy_;  // in IDLE
      return;
    }
    const Verb verb = slot.script.front();
    slot.script = slot.script.subspan(1);
    slot.session->send(verb);
  } else if (slot.session->state == Session::State::over) {
    SSL_shutdown(slot.session->ssl());  // or OpenSSL would not resume from its ticket
    slot.session.reset();
    if (to_open_ == 0) {
      --busy_;
      return;
    }
    --to_open_;
    start(slot, kShort);
  }
}

void Holder::turn() {
  const int count = epoll_wait(epoll_, events_.data(), static_cast<int>(events_.size()), 1000);
  const std::uint64_t now = monotonic_ns();
  if (count > 0) last_progress_ = now;
  if (now - last_progress_ > kPatience) throw std::runtime_error("nothing has moved for 20 seconds");
  for (int i = 0; i < count; ++i) {
    Slot& slot = *static_cast<Slot*>(events_[static_cast<std::size_t>(i)].data.ptr);
    if (!slot.writable_once) {
      slot.writable_once = true;
      epoll_event event{.events = EPOLLIN, .data = {.ptr = &slot}};
      epoll_ctl(epoll_, EPOLL_CTL_MOD, slot.session->fd(), &event);
    }
    slot.session->progress();
    say_next(slot);
  }
}

std::size_t Holder::open(std::size_t count) {
  last_progress_ = monotonic_ns();
  for (std::size_t opened = 0; opened < count || busy_ > 0;) {
    for (; opened < count && busy_ < kRamp; ++opened, ++busy_) {
      Slot& slot = slots_.emplace_back();
      slot.source = static_cast<std::uint8_t>(1 + slots_.size() % kSources);
      start(slot, kHeld);
    }
    turn();
  }
  return count;
}

std::size_t Holder::close() {
  last_progress_ = monotonic_ns();
  busy_ = slots_.size();
  for (Slot& slot : slots_) {
    slot.script = kReleased;
    say_next(slot);
  }
  while (busy_ > 0) turn();
  for (const Slot& slot : slots_) SSL_SESSION_free(slot.ticket);
  const std::size_t closed = slots_.size();
  slots_.clear();
  return closed;
}

std::uint64_t Holder::churn(std::size_t count, std::size_t concurrency) {
  if (slots_.size() != concurrency && !slots_.empty()) throw std::runtime_error("another concurrency than before");
  last_progress_ = monotonic_ns();
  const std::uint64_t resumed_before = journal_.resumed_handshakes;
  while (slots_.size() < concurrency) {
    slots_.emplace_back();
    slots_.back().source = static_cast<std::uint8_t>(1 + slots_.size() % kSources);
  }
  to_open_ = count > concurrency ? count - concurrency : 0;
  for (Slot& slot : slots_) {
    if (busy_ == count) break;
    ++busy_;
    start(slot, kShort);
  }
  while (busy_ > 0) turn();
  return journal_.resumed_handshakes - resumed_before;
}

int obey(std::uint16_t port) {
  Holder holder(port);
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string verb;
    std::size_t count = 0;
    std::size_t concurrency = 0;
    words >> verb >> count >> concurrency;
    if (verb == "open")
      std::cout << "done " << holder.open(count) << std::endl;
    else if (verb == "close")
      std::cout << "done " << holder.close() << std::endl;
    else if (verb == "churn")
      std::cout << "done " << count << ' ' << holder.churn(count, concurrency) << std::endl;
    else
      throw std::runtime_error("unknown command: " + verb);
  }
  return 0;
}

}  // namespace
}  // namespace imapmeter::bench

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  try {
    if (argc != 3 || std::string_view(argv[1]) != "--port") throw std::runtime_error("hold_sessions --port P");
    return imapmeter::bench::obey(static_cast<std::uint16_t>(std::stoul(argv[2])));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "hold_sessions: %s\n", error.what());
    return 1;
  }
}
