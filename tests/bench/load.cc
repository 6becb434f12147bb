#include "tests/bench/load.h"

#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <stdexcept>

#include "tests/bench/syscall_counter.h"

namespace imapmeter::bench {
namespace {

using Json = nlohmann::json;

// Sessions that may be between connecting and the end of their set-up at the same time while all are opened.
constexpr std::size_t kRamp = 32;
// Longest time without a single answer, in nanoseconds: then the run has failed.
constexpr std::uint64_t kPatience = 20'000'000'000;
// The part of a CPU that the client may use, and how much of it may be saved up, in nanoseconds.
constexpr double kDuty = 0.65;
constexpr double kSavings = 10e6;
// From one look at our CPU clock to the next: to read it takes half a microsecond, where a command costs us eight.
constexpr std::uint64_t kPaceLook = 200'000;
// While operations wait for the pace.
constexpr std::uint64_t kPaceStep = 1'000'000;

std::uint64_t own_cpu_ns() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
}

[[noreturn]] void not_resumed() {
  throw std::runtime_error(
      "handshakes that should have been resumed were full: either the subject refuses tickets, or "
      "it gives no new one after a resumed handshake");
}

// OpenSSL hands over each ticket as it arrives; the latest one of a slot is kept.
int keep_ticket(SSL* ssl, SSL_SESSION* ticket) {
  auto* const slot = static_cast<Slot*>(SSL_get_app_data(ssl));
  if (!slot->role->resume) return 0;
  SSL_SESSION_free(slot->ticket);
  slot->ticket = ticket;
  return 1;
}

}  // namespace

void Pace::restart() {
  at_ = monotonic_ns();
  cpu_ = own_cpu_ns();
  allowance_ = 0;
}

bool Pace::may_begin() {
  const std::uint64_t now = monotonic_ns();
  if (now - at_ < kPaceLook) return allowance_ > 0;
  const std::uint64_t cpu = own_cpu_ns();
  allowance_ += kDuty * static_cast<double>(now - at_) - static_cast<double>(cpu - cpu_);
  allowance_ = std::min(allowance_, kSavings);
  at_ = now;
  cpu_ = cpu;
  return allowance_ > 0;
}

Load::Load(const LoadOptions& options)
    : options_(options),
      context_(client_context(options.workload->read_buffer)),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      slots_(options.connections),
      events_(512) {
  const std::vector<Role>& roles = options.workload->roles;
  std::size_t shares = 0;
  for (const Role& role : roles) shares += role.share;
  // Rounded up, so that each role has somebody; the first one gets the rest.
  auto slot = slots_.rbegin();
  for (std::size_t i = roles.size(); i-- > 0;) {
    const std::size_t count = (slots_.size() * roles[i].share + shares - 1) / shares;
    for (std::size_t j = 0; (j < count || i == 0) && slot != slots_.rend(); ++j) (slot++)->role = &roles[i];
  }
  if (std::none_of(roles.begin(), roles.end(), [](const Role& role) { return role.resume; })) return;
  SSL_CTX_set_session_cache_mode(context_.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
  SSL_CTX_sess_set_new_cb(context_.get(), keep_ticket);
}

void Load::open(Slot& slot) {
  slot.session = std::make_unique<Session>(context_.get(), options_.port, slot.ticket, journal_, std::uint8_t{1},
                                           options_.greeting);
  SSL_set_app_data(slot.session->ssl(), &slot);
  slot.session->since = monotonic_ns();
  slot.writable_once = false;
  slot.step = 0;
  ++open_;
  epoll_event event{.events = EPOLLOUT, .data = {.ptr = &slot}};
  epoll_ctl(epoll_, EPOLL_CTL_ADD, slot.session->fd(), &event);
}

// Waits for events until then at most.
void Load::turn(std::uint64_t until) {
  std::uint64_t now = monotonic_ns();
  if (!held_.empty()) until = std::min(until, now + kPaceStep);
  if (!due_.empty()) until = std::min(until, due_.top().first);
  const std::uint64_t wait = until <= now ? 0 : until - now;
  const timespec timeout{static_cast<time_t>(wait / 1'000'000'000U), static_cast<long>(wait % 1'000'000'000U)};
  const int count = epoll_pwait2(epoll_, events_.data(), static_cast<int>(events_.size()), &timeout, nullptr);
  now = monotonic_ns();
  if (count > 0) last_progress_ = now;
  if (now - last_progress_ > kPatience) throw std::runtime_error("nothing has moved for 20 seconds");
  for (int i = 0; i < count; ++i) on_event(*static_cast<Slot*>(events_[static_cast<std::size_t>(i)].data.ptr));
  begin_due(now);
}

void Load::on_event(Slot& slot) {
  if (!slot.writable_once) {
    slot.writable_once = true;
    epoll_event event{.events = EPOLLIN, .data = {.ptr = &slot}};
    epoll_ctl(epoll_, EPOLL_CTL_MOD, slot.session->fd(), &event);
  }
  const bool was_ready = slot.session->state == Session::State::ready;  // and hears of new mail
  slot.session->progress();
  if (slot.session->state == Session::State::ready && !was_ready) on_ready(slot);
  if (slot.session->state == Session::State::over) on_over(slot);
}

// The answer to whatever was outstanding is complete.
void Load::on_ready(Slot& slot) {
  const std::uint64_t now = monotonic_ns();
  const Role& role = *slot.role;
  const bool set_up = slot.step == role.setup.size();
  if (measuring_ && slot.arrived && set_up) latencies_.push_back(static_cast<std::uint32_t>(now - slot.session->since));
  slot.session->since = now;
  if (!set_up) return slot.session->send(role.setup[slot.step++]);
  if (role.anew) return slot.session->finish();
  if (slot.turn > 0) ++operations_;
  arrive(slot);
  again(slot);
}

void Load::on_over(Slot& slot) {
  SSL_set_shutdown(slot.session->ssl(), SSL_SENT_SHUTDOWN);  // or OpenSSL would not resume from its ticket
  slot.session.reset();
  --open_;
  if (!slot.role->anew) return;
  ++operations_;
  arrive(slot);
  again(slot);
}

void Load::arrive(Slot& slot) {
  arrived_ += slot.arrived ? 0 : 1;
  slot.arrived = true;
}

// The next operation may begin, or the end.
void Load::again(Slot& slot) {
  if (draining_) return end(slot);
  if (!started_ || (!slot.role->anew && slot.role->repeat.empty())) return;
  if (slot.role->every > 0)
    due_.emplace(slot.next, &slot);
  else if (!held_.empty() || !pace_.may_begin())
    held_.push_back(&slot);
  else
    begin(slot);
}

void Load::begin(Slot& slot) {
  slot.next += slot.role->every;
  if (slot.role->anew) return open(slot);
  slot.session->since = monotonic_ns();
  slot.session->send(slot.role->repeat[slot.turn++ % slot.role->repeat.size()]);
}

void Load::begin_due(std::uint64_t now) {
  while (!due_.empty() && due_.top().first <= now) {
    Slot& slot = *due_.top().second;
    due_.pop();
    begin(slot);
  }
  while (!held_.empty() && pace_.may_begin()) {
    Slot& slot = *held_.front();
    held_.pop_front();
    begin(slot);
  }
}

void Load::end(Slot& slot) {
  if (!slot.session) return;
  const std::vector<Verb>& setup = slot.role->setup;
  const bool idling = !slot.done_sent && !setup.empty() && setup.back() == Verb::idle;
  slot.done_sent = true;
  slot.session->send(idling ? Verb::done : Verb::logout);
}

void Load::turn_until(std::uint64_t time) {
  while (monotonic_ns() < time) turn(time);
}

void Load::ramp_up() {
  last_progress_ = monotonic_ns();
  for (std::size_t opened = 0; arrived_ < slots_.size();) {
    while (opened < slots_.size() && opened - arrived_ < kRamp) open(slots_[opened++]);
    turn(monotonic_ns() + 100'000'000);
  }
}

// Those that begin at intervals begin evenly spread over them.
void Load::start() {
  started_ = true;
  pace_.restart();
  const std::uint64_t now = monotonic_ns();
  std::size_t index = 0;
  for (Slot& slot : slots_) {
    slot.next = now + slot.role->every * (index++ * 61 % 100) / 100;
    again(slot);
  }
}

// Every client that resumes has a ticket, and the subject takes them.
void Load::await_tickets() {
  const auto resuming = static_cast<std::uint64_t>(
      std::count_if(slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.role->resume; }));
  const std::uint64_t full = journal_.full_handshakes;
  while (journal_.resumed_handshakes < 2 * resuming) {
    turn(monotonic_ns() + 100'000'000);
    if (journal_.full_handshakes > full + resuming) not_resumed();
  }
}

// Lets every session finish its command, say LOGOUT and see the end, so that all journals are exact.
void Load::drain() {
  draining_ = true;
  last_progress_ = monotonic_ns();
  due_ = {};
  held_.clear();
  for (Slot& slot : slots_)
    if (slot.session && slot.session->state == Session::State::ready) end(slot);
  while (open_ > 0) turn(monotonic_ns() + 100'000'000);
}

// Whether there are clients that connect anew, resumed or not.
bool Load::handshakes(bool resumed) const {
  const std::vector<Role>& roles = options_.workload->roles;
  return std::any_of(roles.begin(), roles.end(), [&](const Role& r) { return r.anew && r.resume == resumed; });
}

// Operations that should begin within `duration` nanoseconds; 0 where there is no plan.
double Load::planned(std::uint64_t duration) const {
  double operations = 0;
  for (const Slot& slot : slots_)
    if (slot.role->every > 0) operations += static_cast<double>(duration) / static_cast<double>(slot.role->every);
  return operations;
}

Mark Load::mark() const {
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

// In a window of its own, since counting makes them slower. Null: not asked for, or not permitted.
Json Load::count_system_calls() {
  if (options_.count == 0) return {};
  const SyscallCounter counter(process_tree(options_.subject));
  const std::uint64_t start = monotonic_ns();
  const std::uint64_t operations = operations_;
  const std::uint64_t bytes = journal_.bytes_in;
  turn_until(start + options_.count);
  const std::optional<std::uint64_t> calls = counter.count();
  if (!calls) return {};
  return {{"calls", *calls},
          {"operations", operations_ - operations},
          {"bytes", journal_.bytes_in - bytes},
          {"seconds", static_cast<double>(monotonic_ns() - start) / 1e9}};
}

Json Load::run() {
  const Mark before = mark();
  ramp_up();
  start();
  await_tickets();
  turn_until(monotonic_ns() + options_.warmup);
  const Mark begin = mark();
  const std::uint64_t full_before = journal_.full_handshakes;
  measuring_ = true;
  turn_until(begin.at + options_.window);
  measuring_ = false;
  const Mark stop = mark();
  if (handshakes(true) && journal_.full_handshakes != full_before) not_resumed();
  if (handshakes(false) && journal_.resumed_handshakes > 0)
    throw std::runtime_error("handshakes that should have been full were resumed");
  const Json system_calls = count_system_calls();
  drain();
  Json all = report(before, begin, stop);
  all["system_calls"] = system_calls;
  return all;
}

namespace {

Json process_report(const ProcessSample& from, const ProcessSample& to) {
  return {{"cpu_s", static_cast<double>(to.cpu_ns - from.cpu_ns) / 1e9},
          {"user_ms", to.user_ms - from.user_ms},
          {"system_ms", to.system_ms - from.system_ms},
          {"resident_kib", to.resident_kib}};
}

Json journal_report(const Journal& j) {
  return {{"connections", j.connections},
          {"greetings", j.greetings},
          {"full_handshakes", j.full_handshakes},
          {"resumed_handshakes", j.resumed_handshakes},
          {"tagged_ok", j.tagged_ok},
          {"untagged_ok", j.untagged_ok},
          {"untagged_bye", j.untagged_bye},
          {"untagged_exists", j.untagged_exists},
          {"bytes_in", j.bytes_in},
          {"bytes_out", j.bytes_out},
          {"closed_without_notify", j.closed_without_notify},
          {"cipher", j.cipher},
          {"version", j.version},
          {"group", j.group},
          {"certificate", j.certificate}};
}

}  // namespace

Json Load::report(const Mark& before, const Mark& begin, const Mark& stop) {
  std::sort(latencies_.begin(), latencies_.end());
  const auto percentile = [this](std::size_t percent) {
    if (latencies_.empty()) return Json();
    return Json(latencies_[std::min(latencies_.size() - 1, latencies_.size() * percent / 100)] / 1e3);
  };
  return {{"workload", options_.workload->name},
          {"connections", slots_.size()},
          {"window_s", static_cast<double>(stop.at - begin.at) / 1e9},
          {"operations", stop.operations - begin.operations},
          {"planned", planned(stop.at - begin.at)},
          {"bytes", stop.bytes_in - begin.bytes_in},
          {"machine_cpu_s", static_cast<double>(stop.machine_ms - begin.machine_ms) / 1e3},
          {"p50_us", percentile(50)},
          {"p99_us", percentile(99)},
          {"resident_kib_before", before.subject.resident_kib},
          {"subject", process_report(begin.subject, stop.subject)},
          {"server", process_report(begin.server, stop.server)},
          {"client", process_report(begin.client, stop.client)},
          {"journal", journal_report(journal_)}};
}

}  // namespace imapmeter::bench
