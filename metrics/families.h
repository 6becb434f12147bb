// The metric families of a snapshot: names, labels, help texts. The public interface of the product.
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

#include "metrics/snapshot.h"

namespace imapmeter::metrics {

// In the order of documentation. Families without a series are left out.
std::vector<prometheus::MetricFamily> families(const Snapshot& snapshot);

}  // namespace imapmeter::metrics
