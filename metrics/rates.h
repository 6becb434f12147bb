// Responses per second, decayed like a load average: for a look at NO, BAD and BYE without a query engine.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proxy/imap/event.h"
#include "proxy/imap/status.h"

namespace imapmeter::metrics {

inline constexpr std::array<imap::Condition, 3> rated_conditions = {imap::Condition::no, imap::Condition::bad,
                                                                    imap::Condition::bye};
struct RateWindow {
  std::string_view name;
  std::chrono::seconds length;
};
inline constexpr std::array<RateWindow, 3> rate_windows = {
    {{"1m", std::chrono::seconds{60}}, {"5m", std::chrono::seconds{300}}, {"15m", std::chrono::seconds{900}}}};

// Per second; by rated_conditions, then by rate_windows.
using RateValues = std::array<std::array<double, rate_windows.size()>, rated_conditions.size()>;
void add(RateValues& to, const RateValues& from) noexcept;

// One writer, any readers. At each event and at each look x = x * exp(-dt / window) + n / window; a look does not
// write, and events within a millisecond decay together. The rates of several objects add up to those of all their
// events.
class Rates {
 public:
  // `condition` outside rated_conditions counts nothing. Calls come in the order of time.
  void count(imap::Condition condition, imap::TimePoint now) noexcept;
  // A time before the last event counts as the time of that event.
  RateValues at(imap::TimePoint now) const noexcept;

 private:
  struct State {
    RateValues values{};
    imap::TimePoint time{};
  };
  State read() const noexcept;

  // A seqlock: odd while the writer is between two states. Its data are atomics so that a torn read, which is thrown
  // away, is no data race.
  std::atomic<std::uint64_t> version_{0};
  std::array<std::array<std::atomic<double>, rate_windows.size()>, rated_conditions.size()> values_{};
  std::atomic<imap::TimePoint::rep> time_{0};
};

}  // namespace imapmeter::metrics
