// Quantiles of a distribution that is known by its buckets, as Prometheus' histogram_quantile() has them: by linear
// interpolation within a bucket. What lies beyond all bounds counts as the last bound.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "metrics/histogram.h"

namespace imapmeter::metrics {

template <const auto& Bounds>
std::uint64_t count(const Histogram<std::uint64_t, Bounds>& values) {
  std::uint64_t all = 0;
  for (const std::uint64_t each : values.buckets) all += each;
  return all;
}

// `quantile`: 0 to 1. Seconds; nothing where nothing was counted.
template <const auto& Bounds>
std::optional<double> quantile(const Histogram<std::uint64_t, Bounds>& values, double quantile) {
  const auto all = static_cast<double>(count(values));
  if (all == 0) return std::nullopt;
  double below = 0;
  double lower = 0;
  for (std::size_t i = 0; i < Bounds.size(); ++i) {
    const double upper = std::chrono::duration<double>(Bounds[i]).count();
    const auto here = static_cast<double>(values.buckets[i]);
    if (here > 0 && below + here >= quantile * all) return lower + (upper - lower) * (quantile * all - below) / here;
    below += here;
    lower = upper;
  }
  return lower;
}

}  // namespace imapmeter::metrics
