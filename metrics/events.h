// What has happened to the whole of imapmeter, for /api/v1/events: starts, servers that went up or down or changed what
// they can do, a limit that was hit for the first time, a drain. No text of a peer.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace imapmeter::metrics {

struct Event {
  std::string what;
  std::vector<std::pair<std::string, std::string>> members = {};  // names of ours and of the configuration
  std::vector<std::pair<std::string, std::vector<std::string>>> lists = {};
  std::chrono::system_clock::time_point time = std::chrono::system_clock::now();  // for people
};

// Any thread. Seldom: a lock is taken.
class Events {
 public:
  static constexpr std::size_t kept = 200;

  void note(Event event);
  // Only if nothing has been noted under this key.
  void note_once(const std::string& key, Event event);
  std::vector<Event> all() const;  // the latest first

 private:
  mutable std::mutex mutex_;
  std::array<Event, kept> ring_;
  std::size_t noted_ = 0;
  std::set<std::string> keys_;
};

std::string events_json(const std::vector<Event>& events);

}  // namespace imapmeter::metrics
