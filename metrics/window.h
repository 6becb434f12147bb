// What was counted within a time, all listeners together: what verdicts are made from.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "metrics/snapshot.h"

namespace imapmeter::metrics {

struct Window {
  struct Server {
    std::string name;
    bool up = true;  // at the end of the window
    ServerTotals counted;
  };

  std::array<std::uint64_t, failure_count> failures{};
  std::array<std::uint64_t, failure_of_count> attempts{};  // logins and commands answered, connections accepted
  std::array<std::uint64_t, auth_failure_count> auth_failures{};
  std::map<std::string, std::vector<Server>> upstreams;
};

// Since the start.
Window window_of(const Snapshot& snapshot);
// From the end of `before` to the end of `now`, of one process.
Window since(const Window& now, const Window& before);

}  // namespace imapmeter::metrics
