// What is served at which path, as text; knows no HTTP library.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "metrics/metrics.h"

namespace imapmeter::metrics {

// Who may reach a listener: the network (scrapes and probes only) or this machine (all pages).
enum class Exposure { network, local };

struct Page {
  unsigned status = 200;
  std::string type = "text/plain; charset=utf-8";
  std::string body;
};

inline constexpr std::string_view metrics_path = "/metrics";

// The path of a request target: what is before the first '?'. Compared as it is, never decoded.
std::string_view path_of(std::string_view target);

class Pages {
 public:
  Pages(const Metrics& metrics, std::function<bool()> ready) : metrics_(metrics), ready_(std::move(ready)) {}

  // Status 404 for what is not served there.
  Page get(std::string_view target, Exposure exposure) const;

 private:
  // The console's and anybody's: totals, verdict, history, open sessions, events, sessions that ended badly.
  Page api(std::string_view what) const;
  Page readiness(std::string_view query) const;

  const Metrics& metrics_;
  std::function<bool()> ready_;
};

}  // namespace imapmeter::metrics
