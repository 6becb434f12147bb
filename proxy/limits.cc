#include "proxy/limits.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>

namespace imapmeter::proxy {
namespace {

// Takes one while there are fewer than `most`.
bool take(std::atomic<unsigned>& count, unsigned most) noexcept {
  unsigned now = count.load(std::memory_order_relaxed);
  do {
    if (now >= most) return false;
  } while (!count.compare_exchange_weak(now, now + 1, std::memory_order_relaxed));
  return true;
}

void give_back(std::atomic<unsigned>& count) noexcept { count.fetch_sub(1, std::memory_order_relaxed); }

// "max" or a number of octets; 0 where there is no such file or no limit in it.
std::uint64_t read_limit(const std::string& path) {
  std::ifstream file(path);
  std::uint64_t limit = 0;
  return file >> limit ? limit : 0;
}

std::uint64_t lower(std::uint64_t a, std::uint64_t b) noexcept { return a == 0 ? b : b == 0 ? a : std::min(a, b); }

// The line "0::/path" of cgroup v2.
std::string cgroup_path(const std::string& membership) {
  std::ifstream file(membership);
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("0::/")) return line.substr(3);
  return "/";
}

}  // namespace

bool NetworkTable::take(const IpEndpoint& client, unsigned most) {
  const std::uint64_t network = network_of(client);
  Stripe& stripe = stripes_[network % stripe_count];
  const std::lock_guard lock(stripe.mutex);
  unsigned& sessions = stripe.sessions[network];
  if (sessions >= most) return false;
  ++sessions;
  return true;
}

void NetworkTable::give_back(const IpEndpoint& client) noexcept {
  const std::uint64_t network = network_of(client);
  Stripe& stripe = stripes_[network % stripe_count];
  const std::lock_guard lock(stripe.mutex);
  const auto found = stripe.sessions.find(network);
  if (--found->second == 0) stripe.sessions.erase(found);
}

std::size_t NetworkTable::size() const {
  std::size_t networks = 0;
  for (const Stripe& each : stripes_) {
    const std::lock_guard lock(each.mutex);
    networks += each.sessions.size();
  }
  return networks;
}

bool RateLimit::take(TimePoint now) noexcept {
  const auto at = std::chrono::nanoseconds(now.time_since_epoch()).count();
  const auto burst = std::chrono::nanoseconds(std::chrono::seconds(1)).count();
  auto full_at = full_at_.load(std::memory_order_relaxed);
  std::chrono::nanoseconds::rep next = 0;
  do {
    next = std::max(full_at, at) + interval_.count();
    if (next > at + burst) return false;
  } while (!full_at_.compare_exchange_weak(full_at, next, std::memory_order_relaxed));
  return true;
}

void MemoryWatch::look(std::uint64_t resident) noexcept {
  if (limit_ == 0) return;
  const std::uint64_t percent = resident / (limit_ / 100);
  if (percent >= 95) short_.store(true, std::memory_order_relaxed);
  if (percent < 90) short_.store(false, std::memory_order_relaxed);
}

Limits::Limits(const config::Limits& config, const std::vector<bool>& tls_listeners, std::size_t upstreams)
    : memory(config.memory != 0 ? config.memory : memory_limit_of_system()),
      inflated(config.inflated_sessions),
      config_(config),
      listeners_(tls_listeners.size()),
      upstreams_(upstreams) {
  for (std::size_t i = 0; i < tls_listeners.size(); ++i) {
    listeners_[i].tls = tls_listeners[i];
    if (tls_listeners[i] && config.handshakes_per_second != 0) listeners_[i].rate.emplace(config.handshakes_per_second);
  }
}

std::optional<CloseReason> Limits::admit_connection(Slots& slots) noexcept {
  if (memory.is_short()) return CloseReason::limit_memory;
  if (config_.sessions == 0) return std::nullopt;
  slots.session = take(sessions_, config_.sessions);
  return slots.session ? std::nullopt : std::optional(CloseReason::limit_global);
}

// The rate comes last: what another limit refuses uses none of it up.
std::optional<CloseReason> Limits::admit_client(Slots& slots, std::size_t listener, const IpEndpoint& client,
                                                TimePoint now) noexcept {
  if (config_.sessions_per_network != 0) {
    try {
      slots.network = networks_.take(client, config_.sessions_per_network);
    } catch (const std::bad_alloc&) {
      return CloseReason::limit_memory;
    }
    if (!slots.network) return CloseReason::limit_per_ip;
  }
  Listener& to = listeners_[listener];
  if (!to.tls) return std::nullopt;
  if (config_.handshakes != 0) {
    slots.handshake = take(to.handshakes, config_.handshakes);
    if (!slots.handshake) return CloseReason::limit_handshakes;
  }
  return to.rate && !to.rate->take(now) ? std::optional(CloseReason::limit_rate) : std::nullopt;
}

std::optional<CloseReason> Limits::admit_upstream(Slots& slots, std::size_t upstream) noexcept {
  if (config_.sessions_per_upstream == 0) return std::nullopt;
  slots.upstream = take(upstreams_[upstream], config_.sessions_per_upstream);
  return slots.upstream ? std::nullopt : std::optional(CloseReason::limit_per_upstream);
}

void Limits::end_handshake(Slots& slots, std::size_t listener) noexcept {
  if (slots.handshake) give_back(listeners_[listener].handshakes);
  slots.handshake = false;
}

void Limits::release(Slots& slots, std::size_t listener, std::size_t upstream, const IpEndpoint& client) noexcept {
  end_handshake(slots, listener);
  if (slots.upstream) give_back(upstreams_[upstream]);
  if (slots.network) networks_.give_back(client);
  if (slots.session) give_back(sessions_);
  slots = {};
}

std::uint64_t memory_limit_of_system(const std::string& root, const std::string& membership) {
  std::uint64_t limit = 0;
  for (std::string path = cgroup_path(membership);; path.erase(path.rfind('/'))) {
    limit = lower(limit, read_limit(root + path + "/memory.max"));
    if (path.find('/') == std::string::npos) break;
  }
  rlimit space{};
  if (getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY) limit = lower(limit, space.rlim_cur);
  return limit;
}

std::uint64_t resident_memory() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t pages = 0;
  statm >> pages >> pages;
  return statm ? pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)) : 0;
}

}  // namespace imapmeter::proxy
