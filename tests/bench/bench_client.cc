// The load of the benchmark: IMAP clients over TLS 1.3 that check every octet, in one thread.
//   bench_client --port P --workload W --connections N --seconds S --warmup S --subject PID --server PID [--greeting
//   LINE]
// Samples the CPU clocks of the subject and of the server at both ends of the measured window itself, so that no other
// process's delay is in the figures. Prints one JSON object; anything unexpected ends it with a sentence.
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tests/bench/process_sample.h"
#include "tests/bench/session.h"

namespace imapmeter::bench {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kBigReads = std::size_t{256} * 1024;

struct Workload {
  const char* name;
  std::vector<Verb> setup;     // after the greeting, once per session
  std::optional<Verb> repeat;  // then this, again and again
  bool handshakes = false;     // instead: connect, greeting, end, again and again
  bool resume = false;         // with the ticket of the connection before
  std::size_t read_buffer = 0;
};

const std::vector<Workload>& workloads() {
  static const std::vector<Workload> table = {
      {"bulk", {Verb::login, Verb::select}, Verb::fetch_bulk, false, false, kBigReads},
      {"lines", {Verb::login, Verb::select}, Verb::fetch_lines, false, false, kBigReads},
      {"commands", {Verb::login, Verb::select}, Verb::noop},
      {"handshake-full", {}, std::nullopt, true, false},
      {"handshake-resumed", {}, std::nullopt, true, true},
      {"idle", {Verb::login, Verb::select, Verb::idle}, std::nullopt},
  };
  return table;
}

// Sessions that may be between connecting and the end of their set-up at the same time.
constexpr std::size_t kRamp = 32;
// Longest time without a single answer, in nanoseconds: then the run has failed.
constexpr std::uint64_t kPatience = 20'000'000'000;

struct Slot {
  std::unique_ptr<Session> session;
  SSL_SESSION* ticket = nullptr;
  std::size_t step = 0;  // set-up commands sent so far
  bool repeating = false;
  bool writable_once = false;
};

struct Options {
  const Workload* workload = nullptr;
  std::uint16_t port = 0;
  std::size_t connections = 0;
  std::uint64_t warmup = 0;  // nanoseconds
  std::uint64_t window = 0;  // nanoseconds
  pid_t subject = 0;
  pid_t server = 0;
  std::string greeting = std::string(bench::greeting());  // LINE and CRLF, where the subject has its own
};

// Everything that is read at both ends of the window.
struct Mark {
  std::uint64_t at = 0;
  std::uint64_t operations = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t machine_ms = 0;
  ProcessSample subject, server, client;
};

class Client {
 public:
  explicit Client(const Options& options);
  Json run();

 private:
  void open(Slot& slot);
  void turn(int timeout_ms);
  void on_ready(Slot& slot);
  void on_over(Slot& slot);
  void end(Slot& slot);
  void turn_until(std::uint64_t time);
  void ramp_up();
  void drain();
  Mark mark() const;
  Json report(const Mark& idle, const Mark& begin, const Mark& stop);

  Options options_;
  ContextPtr context_;
  int epoll_;
  std::vector<Slot> slots_;
  std::vector<epoll_event> events_ = std::vector<epoll_event>(512);
  Journal journal_;
  std::vector<std::uint32_t> latencies_;  // nanoseconds, in the window only
  std::size_t in_setup_ = 0;
  std::size_t open_ = 0;
  std::uint64_t operations_ = 0;
  std::uint64_t last_progress_ = 0;
  bool measuring_ = false;
  bool draining_ = false;
};

[[noreturn]] void not_resumed() {
  throw std::runtime_error(
      "handshakes that should have been resumed were full: either the subject refuses tickets, or "
      "it gives no new one after a resumed handshake");
}

// OpenSSL hands over each ticket as it arrives; the latest one of a slot is kept.
int keep_ticket(SSL* ssl, SSL_SESSION* ticket) {
  auto* const slot = static_cast<Slot*>(SSL_get_app_data(ssl));
  SSL_SESSION_free(slot->ticket);
  slot->ticket = ticket;
  return 1;
}

Client::Client(const Options& options)
    : options_(options), context_(client_context(options.workload->read_buffer)), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  slots_.resize(options.connections);
  if (!options.workload->resume) return;
  SSL_CTX_set_session_cache_mode(context_.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
  SSL_CTX_sess_set_new_cb(context_.get(), keep_ticket);
}

void Client::open(Slot& slot) {
  slot.session = std::make_unique<Session>(context_.get(), options_.port, slot.ticket, journal_, std::uint8_t{1},
                                           options_.greeting);
  SSL_set_app_data(slot.session->ssl(), &slot);
  slot.session->since = monotonic_ns();
  slot.writable_once = false;
  slot.step = 0;
  ++in_setup_;
  ++open_;
  epoll_event event{.events = EPOLLOUT, .data = {.ptr = &slot}};
  epoll_ctl(epoll_, EPOLL_CTL_ADD, slot.session->fd(), &event);
}

void Client::turn(int timeout_ms) {
  const int count = epoll_wait(epoll_, events_.data(), static_cast<int>(events_.size()), timeout_ms);
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
    if (slot.session->state == Session::State::ready) on_ready(slot);
    if (slot.session->state == Session::State::over) on_over(slot);
  }
}

// The answer to whatever was outstanding is complete.
void Client::on_ready(Slot& slot) {
  const std::uint64_t now = monotonic_ns();
  const Workload& workload = *options_.workload;
  const auto latency = static_cast<std::uint32_t>(now - slot.session->since);
  if (measuring_ && (slot.repeating || workload.handshakes)) latencies_.push_back(latency);
  slot.session->since = now;
  if (workload.handshakes) return slot.session->finish();
  if (slot.step < workload.setup.size()) return slot.session->send(workload.setup[slot.step++]);
  if (slot.step == workload.setup.size()) {
    ++slot.step;
    --in_setup_;
  }
  if (slot.repeating) ++operations_;
  if (draining_) return end(slot);
  slot.repeating = workload.repeat.has_value();
  if (slot.repeating) slot.session->send(*workload.repeat);
}

void Client::on_over(Slot& slot) {
  slot.session.reset();
  --open_;
  if (!options_.workload->handshakes) return;
  --in_setup_;
  ++operations_;
  if (!draining_) open(slot);
}

void Client::end(Slot& slot) {
  slot.repeating = false;
  const bool idling = !options_.workload->setup.empty() && options_.workload->setup.back() == Verb::idle;
  const bool done_sent = slot.step > options_.workload->setup.size() + 1;
  if (idling && !done_sent) {
    ++slot.step;
    return slot.session->send(Verb::done);
  }
  slot.session->send(Verb::logout);
}

void Client::turn_until(std::uint64_t time) {
  for (std::uint64_t now = monotonic_ns(); now < time; now = monotonic_ns())
    turn(static_cast<int>((time - now) / 1'000'000U) + 1);
}

void Client::ramp_up() {
  last_progress_ = monotonic_ns();
  const bool handshakes = options_.workload->handshakes;
  for (std::size_t opened = 0; opened < slots_.size() || (in_setup_ > 0 && !handshakes);) {
    while (opened < slots_.size() && in_setup_ < std::max(kRamp, handshakes ? slots_.size() : 0))
      open(slots_[opened++]);
    turn(100);
  }
  while (options_.workload->resume && journal_.resumed_handshakes < 4 * slots_.size()) {
    turn(100);
    if (journal_.full_handshakes > 2 * slots_.size()) not_resumed();
  }
}

// Lets every session finish its command, say LOGOUT and see the end, so that all journals are exact.
void Client::drain() {
  draining_ = true;
  last_progress_ = monotonic_ns();
  for (Slot& slot : slots_)
    if (slot.session && slot.session->state == Session::State::ready) end(slot);
  while (open_ > 0) turn(100);
}

Mark Client::mark() const {
  Mark mark;
  mark.subject = sample_process(options_.subject);
  mark.server = sample_process(options_.server);
  mark.client = sample_process(getpid());
  mark.machine_ms = machine_cpu_ms();
  mark.at = monotonic_ns();
  mark.operations = operations_;
  mark.bytes_in = journal_.bytes_in;
  return mark;
}

Json Client::run() {
  const Mark before = mark();
  ramp_up();
  turn_until(monotonic_ns() + options_.warmup);
  const Mark begin = mark();
  const std::uint64_t full_before = journal_.full_handshakes;
  measuring_ = true;
  turn_until(begin.at + options_.window);
  measuring_ = false;
  const Mark stop = mark();
  if (options_.workload->resume && journal_.full_handshakes != full_before) not_resumed();
  if (options_.workload->handshakes && !options_.workload->resume && journal_.resumed_handshakes > 0)
    throw std::runtime_error("handshakes that should have been full were resumed");
  drain();
  return report(before, begin, stop);
}

Json process_report(const ProcessSample& from, const ProcessSample& to) {
  return {{"cpu_s", static_cast<double>(to.cpu_ns - from.cpu_ns) / 1e9},
          {"user_ms", to.user_ms - from.user_ms},
          {"system_ms", to.system_ms - from.system_ms},
          {"resident_kib", to.resident_kib}};
}

Json Client::report(const Mark& before, const Mark& begin, const Mark& stop) {
  std::sort(latencies_.begin(), latencies_.end());
  const auto percentile = [this](std::size_t percent) {
    if (latencies_.empty()) return Json();
    return Json(latencies_[std::min(latencies_.size() - 1, latencies_.size() * percent / 100)] / 1e3);
  };
  const Journal& j = journal_;
  return {{"workload", options_.workload->name},
          {"connections", slots_.size()},
          {"window_s", static_cast<double>(stop.at - begin.at) / 1e9},
          {"operations", stop.operations - begin.operations},
          {"bytes", stop.bytes_in - begin.bytes_in},
          {"machine_cpu_s", static_cast<double>(stop.machine_ms - begin.machine_ms) / 1e3},
          {"p50_us", percentile(50)},
          {"p99_us", percentile(99)},
          {"resident_kib_before", before.subject.resident_kib},
          {"subject", process_report(begin.subject, stop.subject)},
          {"server", process_report(begin.server, stop.server)},
          {"client", process_report(begin.client, stop.client)},
          {"journal",
           {{"connections", j.connections},
            {"greetings", j.greetings},
            {"full_handshakes", j.full_handshakes},
            {"resumed_handshakes", j.resumed_handshakes},
            {"tagged_ok", j.tagged_ok},
            {"untagged_ok", j.untagged_ok},
            {"untagged_bye", j.untagged_bye},
            {"bytes_in", j.bytes_in},
            {"bytes_out", j.bytes_out},
            {"closed_without_notify", j.closed_without_notify},
            {"cipher", j.cipher},
            {"version", j.version},
            {"group", j.group},
            {"certificate", j.certificate}}}};
}

Options parse(const std::vector<std::string>& arguments) {
  std::map<std::string, std::string> given;
  for (std::size_t i = 0; i + 1 < arguments.size(); i += 2) given[arguments[i]] = arguments[i + 1];
  Options options;
  for (const Workload& workload : workloads())
    if (given["--workload"] == workload.name) options.workload = &workload;
  if (options.workload == nullptr) throw std::runtime_error("unknown workload: " + given["--workload"]);
  options.port = static_cast<std::uint16_t>(std::stoul(given["--port"]));
  options.connections = std::stoul(given["--connections"]);
  options.warmup = static_cast<std::uint64_t>(std::stod(given["--warmup"]) * 1e9);
  options.window = static_cast<std::uint64_t>(std::stod(given["--seconds"]) * 1e9);
  options.subject = std::stoi(given["--subject"]);
  options.server = std::stoi(given["--server"]);
  if (given.contains("--greeting")) options.greeting = given["--greeting"] + "\r\n";
  return options;
}

}  // namespace
}  // namespace imapmeter::bench

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  try {
    imapmeter::bench::Client client(imapmeter::bench::parse({argv + 1, argv + argc}));
    std::cout << client.run().dump() << std::endl;
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_client: %s\n", error.what());
    return 1;
  }
}
