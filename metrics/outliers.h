// A server that differs from the others of its upstream, by the test of docs/verdict.md.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/window.h"

namespace imapmeter::metrics {

struct Outlier {
  std::string upstream;
  std::string server;
  std::string_view what;       // "health", "connects", "logins", "first_response"
  double value = 0;            // the share that fails; of "first_response" seconds
  double siblings = 0;         // the median of the others
  std::string_view code = {};  // with which logins are refused; empty where it is not known
  std::size_t others = 0;      // servers of the upstream
  std::size_t normal = 0;      // of these, are no outliers
  std::chrono::system_clock::time_point since = {};
};

// Without `since`. The gravest first: a server that is down, then in the order of `what`.
std::vector<Outlier> outliers(const Window& window);
// "server a:143 refuses 38 % of logins ([UNAVAILABLE]); 2 others normal"
std::string sentence(const Outlier& outlier);
std::string percent(double share);

}  // namespace imapmeter::metrics
