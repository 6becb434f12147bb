#include "metrics/verdict.h"

#include <algorithm>
#include <cctype>
#include <ctime>
#include <utility>

namespace imapmeter::metrics {
namespace {

constexpr std::uint64_t least_traffic = 20;   // sessions and commands: below it nothing is said
constexpr std::uint64_t least_failures = 10;  // of one party
// A good day has mistyped passwords and scanned ports, but few other failures.
constexpr double share_of_clients = 0.25;
constexpr double share_of_others = 0.05;

constexpr std::array<std::string_view, failure_of_count> attempt_names = {"logins", "sessions", "commands"};

// The failures of one party among logins, sessions or commands.
struct Share {
  Party party = Party::client;
  FailureOf of = FailureOf::login;
  std::uint64_t failures = 0;
  double share = 0;
  Failure most = Failure::client_login_rejected;  // the commonest of them
};

Share share_of(const Window& window, Party party, FailureOf of) {
  Share made{party, of};
  std::uint64_t most = 0;
  for (std::size_t i = 0; i < failure_count; ++i) {
    const auto failure = static_cast<Failure>(i);
    if (row(failure).party != party || row(failure).of != of) continue;
    made.failures += window.failures[i];
    if (window.failures[i] > most) made.most = failure;
    most = std::max(most, window.failures[i]);
  }
  // Sessions that fail now may have begun before the window.
  const std::uint64_t attempts = std::max(window.attempts[at(of)], made.failures);
  if (attempts != 0) made.share = static_cast<double>(made.failures) / static_cast<double>(attempts);
  return made;
}

// What exceeds its limit most.
std::optional<Share> worst(const Window& window) {
  std::optional<Share> found;
  double excess = 1;
  for (std::size_t party = 0; party < party_count; ++party) {
    for (std::size_t of = 0; of < failure_of_count; ++of) {
      const Share share = share_of(window, static_cast<Party>(party), static_cast<FailureOf>(of));
      const double limit = share.party == Party::client ? share_of_clients : share_of_others;
      if (share.failures < least_failures || share.share / limit <= excess) continue;
      excess = share.share / limit;
      found = share;
    }
  }
  return found;
}

std::string sentence(const Share& share) {
  const std::string attempts(attempt_names[at(share.of)]);
  return percent(share.share) + " of " + attempts + " fail, by fault of " + std::string(name(share.party)) + ": " +
         std::to_string(share.failures) + " " + attempts + ", most of which " + std::string(row(share.most).words);
}

std::string counted(const Window& window) {
  std::string text;
  for (const FailureOf of : {FailureOf::session, FailureOf::login, FailureOf::command}) {
    if (!text.empty()) text += ", ";
    text += std::to_string(window.attempts[at(of)]) + " " + std::string(attempt_names[at(of)]);
  }
  return text + " in the last 5 minutes";
}

// In UTC, as in the log.
std::string clock_time(WallTime time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 16> text{};
  std::strftime(text.data(), text.size(), "%H:%M UTC", &parts);
  return text.data();
}

std::string key(const Outlier& outlier) {
  return outlier.upstream + " " + outlier.server + " " + std::string(outlier.what);
}

std::string key(const Verdict& verdict) {
  return std::string(name(verdict.state)) + (verdict.party ? " " + std::string(name(*verdict.party)) : "");
}

}  // namespace

Verdict judge(const Window& window) {
  Verdict verdict;
  verdict.window = window;
  verdict.outliers = outliers(window);
  const std::uint64_t traffic = window.attempts[at(FailureOf::session)] + window.attempts[at(FailureOf::command)];
  if (!verdict.outliers.empty()) {
    verdict.state = VerdictState::trouble;
    verdict.party = Party::server;
    verdict.sentence = sentence(verdict.outliers.front());
  } else if (traffic < least_traffic) {
    verdict.sentence = "Not enough data: " + counted(window);
  } else if (const auto share = worst(window)) {
    verdict.state = VerdictState::trouble;
    verdict.party = share->party;
    verdict.sentence = sentence(*share);
  } else {
    verdict.state = VerdictState::well;
    verdict.sentence = "Mail is well: " + counted(window);
  }
  return verdict;
}

bool Judge::note(const Snapshot& snapshot, WallTime now) {
  const std::lock_guard lock(mutex_);
  readings_.push_back({now, window_of(snapshot)});
  // The last reading that is as old as the window stays: what was counted since then is in the window.
  for (; readings_.size() > 1 && readings_[1].time <= now - window; readings_.pop_front()) older_ = true;
  const Window& last = readings_.back().totals;
  Verdict verdict = judge(older_ ? since(last, readings_.front().totals) : last);
  date(verdict, now);
  const bool changed = verdict.state != verdict_.state || verdict.party != verdict_.party;
  verdict_ = std::move(verdict);
  return changed;
}

void Judge::date(Verdict& verdict, WallTime now) {
  std::map<std::string, WallTime> began;
  const auto began_at = [&](const std::string& what) {
    const auto known = began_.find(what);
    return began[what] = known == began_.end() ? now : known->second;
  };
  verdict.time = now;
  verdict.since = began_at(key(verdict));
  for (Outlier& each : verdict.outliers) each.since = began_at(key(each));
  if (!verdict.outliers.empty()) verdict.since = verdict.outliers.front().since;
  if (verdict.state == VerdictState::trouble)
    verdict.sentence = "Since " + clock_time(verdict.since) + " " + verdict.sentence;
  began_ = std::move(began);
}

Verdict Judge::verdict() const {
  const std::lock_guard lock(mutex_);
  return verdict_;
}

}  // namespace imapmeter::metrics
