#include "metrics/family_writer.h"

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

void FamilyWriter::add(Labels labels, std::uint64_t value) {
  // The sum of a gauge's cells is a sum modulo 2^64 of ups and downs: signed.
  const bool gauge = families_.back().type == MetricType::Gauge;
  add(labels, gauge ? static_cast<double>(static_cast<std::int64_t>(value)) : static_cast<double>(value));
}

void FamilyWriter::add(Labels labels, double value) {
  if (value == 0 && zeros_ == Zeros::hidden) return;
  prometheus::MetricFamily& family = families_.back();
  prometheus::ClientMetric& series = family.metric.emplace_back();
  for (const auto& [label, text] : labels) series.label.push_back({std::string(label), std::string(text)});
  if (family.type == MetricType::Counter) {
    series.counter.value = value;
  } else {
    series.gauge.value = value;
  }
}

std::vector<prometheus::MetricFamily> FamilyWriter::finish() {
  std::erase_if(families_, [](const prometheus::MetricFamily& family) { return family.metric.empty(); });
  return std::move(families_);
}

}  // namespace imapmeter::metrics
