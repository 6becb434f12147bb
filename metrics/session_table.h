// /api/v1/sessions: the sessions that are open now. No text of a peer.
#pragma once

#include <string>
#include <vector>

#include "metrics/shard.h"
#include "proxy/open_session.h"

namespace imapmeter::metrics {

// `names` by listener.
std::string sessions_json(const proxy::OpenSessions& sessions, const std::vector<const SkeletonNames*>& names);

}  // namespace imapmeter::metrics
