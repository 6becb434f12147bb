#include "metrics/history.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

namespace imapmeter::metrics {
namespace {

using nlohmann::json;

const std::chrono::system_clock::time_point begin{std::chrono::hours{1000}};

struct Kept {
  Kept() { snapshot.listeners.resize(1); }
  void step() { history.note(snapshot, begin + History::step * ++steps); }
  Totals& totals() { return snapshot.listeners[0].totals; }
  json series(const std::string& name) const {
    return json::parse(history.json()).at("listeners").at(0).at("series").at(name);
  }

  History history;
  Snapshot snapshot;
  int steps = 0;
};

TEST(History, IsEmptyAtFirst) {
  const json answer = json::parse(History().json());
  EXPECT_EQ(answer.at("step_seconds"), 10);
  EXPECT_EQ(answer.at("listeners"), json::array());
}

TEST(History, HasTheIncreaseOfEachStep) {
  Kept kept;
  auto& no = kept.totals().responses[at(imap::ResponseKind::tagged)][at(imap::Condition::no)];
  no = 3;
  kept.step();
  no = 7;
  kept.step();
  kept.step();
  EXPECT_EQ(kept.series("NO"), json::array({3, 4, 0}));
  EXPECT_EQ(kept.series("tagged"), json::array({3, 4, 0}));
  EXPECT_EQ(kept.series("BYE"), json::array({0, 0, 0}));
}

TEST(History, SessionsAreANumberOfNow) {
  Kept kept;
  kept.totals().sessions[at(imap::SessionState::idle)] = 5;
  kept.step();
  kept.totals().sessions[at(imap::SessionState::idle)] = 2;
  kept.step();
  EXPECT_EQ(kept.series("sessions"), json::array({5, 2}));
}

TEST(History, KeepsAnHour) {
  Kept kept;
  for (std::size_t i = 0; i < History::kept + 5; ++i) {
    kept.totals().accepted += i;
    kept.step();
  }
  const json accepted = kept.series("accepted");
  ASSERT_EQ(accepted.size(), History::kept);
  EXPECT_EQ(accepted.front(), 5);
  EXPECT_EQ(accepted.back(), History::kept + 4);
  EXPECT_EQ(json::parse(kept.history.json()).at("end"),
            std::chrono::duration<double>((begin + History::step * 365).time_since_epoch()).count());
}

TEST(History, CommandsAreThoseThatWereAnswered) {
  Kept kept;
  auto& noop = kept.totals().commands[at(imap::Command::noop)];
  for (std::size_t i = 0; i < imap::command_result_count; ++i) noop[i] = 1;
  kept.step();
  EXPECT_EQ(kept.series("commands"), json::array({3}));
}

TEST(History, LoginsThatNobodyAnsweredAreNoFailures) {
  Kept kept;
  auto& plain = kept.totals().auth_attempts[at(imap::Mechanism::plain)];
  for (std::size_t i = 0; i < imap::auth_result_count; ++i) plain[i] = 1;
  kept.step();
  EXPECT_EQ(kept.series("login_success"), json::array({1}));
  EXPECT_EQ(kept.series("login_failed"), json::array({5})) << "rejected, temporary, policy, other_no, bad";
}

TEST(History, HasEachMemberPartyOutcomeAndReason) {
  std::set<std::string> names;
  each_series({}, [&](const std::string& name, std::uint64_t) { names.insert(name); });
  EXPECT_EQ(names.size(), 10U + party_count + imap::outcome_count + imap::status_code_count + imap::bye_reason_count);
  for (const char* name : {"NO", "failures.imapmeter", "outcome.cut", "status.UNSOLICITED", "bye.shutdown", "sessions"})
    EXPECT_TRUE(names.contains(name)) << name;
}

TEST(History, KeepsListenersApart) {
  Kept kept;
  kept.snapshot.listeners.resize(2);
  kept.snapshot.listeners[1].name = "second";
  kept.snapshot.listeners[1].totals.accepted = 4;
  kept.step();
  const json listeners = json::parse(kept.history.json()).at("listeners");
  EXPECT_EQ(listeners.at(0).at("series").at("accepted"), json::array({0}));
  EXPECT_EQ(listeners.at(1).at("name"), "second");
  EXPECT_EQ(listeners.at(1).at("series").at("accepted"), json::array({4}));
}

}  // namespace
}  // namespace imapmeter::metrics
