#include "tests/integration/traffic/engine.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <deque>
#include <stdexcept>
#include <thread>

namespace traffic {
namespace {

using Clock = std::chrono::steady_clock;

std::string hex(std::string_view octets) {
  std::string text;
  for (const char octet : octets.substr(0, 24)) {
    std::array<char, 4> digits{};
    std::snprintf(digits.data(), digits.size(), "%02x ", static_cast<unsigned char>(octet));
    text += digits.data();
  }
  return text;
}

void advance(Sender& sender) {
  if (!sender.piece.octets.empty() || sender.exhausted) return;
  sender.piece = sender.source->next();
  sender.exhausted = sender.piece.octets.empty();
}

void advance(Checker& checker) {
  if (!checker.rest.empty() || checker.exhausted) return;
  checker.rest = checker.source->next().octets;
  checker.exhausted = checker.rest.empty();
}

Side make_side(Way sends, Flow& outgoing, Flow& incoming) {
  Side side;
  side.sends = sends;
  side.sender.source = std::move(outgoing.sent);
  side.checker.source = std::move(incoming.expected);
  advance(side.sender);
  advance(side.checker);
  return side;
}

// The sessions of one thread, and its epoll.
class Loop {
 public:
  explicit Loop(unsigned patience_seconds) : epoll_(::epoll_create1(0)), patience_(patience_seconds) {}
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop() { ::close(epoll_); }

  void add(Session& session) {
    sessions_.push_back(&session);
    for (std::size_t index = 0; index < session.sides.size(); ++index) {
      epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data = {}};
      event.data.u64 = (sessions_.size() - 1) * 2 + index;
      ::epoll_ctl(epoll_, EPOLL_CTL_ADD, session.sides[index].endpoint.fd(), &event);
    }
    queue(session);
  }

  void run() {
    Clock::time_point last_event = Clock::now();
    while (open() > 0) {
      if (wait()) last_event = Clock::now();
      if (Clock::now() - last_event > patience_) return report_hanging();
      turn();
    }
  }

 private:
  std::size_t open() const {
    return static_cast<std::size_t>(
        std::count_if(sessions_.begin(), sessions_.end(), [](const Session* session) { return !session->done(); }));
  }

  void queue(Session& session) {
    if (session.queued || session.done()) return;
    session.queued = true;
    queue_.push_back(&session);
  }

  bool wait() {
    std::array<epoll_event, 128> events;
    const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), queue_.empty() ? 1000 : 0);
    for (int index = 0; index < count; ++index) {
      const epoll_event& event = events[static_cast<std::size_t>(index)];
      Session& session = *sessions_[event.data.u64 / 2];
      Side& side = session.sides[event.data.u64 % 2];
      side.readable = side.readable || (event.events & ~EPOLLOUT) != 0;
      side.writable = side.writable || (event.events & ~EPOLLIN) != 0;
      queue(session);
    }
    return count > 0 || !queue_.empty();
  }

  void turn() {
    for (std::size_t left = queue_.size(); left > 0; --left) {
      Session& session = *queue_.front();
      queue_.pop_front();
      session.queued = false;
      if (session.step()) queue(session);
    }
  }

  void report_hanging() const {
    for (const Session* session : sessions_) {
      if (!session->done()) std::fprintf(stderr, "hangs: %s\n", session->describe().c_str());
    }
  }

  int epoll_;
  std::chrono::seconds patience_;
  std::vector<Session*> sessions_;
  std::deque<Session*> queue_;
};

}  // namespace

Session::Session(std::size_t number, SessionPlan plan, std::uint64_t seed)
    : sides{make_side(Way::client_to_server, plan.client_to_server, plan.server_to_client),
            make_side(Way::server_to_client, plan.server_to_client, plan.client_to_server)},
      number_(number),
      random_(derive(seed, number)) {
  Side& first = sides[plan.ending.client_first ? 0 : 1];
  first.closes_first = true;
  first.closes_after = plan.ending.received;
}

bool Session::step() {
  bool more = false;
  for (Side& side : sides) {
    if (!failed()) more = read(side) || more;
    if (!failed()) more = write(side) || more;
    if (!failed()) close(side);
  }
  return more && !done();
}

bool Session::may(std::uint64_t after, const Side& side) noexcept {
  if (after == after_eof) return side.eof;
  if (after == after_all) return side.checker.exhausted;
  return side.checker.received >= after;
}

bool Session::read(Side& side) {
  if (side.eof || (!side.readable && !side.endpoint.has_pending())) return false;
  static thread_local std::array<char, 65536> buffer;
  const Moved moved = side.endpoint.read(std::span(buffer).first(random_chunk(random_)));
  if (moved.result == Io::again) {
    side.readable = false;
    return false;
  }
  if (moved.result == Io::moved) {
    check(side, std::span(buffer).first(moved.octets));
  } else {
    ended_reading(side, moved.result);
  }
  return true;
}

void Session::check(Side& side, std::span<const char> octets) {
  Checker& checker = side.checker;
  while (!octets.empty()) {
    if (checker.exhausted) return fail(side, "more octets than were sent: " + hex({octets.data(), octets.size()}));
    const std::size_t size = std::min(octets.size(), checker.rest.size());
    if (std::memcmp(octets.data(), checker.rest.data(), size) != 0) {
      const auto wrong =
          std::mismatch(octets.begin(), octets.begin() + static_cast<std::ptrdiff_t>(size), checker.rest.begin());
      const auto at = static_cast<std::size_t>(wrong.first - octets.begin());
      checker.received += at;
      return fail(side, "first wrong octet at " + std::to_string(checker.received) + "; expected " +
                            hex(checker.rest.substr(at)) + " got " + hex({octets.data() + at, octets.size() - at}));
    }
    checker.received += size;
    checker.rest.remove_prefix(size);
    octets = octets.subspan(size);
    advance(checker);
  }
}

void Session::ended_reading(Side& side, Io how) {
  if (how != Io::eof) return fail(side, how == Io::truncated ? "FIN without close_notify" : "reset or TLS error");
  if (!side.checker.exhausted) return fail(side, "end of stream before all octets came");
  side.eof = true;
}

bool Session::write(Side& side) {
  Sender& sender = side.sender;
  if (!side.writable || sender.exhausted || !may(sender.piece.after, side)) return false;
  const std::size_t wanted = std::max(sender.offered, random_chunk(random_));
  const std::size_t size = std::min(wanted, sender.piece.octets.size());
  const Moved moved = side.endpoint.write({sender.piece.octets.data(), size});
  if (moved.result == Io::again) {
    side.writable = false;
    sender.offered = size;
    return false;
  }
  if (moved.result != Io::moved) {
    fail(side, "cannot send");
    return false;
  }
  sender.offered = 0;
  sender.sent += moved.octets;
  sender.piece.octets.remove_prefix(moved.octets);
  advance(sender);
  return true;
}

void Session::close(Side& side) {
  if (side.finished || !side.sender.exhausted || !side.writable) return;
  if (side.closes_first ? !may(side.closes_after, side) : !side.eof) return;
  const Io result = side.endpoint.finish();
  side.finished = result == Io::moved;
  if (result == Io::again) side.writable = false;
  if (result != Io::moved && result != Io::again) fail(side, "cannot close");
}

void Session::fail(const Side& side, const std::string& what) {
  failure_ = std::string(side.sends == Way::client_to_server ? "client" : "server") + " of " + describe() + ": " + what;
}

std::string Session::describe() const {
  std::string text = "session " + std::to_string(number_);
  for (const Side& side : sides) {
    const Side& other = &side == sides.data() ? sides[1] : sides[0];
    text += std::string(", ") + name(side.sends) + ": sent " + std::to_string(side.sender.sent) + ", received " +
            std::to_string(other.checker.received) + (other.eof ? ", ended" : "");
  }
  return text;
}

bool run(const Run& options, Listener& listener, std::vector<SessionPlan> plans, Totals& totals) {
  std::vector<std::unique_ptr<Session>> sessions;
  std::deque<Loop> loops;
  for (unsigned index = 0; index < options.threads; ++index) loops.emplace_back(options.patience_seconds);
  for (std::size_t number = 0; number < plans.size(); ++number) {
    sessions.push_back(std::make_unique<Session>(number, std::move(plans[number]), options.seed));
    SSL_CTX* client = options.client_contexts[number % options.client_contexts.size()];
    sessions.back()->sides[0].endpoint = connect_to(options.proxy_host, options.proxy_port, client);
    sessions.back()->sides[1].endpoint = listener.accept(options.server_context);
    loops[number % loops.size()].add(*sessions.back());
  }
  {
    std::vector<std::jthread> threads;
    threads.reserve(loops.size());
    for (Loop& loop : loops) threads.emplace_back([&loop] { loop.run(); });
  }
  bool good = true;
  for (const auto& session : sessions) {
    if (session->failed()) std::fprintf(stderr, "%s\n", session->failure().c_str());
    good = good && session->done() && !session->failed();
    totals.client_to_server += session->sides[1].checker.received;
    totals.server_to_client += session->sides[0].checker.received;
  }
  return good;
}

}  // namespace traffic
