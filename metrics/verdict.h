// Is mail well, and if not, whose fault is it? Every ten seconds, from the failures of the last five minutes, by the
// rules of docs/verdict.md.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/outliers.h"
#include "metrics/window.h"

namespace imapmeter::metrics {

enum class VerdictState : std::uint8_t { well, trouble, not_enough_data };
inline constexpr std::array<std::string_view, 3> verdict_state_names = {"well", "trouble", "not_enough_data"};
constexpr std::string_view name(VerdictState state) noexcept {
  return verdict_state_names[static_cast<std::size_t>(state)];
}

using WallTime = std::chrono::system_clock::time_point;

struct Verdict {
  VerdictState state = VerdictState::not_enough_data;
  std::optional<Party> party = std::nullopt;
  std::string sentence = "Not enough data yet";
  WallTime since = {};  // without a break
  WallTime time = {};
  Window window = {};
  std::vector<Outlier> outliers = {};
};

// By what was counted alone: without times.
Verdict judge(const Window& window);

// Any thread.
class Judge {
 public:
  static constexpr std::chrono::seconds window{300};

  // At the end of every History::step. Whether state or party are others than before.
  bool note(const Snapshot& snapshot, WallTime now);
  Verdict verdict() const;

 private:
  struct Reading {
    WallTime time;
    Window totals;
  };

  void date(Verdict& verdict, WallTime now);

  mutable std::mutex mutex_;
  std::deque<Reading> readings_;           // since the beginning of the window
  bool older_ = false;                     // this process is older than the window
  std::map<std::string, WallTime> began_;  // of what holds now
  Verdict verdict_;
};

// /api/v1/verdict
std::string verdict_json(const Verdict& verdict);

}  // namespace imapmeter::metrics
