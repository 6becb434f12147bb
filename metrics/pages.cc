#include "metrics/pages.h"

#include "metrics/status_json.h"

namespace imapmeter::metrics {
namespace {

constexpr const char* index_text =
    "imapmeter\n"
    "/metrics        Prometheus text format\n"
    "/livez          200 while the process is alive\n"
    "/readyz         200 while the listeners accept, else 503; with ?upstream=NAME also 503 without a usable server\n"
    "/api/v1/status  totals, rates and build as JSON\n"
    "/api/v1/events  what has happened lately to imapmeter and its servers, as JSON\n"
    "/api/v1/skeletons  the last sessions that ended badly: events without any text of a peer, as JSON\n";

Page not_found() { return {404, "text/plain; charset=utf-8", "not found\n"}; }

}  // namespace

std::string_view path_of(std::string_view target) { return target.substr(0, target.find('?')); }

Page Pages::get(std::string_view target, Exposure exposure) const {
  const std::string_view path = path_of(target);
  Page page;
  if (path == metrics_path) {
    page.type = "text/plain; version=0.0.4; charset=utf-8";
    page.body = metrics_.exposition();
    return page;
  }
  if (path == "/livez") {
    page.body = "alive\n";
    return page;
  }
  if (path == "/readyz") return readiness(target.substr(path.size()));
  if (exposure != Exposure::local) return not_found();

  if (path == "/") {
    page.body = index_text;
    return page;
  }
  if (path == "/api/v1/status") {
    page.type = "application/json";
    page.body = status_json(metrics_.snapshot(), ready_());
    return page;
  }
  if (path == "/api/v1/events") {
    page.type = "application/json";
    page.body = events_json(metrics_.events().all());
    return page;
  }
  if (path == "/api/v1/skeletons") {
    page.type = "application/json";
    page.body = skeletons_json(metrics_.skeletons().all());
    return page;
  }
  return not_found();
}

// For load balancers: `query` may name an upstream. Any other query asks for more than is known here.
Page Pages::readiness(std::string_view query) const {
  constexpr std::string_view of_upstream = "?upstream=";
  bool ready = ready_();
  if (query.starts_with(of_upstream)) {
    const std::optional<bool> usable = metrics_.is_usable(query.substr(of_upstream.size()));
    if (!usable) return {404, "text/plain; charset=utf-8", "no upstream has this name\n"};
    ready = ready && *usable;
  } else if (!query.empty()) {
    return not_found();
  }
  return {ready ? 200U : 503U, "text/plain; charset=utf-8", ready ? "ready\n" : "not ready\n"};
}

}  // namespace imapmeter::metrics
