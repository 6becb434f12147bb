// The clients of one workload in one thread, and what they, the server and the subject used in the measured window.
#pragma once

#include <sys/epoll.h>

#include <deque>
#include <memory>
#include <nlohmann/json.hpp>
#include <queue>
#include <utility>
#include <vector>

#include "tests/bench/process_sample.h"
#include "tests/bench/session.h"
#include "tests/bench/workloads.h"

namespace imapmeter::bench {

struct LoadOptions {
  const Workload* workload = nullptr;
  std::uint16_t port = 0;
  std::size_t connections = 0;
  std::uint64_t warmup = 0;  // nanoseconds
  std::uint64_t window = 0;  // nanoseconds
  std::uint64_t count = 0;   // nanoseconds after the window in which system calls are counted
  pid_t subject = 0;
  pid_t server = 0;
  std::string greeting = std::string(bench::greeting());  // LINE and CRLF, where the subject has its own
};

struct Slot {
  const Role* role = nullptr;
  std::unique_ptr<Session> session;
  SSL_SESSION* ticket = nullptr;
  std::size_t step = 0;    // set-up commands sent so far
  std::size_t turn = 0;    // repeated commands sent so far
  std::uint64_t next = 0;  // when the next operation is due, of a role with an interval
  bool arrived = false;    // the set-up, or the first session of many, is complete
  bool done_sent = false;
  bool writable_once = false;
};

// Everything that is read at both ends of the window.
struct Mark {
  std::uint64_t at = 0;
  std::uint64_t operations = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t machine_ms = 0;
  ProcessSample subject, server, client;
};

// Lets operations begin while this thread has used less than its share of the time, so that it is never the client's
// CPU that decides how much is done.
class Pace {
 public:
  void restart();
  bool may_begin();

 private:
  std::uint64_t at_ = 0, cpu_ = 0;
  double allowance_ = 0;  // nanoseconds of CPU
};

class Load {
 public:
  explicit Load(const LoadOptions& options);
  nlohmann::json run();

 private:
  void open(Slot& slot);
  void turn(std::uint64_t until);
  void on_event(Slot& slot);
  void on_ready(Slot& slot);
  void on_over(Slot& slot);
  void arrive(Slot& slot);
  void again(Slot& slot);
  void begin(Slot& slot);
  void begin_due(std::uint64_t now);
  void end(Slot& slot);
  void turn_until(std::uint64_t time);
  void ramp_up();
  void start();
  void await_tickets();
  void drain();
  bool handshakes(bool resumed) const;
  double planned(std::uint64_t duration) const;
  Mark mark() const;
  nlohmann::json count_system_calls();
  nlohmann::json report(const Mark& idle, const Mark& begin, const Mark& stop);

  using Due = std::pair<std::uint64_t, Slot*>;

  LoadOptions options_;
  ContextPtr context_;
  int epoll_;
  std::vector<Slot> slots_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  std::deque<Slot*> held_;  // could begin, but for the pace
  Pace pace_;
  std::vector<epoll_event> events_;
  Journal journal_;
  std::vector<std::uint32_t> latencies_;  // nanoseconds, in the window only
  std::size_t arrived_ = 0;
  std::size_t open_ = 0;
  std::uint64_t operations_ = 0;
  std::uint64_t last_progress_ = 0;
  bool started_ = false;
  bool measuring_ = false;
  bool draining_ = false;
};

}  // namespace imapmeter::bench
