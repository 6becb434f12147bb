// The families of METRICS.md, "Commands and authentication".
#pragma once

#include "metrics/family_writer.h"
#include "metrics/snapshot.h"

namespace imapmeter::metrics {

void commands(FamilyWriter& out, const Snapshot& all);
void logins(FamilyWriter& out, const Snapshot& all);

}  // namespace imapmeter::metrics
