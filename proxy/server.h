// All workers of the process: listening sockets, threads, the snapshot they share, drain.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "config/config.h"
#include "proxy/heap_trim.h"
#include "proxy/listening_socket.h"
#include "proxy/snapshot.h"
#include "proxy/worker.h"

namespace imapmeter::proxy {

// Who is told about the sessions of one worker and listener. They outlive the server.
struct Observers {
  Observer* relay = nullptr;
  imap::Observer* imap = nullptr;
};

class Server {
 public:
  using ObserversOf = std::function<Observers(unsigned worker, std::size_t listener)>;

  // Binds every listener and loads every certificate; throws std::runtime_error with a sentence for the operator.
  Server(const config::Config& config, unsigned workers, const ObserversOf& observers_of);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // The addresses that are really listened on, in the order of the configuration.
  struct ListenedAddress {
    std::size_t listener;
    std::string text;
  };
  std::vector<ListenedAddress> addresses() const;
  std::vector<ServedCertificate> certificates(std::size_t listener) const;

  // What is known of an upstream now, on the control thread.
  const UpstreamTarget& upstream(std::size_t number) const { return settings_.upstreams[number]; }

  // From the control thread. New addresses of a server; sessions that begin from now on use them.
  void set_addresses(std::size_t upstream, std::size_t server, std::vector<SocketAddress> addresses);
  void start();
  void rotate_ticket_keys() { tickets_.rotate(); }
  // Looks whether new sessions still have room, and gives memory back to the system: when that is short, when many
  // sessions have ended, when many have fallen silent. Call about once a second.
  void watch_memory();
  // What is in force; 0: no limit. After start().
  std::uint64_t session_limit() const noexcept;
  std::uint64_t memory_limit() const noexcept { return limits_.memory.limit(); }
  // Octets that sessions keep of what their peers do not take. From any thread.
  std::uint64_t relay_buffer_bytes() const noexcept;
  // On a thread that is no worker's: asks all workers, each for its part of `most`, and waits for them for `patience`;
  // a worker that has not answered by then is left out.
  OpenSessions open_sessions(std::size_t most, std::chrono::milliseconds patience);
  // `on_drained` is called on the last worker's thread.
  void drain(std::chrono::milliseconds spread, std::function<void()> on_drained);
  // Ends what is left of a drain. join() then returns soon.
  void force();
  // Waits for the workers; returns how many sessions force() closed.
  std::size_t join();

 private:
  void publish();
  void cool_workers() noexcept;

  TicketKeys tickets_;
  Snapshot settings_;  // what the next snapshot is a copy of
  struct Bound {
    ListeningSocket socket;
    std::size_t listener;
  };
  std::vector<Bound> listening_;
  const unsigned configured_sessions_;
  Limits limits_;
  Load load_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::thread> threads_;
  HeapTrim heap_trim_;
  std::atomic<unsigned> running_{0};
  std::atomic<std::size_t> forced_{0};
  std::function<void()> on_drained_;
};

// The CPUs that this process may use, by affinity and cgroup, at most 4.
unsigned default_workers();

}  // namespace imapmeter::proxy
