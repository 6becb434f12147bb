// GET /api/v1/status.
#pragma once

#include <string>

#include "metrics/snapshot.h"

namespace imapmeter::metrics {

// Totals since the start, rates, build. Objects are keyed by the label values of the metrics; zeros are left out of
// response_codes only.
std::string status_json(const Snapshot& snapshot, bool ready);

}  // namespace imapmeter::metrics
