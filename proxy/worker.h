// One thread: a loop, the listeners' accepts, and the sessions that began here. Control reaches it through loop.post().
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include "proxy/event_loop.h"
#include "proxy/imap/deflate_tap.h"
#include "proxy/imap/tag_pool.h"
#include "proxy/limits.h"
#include "proxy/session.h"

namespace imapmeter::proxy {

// The newest TLS session of an upstream's server on this worker, to resume the next connection's handshake from.
// A copy each time: OpenSSL marks a session that ended badly as not resumable.
class UpstreamTicket {
 public:
  // `ssl` has finished its handshake and read something: a TLS 1.3 server sends tickets after the handshake.
  void keep(SSL& ssl) noexcept;
  // Only for the context it came from: another one may verify otherwise.
  void offer(SSL& ssl) const noexcept;

 private:
  struct Free {
    void operator()(SSL_SESSION* session) const noexcept { SSL_SESSION_free(session); }
  };
  std::unique_ptr<SSL_SESSION, Free> session_;
  const SSL_CTX* context_ = nullptr;
};

// What workers tell each other, without a lock.
struct Load {
  explicit Load(unsigned workers) : per_worker(workers) {}
  std::vector<std::atomic<std::size_t>> per_worker;  // sessions, those on their way to a worker included
  std::atomic<std::size_t> total{0};
  std::atomic<bool> draining{false};   // set before any worker is told
  std::atomic<std::size_t> cooled{0};  // legs that have given OpenSSL's buffers back
  std::size_t limit = 0;               // sessions that the descriptors of this process suffice for
};

// A listening socket of a listener, which has one per address.
struct Listening {
  int fd;
  std::size_t listener;
};

class Worker {
 public:
  // `contexts`: one per listener. `buffer_share`: octets that its sessions may keep. `load`, `limits` and `peers`
  // outlive the worker; `peers` holds all workers by number.
  Worker(unsigned number, std::vector<ListenerContext> contexts, std::uint64_t tag_key, std::uint64_t buffer_share,
         Load& load, Limits& limits, std::vector<std::unique_ptr<Worker>>& peers,
         EventLoop::Clock clock = std::chrono::steady_clock::now);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Before run(): the snapshot to start with, and the listening sockets (owned by the caller, open until run() ends).
  void prepare(std::shared_ptr<const Snapshot> snapshot, const std::vector<Listening>& listening);
  // The thread: returns when a drain is complete.
  void run();

  // In the loop's thread, through loop.post()
  void use(std::shared_ptr<const Snapshot> snapshot) { snapshot_ = std::move(snapshot); }
  // Takes a session that was accepted here or by a peer; it is counted in `load` already.
  void adopt(Fd client, std::size_t listener, const IpEndpoint& peer);
  // Stops accepting and closes every session at a response boundary, spread over `spread`; run() returns after the
  // last.
  void drain(std::chrono::milliseconds spread);
  // Closes what is left. Returns how many sessions that were.
  std::size_t force();
  // Gives back what only sessions that speak need: OpenSSL's buffers of legs that were silent since the last call, and
  // the blocks that this thread keeps for handshakes.
  void cool() noexcept;
  // `most` of them; session_describe.cc.
  OpenSessions open_sessions(std::size_t most) const;

  // For sessions
  ListenerContext& context(std::size_t listener) { return contexts_[listener]; }
  void remove(Session& session);
  // Unique in the process.
  std::uint64_t next_session_id() noexcept { return ++last_session_id_; }
  UpstreamTicket& ticket(std::size_t upstream, std::size_t server) { return tickets_[upstream][server]; }
  EventLoop loop;
  ThreadBuffers buffers;
  Limits& limits;

 private:
  class Acceptor;

  Worker& lightest();
  void refuse_for_memory(std::size_t listener) noexcept;
  void uncount();
  void stop_when_drained();

  const unsigned number_;
  Load& load_;
  std::vector<std::unique_ptr<Worker>>& peers_;
  imap::TagPool tags_;
  imap::DeflateTaps inflaters_;
  std::vector<ListenerContext> contexts_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::vector<std::vector<UpstreamTicket>> tickets_;  // by upstream and server
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  std::vector<std::unique_ptr<Session>> sessions_;
  std::uint64_t last_session_id_;
  bool draining_ = false;
  bool forced_ = false;
};

}  // namespace imapmeter::proxy
