#include "metrics/pages.h"

#include "metrics/status_json.h"

namespace imapmeter::metrics {
namespace {

constexpr const char* index_text =
    "imapmeter\n"
    "/metrics        Prometheus text format\n"
    "/livez          200 while the process is alive\n"
    "/readyz         200 while the listeners accept, else 503\n"
    "/api/v1/status  totals, rates and build as JSON\n";

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
  // A query asks for more than this page knows (the state of one upstream): no answer is better than a wrong one.
  if (target == "/readyz") {
    const bool ready = ready_();
    page.status = ready ? 200 : 503;
    page.body = ready ? "ready\n" : "not ready\n";
    return page;
  }
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
  return not_found();
}

}  // namespace imapmeter::metrics
