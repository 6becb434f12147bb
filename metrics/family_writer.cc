#include "metrics/family_writer.h"

#include <limits>
#include <string>

namespace imapmeter::metrics {

using prometheus::MetricType;

void FamilyWriter::counter(const char* name, const char* help, Zeros zeros) {
  families_.push_back({name, help, MetricType::Counter, {}});
  zeros_ = zeros;
}

void FamilyWriter::gauge(const char* name, const char* help) {
  families_.push_back({name, help, MetricType::Gauge, {}});
  zeros_ = Zeros::shown;
}

void FamilyWriter::histogram(const char* name, const char* help) {
  families_.push_back({name, help, MetricType::Histogram, {}});
  zeros_ = Zeros::hidden;
}

void FamilyWriter::add(Labels labels, std::uint64_t value) {
  // The sum of a gauge's cells is a sum modulo 2^64 of ups and downs: signed.
  const bool gauge = families_.back().type == MetricType::Gauge;
  add(labels, gauge ? static_cast<double>(static_cast<std::int64_t>(value)) : static_cast<double>(value));
}

void FamilyWriter::add(Labels labels, double value) {
  if (value == 0 && zeros_ == Zeros::hidden) return;
  prometheus::ClientMetric& series = add_series(labels);
  if (families_.back().type == MetricType::Counter) {
    series.counter.value = value;
  } else {
    series.gauge.value = value;
  }
}

prometheus::ClientMetric& FamilyWriter::add_series(Labels labels) {
  prometheus::ClientMetric& series = families_.back().metric.emplace_back();
  for (const auto& [label, text] : labels) series.label.push_back({std::string(label), std::string(text)});
  return series;
}

// The count is that of the buckets, so that a look between two additions shows no difference.
void FamilyWriter::add_histogram(Labels labels, std::span<const std::chrono::nanoseconds> bounds,
                                 std::span<const std::uint64_t> buckets, std::uint64_t sum) {
  prometheus::ClientMetric::Histogram to;
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    to.sample_count += buckets[i];
    const bool last = i == bounds.size();
    const double bound =
        last ? std::numeric_limits<double>::infinity() : seconds(static_cast<std::uint64_t>(bounds[i].count()));
    to.bucket.push_back({to.sample_count, bound});
  }
  if (to.sample_count == 0) return;
  to.sample_sum = seconds(sum);
  add_series(labels).histogram = std::move(to);
}

std::vector<prometheus::MetricFamily> FamilyWriter::finish() {
  std::erase_if(families_, [](const prometheus::MetricFamily& family) { return family.metric.empty(); });
  return std::move(families_);
}

}  // namespace imapmeter::metrics
