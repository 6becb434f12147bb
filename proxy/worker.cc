#include "proxy/worker.h"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "proxy/log.h"
#include "proxy/tls_memory.h"

namespace imapmeter::proxy {
namespace {

constexpr std::size_t accepts_per_turn = 16;
constexpr std::chrono::milliseconds short_turn{1};
constexpr std::chrono::milliseconds accept_pause{300};  // without descriptors or memory: 3 looks a second, no spin
constexpr std::size_t lent_tag_blocks = 1024;           // sessions of one worker that may pipeline deeply at once
constexpr std::chrono::milliseconds drain_step{10};     // between two closes in a drain, unless there are too many

}  // namespace

void UpstreamTicket::keep(SSL& ssl) noexcept {
  SSL_SESSION* current = SSL_get0_session(&ssl);
  if (current == nullptr || SSL_SESSION_is_resumable(current) != 1) return;
  session_.reset(SSL_SESSION_dup(current));
  context_ = SSL_get_SSL_CTX(&ssl);
}

void UpstreamTicket::offer(SSL& ssl) const noexcept {
  if (session_ == nullptr || context_ != SSL_get_SSL_CTX(&ssl)) return;
  const std::unique_ptr<SSL_SESSION, Free> copy(SSL_SESSION_dup(session_.get()));
  if (copy != nullptr) SSL_set_session(&ssl, copy.get());
}

// A listening socket in one worker's epoll. Level-triggered and exclusive: one worker wakes per connection.
class Worker::Acceptor final : public EventSource {
 public:
  Acceptor(Worker& worker, std::size_t listener, int fd) : worker_(worker), listener_(listener), fd_(fd) { resume(); }

  void on_ready(unsigned, std::uint32_t) override {
    // Whoever waits behind the first has its turn soon where turns are short: to ask a queue that is empty costs as
    // much as to accept.
    const TimePoint now = worker_.loop.now();
    const std::size_t most = now - std::exchange(last_turn_, now) < short_turn ? 1 : accepts_per_turn;
    for (std::size_t accepted = 0; accepted < most; ++accepted)
      if (!accept_one()) return;
  }
  void on_deadline() override { resume(); }
  // What a session had is free now: whoever waits need not wait for the pause to end.
  void on_session_ended() {
    if (!paused_) return;
    worker_.loop.disarm(*this);
    resume();
  }
  void stop() {
    worker_.loop.disarm(*this);
    worker_.loop.remove(fd_);
  }

 private:
  void resume() {
    paused_ = !worker_.loop.add(fd_, *this, 0, EPOLLIN | EPOLLEXCLUSIVE);
    if (paused_) look_later();
  }
  void look_later() { worker_.loop.arm(*this, worker_.loop.now() + accept_pause); }

  // Connections wait in the kernel's queue meanwhile.
  bool pause(const char* why) {
    log_limited(LogClass::descriptors, "new connections have to wait: {}", why);
    worker_.loop.remove(fd_);
    paused_ = true;
    look_later();
    return false;
  }

  // False when there is nothing more to accept for now.
  bool accept_one() {
    Load& load = worker_.load_;
    if (load.total.load(std::memory_order_relaxed) >= load.limit) return pause("descriptors are short");
    SocketAddress from;
    from.size = sizeof from.storage;
    Fd client(accept4(fd_, reinterpret_cast<sockaddr*>(&from.storage), &from.size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!client) {
      switch (errno) {
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM:
          return pause(std::strerror(errno));
        case EAGAIN:
          return false;
        default:
          return true;  // that connection failed before it was accepted
      }
    }
    Worker& target = worker_.lightest();
    load.total.fetch_add(1, std::memory_order_relaxed);
    const IpEndpoint peer = ip_endpoint(from);
    if (&target == &worker_ || !hand_over(target, client, peer)) {
      load.per_worker[worker_.number_].fetch_add(1, std::memory_order_relaxed);
      worker_.adopt(std::move(client), listener_, peer);
    }
    return true;
  }

  // False where there is no memory for it.
  bool hand_over(Worker& target, Fd& client, const IpEndpoint& peer) noexcept {
    std::atomic<std::size_t>& sessions = worker_.load_.per_worker[target.number_];
    sessions.fetch_add(1, std::memory_order_relaxed);
    try {
      target.loop.post(
          [&target, listener = listener_, fd = client.get(), peer] { target.adopt(Fd(fd), listener, peer); });
    } catch (const std::bad_alloc&) {
      sessions.fetch_sub(1, std::memory_order_relaxed);
      return false;
    }
    client.release();
    return true;
  }

  Worker& worker_;
  std::size_t listener_;
  int fd_;
  TimePoint last_turn_{};
  bool paused_ = false;  // out of the epoll, until a session ends or the pause does
};

Worker::Worker(unsigned number, std::vector<ListenerContext> contexts, std::uint64_t tag_key,
               std::uint64_t buffer_share, Load& load, Limits& limits, std::vector<std::unique_ptr<Worker>>& peers,
               EventLoop::Clock clock)
    : loop(clock),
      buffers(buffer_share),
      limits(limits),
      number_(number),
      load_(load),
      peers_(peers),
      tags_(lent_tag_blocks),
      inflaters_(limits.inflated),
      contexts_(std::move(contexts)),
      last_session_id_(std::uint64_t{number} << session_id_worker_shift) {
  for (ListenerContext& each : contexts_) each.tracker = {&tags_, &each.rules, tag_key, &inflaters_};
}

Worker::~Worker() = default;

void Worker::prepare(std::shared_ptr<const Snapshot> snapshot, const std::vector<Listening>& listening) {
  snapshot_ = std::move(snapshot);
  for (const UpstreamTarget& each : snapshot_->upstreams) tickets_.emplace_back(each.servers.size());
  for (const Listening& each : listening)
    acceptors_.push_back(std::make_unique<Acceptor>(*this, each.listener, each.fd));
}

void Worker::run() { loop.run(); }

// Itself, unless a peer holds clearly fewer sessions. In a drain itself: a peer may have stopped already.
Worker& Worker::lightest() {
  if (load_.draining.load(std::memory_order_acquire)) return *this;
  const auto sessions_of = [&](std::size_t i) { return load_.per_worker[i].load(std::memory_order_relaxed); };
  std::size_t best = number_;
  for (std::size_t i = 0; i < peers_.size(); ++i)
    if (sessions_of(i) < sessions_of(best)) best = i;
  const std::size_t own = sessions_of(number_);
  return own > sessions_of(best) + 4 + own / 16 ? *peers_[best] : *this;
}

void Worker::adopt(Fd client, std::size_t listener, const IpEndpoint& peer) {
  try {
    sessions_.push_back(std::make_unique<Session>(*this, snapshot_, listener, std::move(client), peer));
  } catch (const std::bad_alloc&) {
    refuse_for_memory(listener);
    return uncount();
  }
  Session& session = *sessions_.back();
  session.index = sessions_.size() - 1;
  session.start();
  if (forced_) return session.force_close(CloseReason::drain_forced);
  if (draining_) session.drain(loop.now());
}

// There is no session, but a connection was accepted.
void Worker::refuse_for_memory(std::size_t listener) noexcept {
  Observer& observer = *contexts_[listener].observer;
  observer.on_accepted();
  const SessionFacts facts;
  observer.on_closed({CloseReason::limit_memory, Phase::handshake, imap::SessionState::connecting, {}, &facts});
}

void Worker::remove(Session& session) {
  std::unique_ptr<Session> owner = std::move(sessions_[session.index]);
  if (session.index + 1 != sessions_.size()) {
    sessions_[session.index] = std::move(sessions_.back());
    sessions_[session.index]->index = session.index;
  }
  sessions_.pop_back();
  loop.retire(std::move(owner));
  uncount();
}

void Worker::uncount() {
  load_.total.fetch_sub(1, std::memory_order_relaxed);
  load_.per_worker[number_].fetch_sub(1, std::memory_order_relaxed);
  if (!draining_)
    for (auto& acceptor : acceptors_) acceptor->on_session_ended();
  stop_when_drained();
}

void Worker::cool() noexcept {
  load_.cooled.fetch_add(buffers.warm.cool(), std::memory_order_relaxed);
  give_tls_memory_back();
}

void Worker::drain(std::chrono::milliseconds spread) {
  draining_ = true;
  for (auto& acceptor : acceptors_) acceptor->stop();
  const TimePoint start = loop.now();
  const std::size_t count = sessions_.size();
  const std::chrono::nanoseconds share = std::chrono::nanoseconds(spread) / std::max<std::size_t>(count, 1);
  const auto step = std::min<std::chrono::nanoseconds>(drain_step, share);
  // A session that is drained at once leaves the list: walk a copy.
  std::vector<Session*> all;
  all.reserve(count);
  for (auto& session : sessions_) all.push_back(session.get());
  for (std::size_t i = 0; i < all.size(); ++i) all[i]->drain(start + i * step);
  stop_when_drained();
}

std::size_t Worker::force() {
  draining_ = forced_ = true;
  const std::size_t left = sessions_.size();
  while (!sessions_.empty()) sessions_.back()->force_close(CloseReason::drain_forced);
  stop_when_drained();
  return left;
}

void Worker::stop_when_drained() {
  // Sessions that a peer has posted to this worker are counted, though not here yet.
  if (draining_ && load_.per_worker[number_].load(std::memory_order_relaxed) == 0) loop.stop();
}

}  // namespace imapmeter::proxy
