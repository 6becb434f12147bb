// A distribution of durations over buckets that are known when this is compiled.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>

namespace imapmeter::metrics {

// `Bounds`: an array of the buckets' upper limits, rising, each within its bucket. T as in Counts.
template <class T, const auto& Bounds>
struct Histogram {
  std::array<T, std::size(Bounds) + 1> buckets{};  // each value once: not cumulative; the last is beyond all bounds
  T sum{};                                         // nanoseconds

  void observe(std::chrono::nanoseconds value) noexcept {
    value = std::max(value, std::chrono::nanoseconds{0});
    const auto bucket = std::lower_bound(std::begin(Bounds), std::end(Bounds), value) - std::begin(Bounds);
    buckets[static_cast<std::size_t>(bucket)].add(1);
    sum.add(static_cast<std::uint64_t>(value.count()));
  }
};

template <class To, class From, const auto& Bounds>
void add(Histogram<To, Bounds>& to, const Histogram<From, Bounds>& from) noexcept {
  add(to.buckets, from.buckets);
  add(to.sum, from.sum);
}

inline constexpr auto relay_delay_bounds = std::to_array<std::chrono::nanoseconds>({
    std::chrono::microseconds{50},
    std::chrono::microseconds{100},
    std::chrono::microseconds{250},
    std::chrono::microseconds{500},
    std::chrono::milliseconds{1},
    std::chrono::microseconds{2500},
    std::chrono::milliseconds{10},
    std::chrono::milliseconds{100},
});
// Commands, and the steps from accept to login.
inline constexpr auto command_bounds = std::to_array<std::chrono::nanoseconds>({
    std::chrono::microseconds{500},
    std::chrono::milliseconds{1},
    std::chrono::microseconds{2500},
    std::chrono::milliseconds{5},
    std::chrono::milliseconds{10},
    std::chrono::milliseconds{25},
    std::chrono::milliseconds{50},
    std::chrono::milliseconds{100},
    std::chrono::milliseconds{250},
    std::chrono::milliseconds{500},
    std::chrono::seconds{1},
    std::chrono::milliseconds{2500},
    std::chrono::seconds{10},
    std::chrono::seconds{60},
    std::chrono::seconds{300},
});
// Sessions and IDLE.
inline constexpr auto session_bounds = std::to_array<std::chrono::nanoseconds>({
    std::chrono::seconds{1},
    std::chrono::seconds{10},
    std::chrono::seconds{60},
    std::chrono::seconds{330},
    std::chrono::seconds{960},
    std::chrono::seconds{1800},
    std::chrono::seconds{3600},
    std::chrono::seconds{14400},
    std::chrono::seconds{86400},
});
// Few, as every server has them.
inline constexpr auto server_first_response_bounds = std::to_array<std::chrono::nanoseconds>({
    std::chrono::milliseconds{10},
    std::chrono::milliseconds{100},
    std::chrono::seconds{1},
    std::chrono::seconds{10},
});

}  // namespace imapmeter::metrics
