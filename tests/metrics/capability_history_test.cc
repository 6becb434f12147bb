#include "metrics/capability_history.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "metrics/metrics.h"
#include "tests/metrics/drive.h"

namespace imapmeter::metrics {
namespace {

std::size_t place(std::string_view word) {
  return static_cast<std::size_t>(std::find(imap::capability_words.begin(), imap::capability_words.end(), word) -
                                  imap::capability_words.begin());
}

imap::Capabilities can(std::initializer_list<std::string_view> words, bool after_login = false,
                       std::uint64_t others = 0) {
  imap::Capabilities made;
  for (const std::string_view word : words) made.set.add(place(word));
  made.set.others = others;
  made.after_login = after_login;
  return made;
}

TEST(CapabilityHistory, NoticesWhatIsNew) {
  Events events;
  CapabilityHistory history("dovecot", {"a:1", "b:1"}, events);
  EXPECT_FALSE(history.is_change(0, can({"IDLE"}))) << "the first is none";
  EXPECT_FALSE(history.is_change(0, can({"IDLE"})));
  EXPECT_FALSE(history.is_change(1, can({"MOVE"}))) << "each server by itself";
  EXPECT_FALSE(history.is_change(0, can({"MOVE"}, true))) << "each state by itself";
  EXPECT_TRUE(history.is_change(0, can({"IDLE", "MOVE"})));
  EXPECT_FALSE(history.is_change(0, can({"IDLE"}))) << "known before";
  EXPECT_TRUE(history.is_change(0, can({"IDLE", "MOVE"}, false, 7))) << "a word outside the list";
  EXPECT_FALSE(history.is_change(9, can({"IDLE"})));
  EXPECT_EQ(events.all().size(), 2U);
}

TEST(CapabilityHistory, RemembersSixteen) {
  Events events;
  CapabilityHistory history("dovecot", {"a:1"}, events);
  for (std::uint64_t n = 0; n < CapabilityHistory::kept; ++n) history.is_change(0, can({}, false, n));
  EXPECT_FALSE(history.is_change(0, can({}, false, 0)));
  EXPECT_TRUE(history.is_change(0, can({}, false, 16)));
  EXPECT_TRUE(history.is_change(0, can({}, false, 0))) << "forgotten for the sixteenth behind it";
}

TEST(CapabilityHistory, TellsTheWordsThatCameAndWent) {
  Events events;
  CapabilityHistory history("dovecot", {"a:1"}, events);
  history.is_change(0, can({"IDLE", "MOVE"}, true));
  history.is_change(0, can({"IDLE", "QUOTA"}, true, 5));
  const auto read = nlohmann::json::parse(events_json(events.all())).at("events").at(0);
  EXPECT_EQ(read.at("event"), "capabilities");
  EXPECT_EQ(read.at("upstream"), "dovecot");
  EXPECT_EQ(read.at("server"), "a:1");
  EXPECT_EQ(read.at("state"), "after_login");
  EXPECT_EQ(read.at("other_words"), "changed");
  EXPECT_EQ(read.at("added"), nlohmann::json({"QUOTA"}));
  EXPECT_EQ(read.at("removed"), nlohmann::json({"MOVE"}));
}

TEST(CapabilityHistory, IsSharedByTheWorkers) {
  Metrics metrics(one_listener(), 2, build());
  metrics.shard(0, 0).on_server_capabilities(1, can({"IDLE"}));
  metrics.shard(1, 0).on_server_capabilities(1, can({"IDLE"}));
  metrics.shard(1, 0).on_server_capabilities(1, can({"MOVE"}));
  metrics.shard(0, 0).on_server_capabilities(1, can({"MOVE"}));
  std::uint64_t changes = 0;
  for (unsigned worker = 0; worker < 2; ++worker)
    changes += metrics.shard(worker, 0).servers()[1].capability_changes[0].read();
  EXPECT_EQ(changes, 1U);
}

TEST(Events, KeepsTheLastTwoHundred) {
  Events events;
  for (int n = 0; n < 210; ++n) events.note({std::to_string(n)});
  const auto all = events.all();
  ASSERT_EQ(all.size(), Events::kept);
  EXPECT_EQ(all.front().what, "209");
  EXPECT_EQ(all.back().what, "10");
}

TEST(Events, TellOfServersAndOfLimitsOnce) {
  Metrics metrics(one_listener(), 2, build());
  metrics.note_health_check(0, 1, true, true);
  metrics.note_health_check(0, 1, false, false);
  metrics.note_health_check(0, 1, true, true);
  for (unsigned worker = 0; worker < 2; ++worker)
    for (int i = 0; i < 3; ++i)
      metrics.shard(worker, 0).on_closed(
          {proxy::CloseReason::limit_rate, proxy::Phase::handshake, imap::SessionState::connecting, {}});
  std::vector<std::string> told;
  for (const Event& each : metrics.events().all()) told.push_back(each.what);
  EXPECT_EQ(told, (std::vector<std::string>{"limit", "server_up", "server_down"}));
}

}  // namespace
}  // namespace imapmeter::metrics
