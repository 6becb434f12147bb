// What each server of an upstream could do so far, to notice when that changes. METRICS.md,
// upstream_capability_changes.
#pragma once

#include <array>
#include <cstddef>
#include <mutex>
#include <string>
#include <vector>

#include "metrics/events.h"
#include "proxy/imap/event.h"

namespace imapmeter::metrics {

inline constexpr std::size_t capability_states = 2;  // before and after login
inline constexpr std::array<const char*, capability_states> capability_state_names = {"before_login", "after_login"};

// Shared by the workers of all listeners of one upstream; any thread.
class CapabilityHistory {
 public:
  static constexpr std::size_t kept = 16;  // distinct sets of each server and state

  // `events` outlives this object.
  CapabilityHistory(std::string upstream, std::vector<std::string> servers, Events& events);
  // Whether this set is none of the last ones; the first of a server is not. Then it is an event, too.
  bool is_change(std::size_t server, const imap::Capabilities& capabilities) noexcept;

 private:
  struct Sets {
    std::array<imap::CapabilitySet, kept> sets{};
    std::size_t noted = 0;
  };

  void tell(std::size_t server, bool after_login, const imap::CapabilitySet& before, const imap::CapabilitySet& now);

  const std::string upstream_;
  const std::vector<std::string> servers_;
  Events& events_;
  std::mutex mutex_;
  std::vector<std::array<Sets, capability_states>> of_servers_;
};

}  // namespace imapmeter::metrics
