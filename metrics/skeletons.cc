#include "metrics/skeletons.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace imapmeter::metrics {
namespace {

using nlohmann::json;

std::int64_t milliseconds(std::chrono::nanoseconds time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
}

// Two lines for people.
std::string heading(const Skeleton& skeleton) {
  const auto word = [](std::string_view text) { return std::string(text); };
  const std::string thousandths = std::to_string(1000 + milliseconds(skeleton.duration) % 1000).substr(1);
  std::string out = "session " + skeleton.id + " of listener " + skeleton.listener +
                    (skeleton.server.empty() ? ", no server" : ", server " + skeleton.server) + ", client software " +
                    word(name(skeleton.client_software)) + "\n";
  out += "outcome " + word(name(skeleton.outcome)) + ", closed " + word(name(skeleton.reason)) + " in phase " +
         word(name(skeleton.phase)) + " after " + std::to_string(milliseconds(skeleton.duration) / 1000) + "." +
         thousandths + " s, " + std::to_string(skeleton.noted - skeleton.events.size()) + " events forgotten\n";
  return out;
}

json events(const Skeleton& skeleton) {
  json lines = json::array();
  for (const imap::FlightEvent& event : skeleton.events) lines.push_back(imap::text(event));
  return lines;
}

json to_json(const Skeleton& skeleton) {
  return {
      {"id", skeleton.id},
      {"listener", skeleton.listener},
      {"server", skeleton.server.empty() ? json() : json(skeleton.server)},
      {"end_ms", milliseconds(skeleton.end.time_since_epoch())},
      {"reason", name(skeleton.reason)},
      {"phase", name(skeleton.phase)},
      {"outcome", name(skeleton.outcome)},
      {"client_software", name(skeleton.client_software)},
      {"duration_ms", milliseconds(skeleton.duration)},
      {"heading", heading(skeleton)},
      {"events_forgotten", skeleton.noted - skeleton.events.size()},
      {"events", events(skeleton)},
  };
}

}  // namespace

void Skeletons::keep(std::shared_ptr<const Skeleton> skeleton) noexcept {
  const std::lock_guard lock(mutex_);
  ring_[noted_++ % kept].swap(skeleton);  // what it held goes when the lock is gone
}

std::vector<std::shared_ptr<const Skeleton>> Skeletons::all() const {
  std::vector<std::shared_ptr<const Skeleton>> found;
  const std::lock_guard lock(mutex_);
  for (std::size_t back = 1; back <= std::min(noted_, kept); ++back) found.push_back(ring_[(noted_ - back) % kept]);
  return found;
}

std::string skeletons_json(const std::vector<std::shared_ptr<const Skeleton>>& skeletons) {
  json all = json::array();
  for (const auto& each : skeletons) all.push_back(to_json(*each));
  return json{{"skeletons", std::move(all)}}.dump();
}

}  // namespace imapmeter::metrics
