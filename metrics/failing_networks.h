// From how many client networks logins fail and none succeeds: many at once are an attack, or a server that refuses
// everybody. METRICS.md, auth_failing_networks.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include "proxy/imap/event.h"

namespace imapmeter::metrics {

inline constexpr std::chrono::minutes failing_networks_window{15};

// A table of fixed size, one per worker and listener, written by that worker only; any thread may read. When the few
// places that a network may have are taken, the one that was quiet the longest makes room.
class FailingNetworks {
 public:
  static constexpr std::size_t places = 2048;  // 32 KiB
  // What is known of one network, over all workers.
  struct Times {
    std::uint32_t failed = 0;  // seconds of the steady clock, 0: never
    std::uint32_t succeeded = 0;
  };
  using Merged = std::unordered_map<std::uint64_t, Times>;

  // `network`: a number that stands for it, not 0.
  void note(std::uint64_t network, bool success, imap::TimePoint now) noexcept;
  // Adds what this table knows.
  void merge_into(Merged& merged) const;
  // Networks with a failure and no success within the window.
  static std::size_t count(const Merged& merged, imap::TimePoint now) noexcept;

 private:
  static constexpr std::size_t probes = 8;

  struct Place {
    std::atomic<std::uint64_t> network{0};  // 0: free
    std::atomic<std::uint32_t> failed{0};
    std::atomic<std::uint32_t> succeeded{0};
  };

  Place& place_of(std::uint64_t network) noexcept;

  std::array<Place, places> places_{};
};

}  // namespace imapmeter::metrics
