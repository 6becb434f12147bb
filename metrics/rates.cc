#include "metrics/rates.h"

#include <algorithm>
#include <cmath>
#include <thread>

namespace imapmeter::metrics {
namespace {

// Events closer together than this decay together: an exp() each would cost more than to read them, and a 60,000th of
// the shortest window cannot be seen.
constexpr std::chrono::milliseconds no_time{1};

constexpr auto one_event = [] {
  std::array<double, rate_windows.size()> values{};
  for (std::size_t w = 0; w < values.size(); ++w) values[w] = 1.0 / static_cast<double>(rate_windows[w].length.count());
  return values;
}();

void decay(RateValues& values, imap::TimePoint::duration elapsed) noexcept {
  const double seconds = std::chrono::duration<double>(elapsed).count();
  if (seconds <= 0) return;
  for (std::size_t w = 0; w < rate_windows.size(); ++w) {
    const double factor = std::exp(-seconds / static_cast<double>(rate_windows[w].length.count()));
    for (auto& by_window : values) by_window[w] *= factor;
  }
}

}  // namespace

void add(RateValues& to, const RateValues& from) noexcept {
  for (std::size_t c = 0; c < to.size(); ++c) {
    for (std::size_t w = 0; w < to[c].size(); ++w) to[c][w] += from[c][w];
  }
}

void Rates::count(imap::Condition condition, imap::TimePoint now) noexcept {
  const auto rated = std::find(rated_conditions.begin(), rated_conditions.end(), condition);
  if (rated == rated_conditions.end()) return;

  const auto row = static_cast<std::size_t>(rated - rated_conditions.begin());
  const std::uint64_t version = version_.load(std::memory_order_relaxed);
  const imap::TimePoint last{imap::TimePoint::duration{time_.load(std::memory_order_relaxed)}};
  // Release on each datum: a reader that sees any of the new data sees the odd version too.
  if (now - last < no_time) {
    version_.store(version + 1, std::memory_order_relaxed);
    for (std::size_t w = 0; w < rate_windows.size(); ++w) {
      auto& value = values_[row][w];
      value.store(value.load(std::memory_order_relaxed) + one_event[w], std::memory_order_release);
    }
  } else {
    RateValues values = at(now);
    for (std::size_t w = 0; w < rate_windows.size(); ++w) values[row][w] += one_event[w];
    version_.store(version + 1, std::memory_order_relaxed);
    for (std::size_t c = 0; c < values.size(); ++c) {
      for (std::size_t w = 0; w < values[c].size(); ++w) values_[c][w].store(values[c][w], std::memory_order_release);
    }
    time_.store(now.time_since_epoch().count(), std::memory_order_release);
  }
  version_.store(version + 2, std::memory_order_release);
}

RateValues Rates::at(imap::TimePoint now) const noexcept {
  State state = read();
  decay(state.values, now - state.time);
  return state.values;
}

Rates::State Rates::read() const noexcept {
  for (;;) {
    const std::uint64_t before = version_.load(std::memory_order_acquire);
    State state;
    for (std::size_t c = 0; c < values_.size(); ++c) {
      for (std::size_t w = 0; w < values_[c].size(); ++w) {
        state.values[c][w] = values_[c][w].load(std::memory_order_acquire);
      }
    }
    state.time = imap::TimePoint{imap::TimePoint::duration{time_.load(std::memory_order_acquire)}};
    if (before % 2 == 0 && version_.load(std::memory_order_relaxed) == before) return state;
    std::this_thread::yield();
  }
}

}  // namespace imapmeter::metrics
