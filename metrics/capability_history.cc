#include "metrics/capability_history.h"

#include <algorithm>
#include <new>
#include <utility>

namespace imapmeter::metrics {
namespace {

// Of `set` and not of `other`.
std::vector<std::string> words(const imap::CapabilitySet& set, const imap::CapabilitySet& other) {
  std::vector<std::string> found;
  for (std::size_t i = 0; i < imap::capability_words.size(); ++i)
    if (set.has(i) && !other.has(i)) found.emplace_back(imap::capability_words[i]);
  return found;
}

}  // namespace

CapabilityHistory::CapabilityHistory(std::string upstream, std::vector<std::string> servers, Events& events)
    : upstream_(std::move(upstream)), servers_(std::move(servers)), events_(events), of_servers_(servers_.size()) {}

bool CapabilityHistory::is_change(std::size_t server, const imap::Capabilities& capabilities) noexcept {
  if (server >= of_servers_.size()) return false;
  const std::lock_guard lock(mutex_);
  Sets& known = of_servers_[server][capabilities.after_login ? 1 : 0];
  const auto end = known.sets.begin() + static_cast<std::ptrdiff_t>(std::min(known.noted, kept));
  if (std::find(known.sets.begin(), end, capabilities.set) != end) return false;
  const bool first = known.noted == 0;
  const imap::CapabilitySet before = first ? imap::CapabilitySet{} : known.sets[(known.noted - 1) % kept];
  known.sets[known.noted++ % kept] = capabilities.set;
  if (first) return false;
  try {
    tell(server, capabilities.after_login, before, capabilities.set);
  } catch (const std::bad_alloc&) {
    // it is counted all the same
  }
  return true;
}

void CapabilityHistory::tell(std::size_t server, bool after_login, const imap::CapabilitySet& before,
                             const imap::CapabilitySet& now) {
  Event event{"capabilities"};
  event.members = {{"upstream", upstream_},
                   {"server", servers_[server]},
                   {"state", capability_state_names[after_login ? 1 : 0]},
                   {"other_words", before.others == now.others ? "unchanged" : "changed"}};
  event.lists = {{"added", words(now, before)}, {"removed", words(before, now)}};
  events_.note(std::move(event));
}

}  // namespace imapmeter::metrics
