#include "metrics/pages.h"

#include <algorithm>

#include "metrics/embedded_files.h"
#include "metrics/status_json.h"

namespace imapmeter::metrics {
namespace {

constexpr std::string_view api_path = "/api/v1/";

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

  if (path.starts_with(api_path)) return api(path.substr(api_path.size()));
  const auto files = embedded_files();
  const auto file = std::find_if(files.begin(), files.end(), [&](const auto& each) { return each.path == path; });
  if (file == files.end()) return not_found();
  page.type = std::string(file->type) + "; charset=utf-8";
  page.body = file->content;
  return page;
}

Page Pages::api(std::string_view what) const {
  Page page;
  page.type = "application/json";
  if (what == "status") {
    page.body = status_json(metrics_.snapshot(), ready_());
  } else if (what == "verdict") {
    page.body = verdict_json(metrics_.verdict());
  } else if (what == "history") {
    page.body = metrics_.history().json();
  } else if (what == "sessions") {
    page.body = metrics_.open_sessions();
  } else if (what == "events") {
    page.body = events_json(metrics_.events().all());
  } else if (what == "skeletons") {
    page.body = skeletons_json(metrics_.skeletons().all());
  } else {
    return not_found();
  }
  return page;
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
