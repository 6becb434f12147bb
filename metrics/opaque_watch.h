// Notices when a share of the sessions that matters can no longer be read, and says what helps.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "metrics/snapshot.h"

namespace imapmeter::metrics {

class OpaqueWatch {
 public:
  static constexpr std::chrono::hours window{1};
  static constexpr std::uint64_t least = 20;  // opaque sessions: below that a share says little
  static constexpr std::uint64_t share = 10;  // one in so many

  // Sentences for the log, one for each listener and reason of which more than a tenth of the sessions accepted in this
  // window went opaque; each at most once a window. Call every now and then.
  std::vector<std::string> look(const Snapshot& snapshot, imap::TimePoint now);

 private:
  struct Listener {
    std::uint64_t accepted = 0;  // when the window began
    std::array<std::uint64_t, imap::opaque_reason_count> opaque{};
    std::array<bool, imap::opaque_reason_count> told{};
  };

  void begin_window(const Snapshot& snapshot, imap::TimePoint now);

  std::map<std::string, Listener> listeners_;
  imap::TimePoint began_{};
  bool begun_ = false;
};

}  // namespace imapmeter::metrics
