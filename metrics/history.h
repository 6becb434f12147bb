// The last hour of each listener in steps of ten seconds, kept by imapmeter itself: a page that is opened now has a
// past. Bounded: 62 KiB for each listener.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/snapshot.h"

namespace imapmeter::metrics {

// Calls `visit` with the name and the present total of everything of which history is kept.
void each_series(const Totals& totals, const std::function<void(const std::string& name, std::uint64_t total)>& visit);
// Of these, what is a number of now rather than a total that grows.
inline constexpr std::string_view sessions_series = "sessions";

// Any thread.
class History {
 public:
  static constexpr std::chrono::seconds step{10};
  static constexpr std::size_t kept = 360;

  // The end of a step.
  void note(const Snapshot& snapshot, std::chrono::system_clock::time_point now);
  // /api/v1/history
  std::string json() const;

 private:
  struct OfListener {
    std::string name;
    std::vector<std::uint64_t> totals;              // at the end of the last step
    std::vector<std::vector<std::uint32_t>> steps;  // by series: a ring, in which `noted_` % kept is the next place
  };

  void note(OfListener& listener, const Totals& totals);

  mutable std::mutex mutex_;
  std::vector<OfListener> listeners_;
  std::size_t noted_ = 0;
  std::chrono::system_clock::time_point end_;
};

}  // namespace imapmeter::metrics
