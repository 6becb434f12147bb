#include "metrics/history.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

namespace imapmeter::metrics {
namespace {

using Visit = std::function<void(const std::string&, std::uint64_t)>;

template <class Enum, std::size_t N>
void each_value(const char* prefix, const std::array<std::uint64_t, N>& table, const Visit& visit) {
  for (std::size_t i = 0; i < N; ++i) visit(prefix + std::string(name(static_cast<Enum>(i))), table[i]);
}

template <std::size_t N>
std::uint64_t sum(const std::array<std::uint64_t, N>& table) {
  std::uint64_t all = 0;
  for (const std::uint64_t each : table) all += each;
  return all;
}

std::uint64_t responses(const Totals& totals, imap::Condition condition) {
  std::uint64_t all = 0;
  for (const auto& kind : totals.responses) all += kind[at(condition)];
  return all;
}

// Commands that were answered.
std::uint64_t answered(const Totals& totals) {
  std::uint64_t all = 0;
  for (const auto& results : totals.commands)
    all += results[at(imap::CommandResult::ok)] + results[at(imap::CommandResult::no)] +
           results[at(imap::CommandResult::bad)];
  return all;
}

std::uint64_t logins(const Totals& totals, bool successful) {
  std::uint64_t all = 0;
  for (const auto& results : totals.auth_attempts) {
    for (std::size_t i = 0; i < results.size(); ++i) {
      const auto result = static_cast<imap::AuthResult>(i);
      const bool unanswered = result == imap::AuthResult::aborted || result == imap::AuthResult::cancelled;
      if (!unanswered && (result == imap::AuthResult::success) == successful) all += results[i];
    }
  }
  return all;
}

void each_party(const Totals& totals, const Visit& visit) {
  std::array<std::uint64_t, party_count> parties{};
  for (std::size_t i = 0; i < failure_count; ++i) parties[at(row(static_cast<Failure>(i)).party)] += totals.failures[i];
  each_value<Party>("failures.", parties, visit);
}

}  // namespace

void each_series(const Totals& totals, const Visit& visit) {
  for (const imap::Condition condition : {imap::Condition::no, imap::Condition::bad, imap::Condition::bye})
    visit(std::string(name(condition)), responses(totals, condition));
  visit("tagged", sum(totals.responses[at(imap::ResponseKind::tagged)]));
  visit("accepted", totals.accepted);
  visit("authenticated", totals.authenticated);
  visit("commands", answered(totals));
  visit("login_success", logins(totals, true));
  visit("login_failed", logins(totals, false));
  each_party(totals, visit);
  each_value<imap::Outcome>("outcome.", totals.outcomes, visit);
  each_value<imap::StatusCode>("status.", totals.status_codes, visit);
  each_value<imap::ByeReason>("bye.", totals.bye, visit);
  visit(std::string(sessions_series), sum(totals.sessions));
}

void History::note(const Snapshot& snapshot, std::chrono::system_clock::time_point now) {
  const std::lock_guard lock(mutex_);
  listeners_.resize(snapshot.listeners.size());
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    listeners_[i].name = snapshot.listeners[i].name;
    note(listeners_[i], snapshot.listeners[i].totals);
  }
  ++noted_;
  end_ = now;
}

void History::note(OfListener& listener, const Totals& totals) {
  std::size_t series = 0;
  each_series(totals, [&](const std::string& name, std::uint64_t total) {
    if (series == listener.steps.size()) {
      listener.totals.push_back(0);  // first: where there is no memory for the next line, this one is used again
      listener.steps.emplace_back(kept);
    }
    const std::uint64_t before = std::exchange(listener.totals[series], total);
    const std::uint64_t value = name == sessions_series ? total : total - before;
    listener.steps[series][noted_ % kept] =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(value, std::numeric_limits<std::uint32_t>::max()));
    ++series;
  });
}

std::string History::json() const {
  const std::lock_guard lock(mutex_);
  const std::size_t count = std::min(noted_, kept);
  auto listeners = nlohmann::json::array();
  for (const OfListener& listener : listeners_) {
    auto all = nlohmann::json::object();
    std::size_t series = 0;
    each_series({}, [&](const std::string& name, std::uint64_t) {
      auto& values = all[name] = nlohmann::json::array();
      for (std::size_t i = noted_ - count; i < noted_; ++i) values.push_back(listener.steps[series][i % kept]);
      ++series;
    });
    listeners.push_back({{"name", listener.name}, {"series", std::move(all)}});
  }
  const nlohmann::json history = {
      {"step_seconds", step.count()}, {"end", epoch(end_)}, {"listeners", std::move(listeners)}};
  return history.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace imapmeter::metrics
