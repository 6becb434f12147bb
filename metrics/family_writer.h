// Builds metric families one after the other, from numbers that are sums of cells.
#pragma once

#include <prometheus/metric_family.h>

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "metrics/histogram.h"

namespace imapmeter::metrics {

// Shown: every label value from the start, so that rate() sees the first event. Hidden: a series appears with its
// first event, where there are too many label values to show them all.
enum class Zeros : std::uint8_t { shown, hidden };

class FamilyWriter {
 public:
  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  // Opens a family. Help texts hold neither newline nor backslash: the serializer does not escape them.
  void counter(const char* name, const char* help, Zeros zeros = Zeros::shown);
  void gauge(const char* name, const char* help);
  void histogram(const char* name, const char* help);  // zeros hidden

  // A series of the family opened last. As doubles, sums are exact up to 2^53.
  void add(Labels labels, std::uint64_t value);
  void add(Labels labels, double value);
  template <const auto& Bounds>
  void add(Labels labels, const Histogram<std::uint64_t, Bounds>& values) {
    add_histogram(labels, Bounds, values.buckets, values.sum);
  }

  // Families without a series are left out.
  std::vector<prometheus::MetricFamily> finish();

  // From nanoseconds, whose sums are exact.
  static double seconds(std::uint64_t nanoseconds) noexcept { return static_cast<double>(nanoseconds) / 1e9; }

 private:
  prometheus::ClientMetric& add_series(Labels labels);
  void add_histogram(Labels labels, std::span<const std::chrono::nanoseconds> bounds,
                     std::span<const std::uint64_t> buckets, std::uint64_t sum);

  std::vector<prometheus::MetricFamily> families_;
  Zeros zeros_ = Zeros::shown;
};

}  // namespace imapmeter::metrics
