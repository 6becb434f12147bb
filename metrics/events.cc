#include "metrics/events.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace imapmeter::metrics {

void Events::note(Event event) {
  const std::lock_guard lock(mutex_);
  ring_[noted_++ % kept] = std::move(event);
}

void Events::note_once(const std::string& key, Event event) {
  {
    const std::lock_guard lock(mutex_);
    if (!keys_.insert(key).second) return;
  }
  note(std::move(event));
}

std::vector<Event> Events::all() const {
  std::vector<Event> found;
  const std::lock_guard lock(mutex_);
  for (std::size_t back = 1; back <= std::min(noted_, kept); ++back) found.push_back(ring_[(noted_ - back) % kept]);
  return found;
}

std::string events_json(const std::vector<Event>& events) {
  nlohmann::json all = nlohmann::json::array();
  for (const Event& each : events) {
    const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(each.time.time_since_epoch());
    nlohmann::json one = {{"event", each.what}, {"time_ms", since.count()}};
    for (const auto& [key, value] : each.members) one[key] = value;
    for (const auto& [key, values] : each.lists) one[key] = values;
    all.push_back(std::move(one));
  }
  return nlohmann::json{{"events", std::move(all)}}.dump();
}

}  // namespace imapmeter::metrics
