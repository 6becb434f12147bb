// What this process grants its clients, all together: shared by all workers, and asked only at accept, at the dial and
// at the close. A limit that is reached refuses whoever comes next and never ends a session that exists.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "config/config.h"
#include "proxy/imap/deflate_tap.h"
#include "proxy/net.h"
#include "proxy/observer.h"

namespace imapmeter::proxy {

// What a session holds of the limits, to be given back once: see Limits::release().
struct Slots {
  bool session : 1 = false;
  bool network : 1 = false;
  bool handshake : 1 = false;
  bool upstream : 1 = false;
};

// Sessions by client network: /24 of IPv4, /48 of IPv6; those without an address, such as unix sockets, are one
// network. In stripes, so that workers seldom wait for each other.
class NetworkTable {
 public:
  // False: `most` sessions of this network exist. Throws std::bad_alloc.
  bool take(const IpEndpoint& client, unsigned most);
  void give_back(const IpEndpoint& client) noexcept;
  std::size_t size() const;  // networks with sessions

 private:
  static constexpr std::size_t stripe_count = 64;
  struct Stripe {
    mutable std::mutex mutex;
    std::unordered_map<std::uint64_t, unsigned> sessions;
  };
  std::array<Stripe, stripe_count> stripes_;
};

// Grants `rate` events per second, as many at once after a second of silence. Without a lock.
class RateLimit {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  explicit RateLimit(unsigned rate) noexcept : interval_(std::chrono::nanoseconds(std::chrono::seconds(1)) / rate) {}
  bool take(TimePoint now) noexcept;

 private:
  const std::chrono::nanoseconds interval_;
  std::atomic<std::chrono::nanoseconds::rep> full_at_{INT64_MIN / 2};  // when all that was taken has been granted anew
};

// Above 95 % of what this process may hold resident it is overloaded, until it is below 90 %.
class MemoryWatch {
 public:
  // 0: no limit.
  explicit MemoryWatch(std::uint64_t limit) noexcept : limit_(limit) {}
  // From one thread, about once a second.
  void look(std::uint64_t resident) noexcept;
  bool is_short() const noexcept { return short_.load(std::memory_order_relaxed); }
  std::uint64_t limit() const noexcept { return limit_; }

 private:
  const std::uint64_t limit_;
  std::atomic<bool> short_{false};
};

class Limits {
 public:
  using TimePoint = RateLimit::TimePoint;

  // By index: which of the listeners end TLS, and how many upstreams there are.
  Limits(const config::Limits& config, const std::vector<bool>& tls_listeners, std::size_t upstreams);

  // Each returns why the session is refused, or nothing; what was granted is noted in `slots`.
  // At accept, before anything is known of the client.
  std::optional<CloseReason> admit_connection(Slots& slots) noexcept;
  // Once its address is known, which the PROXY header may have told, and before its handshake.
  std::optional<CloseReason> admit_client(Slots& slots, std::size_t listener, const IpEndpoint& client,
                                          TimePoint now) noexcept;
  // Before the upstream is dialled.
  std::optional<CloseReason> admit_upstream(Slots& slots, std::size_t upstream) noexcept;

  void end_handshake(Slots& slots, std::size_t listener) noexcept;
  // Gives back what `slots` holds; a second call does nothing.
  void release(Slots& slots, std::size_t listener, std::size_t upstream, const IpEndpoint& client) noexcept;

  MemoryWatch memory;
  imap::InflatedSessions inflated;  // asked when a session is compressed, which goes on unread beyond it

 private:
  struct Listener {
    bool tls;
    std::atomic<unsigned> handshakes{0};
    std::optional<RateLimit> rate;
  };
  using Count = std::atomic<unsigned>;

  const config::Limits config_;
  Count sessions_{0};
  NetworkTable networks_;
  std::vector<Listener> listeners_;
  std::vector<Count> upstreams_;
};

// What the system allows this process to hold resident: the lowest of its cgroup's memory.max, of those above it, and
// of RLIMIT_AS; 0 for no limit. `root`: where cgroup v2 is mounted; `membership`: /proc/self/cgroup.
std::uint64_t memory_limit_of_system(const std::string& root = "/sys/fs/cgroup",
                                     const std::string& membership = "/proc/self/cgroup");
// Octets resident now; 0 when the system does not say.
std::uint64_t resident_memory();

}  // namespace imapmeter::proxy
