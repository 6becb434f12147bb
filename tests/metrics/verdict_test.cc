// docs/verdict.md: an incident for each row of its table, and a quiet day.
#include "metrics/verdict.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace imapmeter::metrics {
namespace {

using nlohmann::json;

const WallTime noon{std::chrono::hours{24 * 365 * 50 + 12}};

// Five minutes of an ordinary server.
Window good_day() {
  Window window;
  window.attempts[at(FailureOf::login)] = 1000;
  window.attempts[at(FailureOf::session)] = 1000;
  window.attempts[at(FailureOf::command)] = 1000;
  return window;
}

Window::Server server(const char* name, std::uint64_t logins, std::uint64_t refused) {
  Window::Server made;
  made.name = name;
  made.counted.auth_attempts[at(ServerAuthResult::success)] = logins - refused;
  made.counted.auth_attempts[at(ServerAuthResult::temporary)] = refused;
  made.counted.connects[at(proxy::ConnectResult::ok)] = logins;
  made.counted.first_response.buckets[0] = logins;
  return made;
}

Window three_servers() {
  Window window = good_day();
  window.upstreams["dovecot"] = {server("a:143", 300, 0), server("b:143", 300, 1), server("c:143", 300, 0)};
  return window;
}

class EachFailure : public testing::TestWithParam<std::size_t> {};

TEST_P(EachFailure, IsAnIncidentOfItsParty) {
  const auto failure = static_cast<Failure>(GetParam());
  Window window = good_day();
  window.failures[GetParam()] = 400;
  const Verdict verdict = judge(window);
  EXPECT_EQ(verdict.state, VerdictState::trouble);
  EXPECT_EQ(verdict.party, row(failure).party);
  EXPECT_NE(verdict.sentence.find("40 % of"), std::string::npos) << verdict.sentence;
  EXPECT_NE(verdict.sentence.find(row(failure).words), std::string::npos) << verdict.sentence;
}

// One below its limit of 5 or 25 %: as on any day.
TEST_P(EachFailure, BelowItsLimitIsNone) {
  const bool client = row(static_cast<Failure>(GetParam())).party == Party::client;
  Window window = good_day();
  window.failures[GetParam()] = client ? 250 : 50;
  EXPECT_EQ(judge(window).state, VerdictState::well) << judge(window).sentence;
  ++window.failures[GetParam()];
  EXPECT_EQ(judge(window).state, VerdictState::trouble) << judge(window).sentence;
}

// Nine of nine would be a large share.
TEST_P(EachFailure, BelowTenIsNone) {
  Window window = good_day();
  window.attempts[at(row(static_cast<Failure>(GetParam())).of)] = 30;
  window.failures[GetParam()] = 9;
  EXPECT_EQ(judge(window).state, VerdictState::well);
  window.failures[GetParam()] = 10;
  EXPECT_EQ(judge(window).state, VerdictState::trouble);
}

INSTANTIATE_TEST_SUITE_P(Verdict, EachFailure, testing::Range<std::size_t>(0, failure_count), [](const auto& info) {
  const FailureRow& of = row(static_cast<Failure>(info.param));
  return std::string(name(of.party)) + "_" + std::string(of.kind);
});

TEST(Verdict, AQuietDayHasNone) {
  Window window = three_servers();
  window.failures[at(Failure::client_login_rejected)] = 80;
  window.failures[at(Failure::client_hung_up)] = 20;
  window.failures[at(Failure::policy_inactivity)] = 15;
  window.failures[at(Failure::server_shutdown)] = 3;
  const Verdict verdict = judge(window);
  EXPECT_EQ(verdict.state, VerdictState::well) << verdict.sentence;
  EXPECT_EQ(verdict.party, std::nullopt);
  EXPECT_EQ(verdict.sentence, "Mail is well: 1000 sessions, 1000 logins, 1000 commands in the last 5 minutes");
}

TEST(Verdict, SaysThatThereIsNotEnoughData) {
  Window window;
  window.attempts[at(FailureOf::session)] = 10;
  window.attempts[at(FailureOf::command)] = 9;
  window.failures[at(Failure::server_closed)] = 10;
  EXPECT_EQ(judge(window).state, VerdictState::not_enough_data);
  ++window.attempts[at(FailureOf::command)];
  EXPECT_EQ(judge(window).state, VerdictState::trouble);
}

TEST(Verdict, SumsTheKindsOfAPartyAndNamesTheCommonest) {
  Window window = good_day();
  window.failures[at(Failure::server_closed)] = 30;
  window.failures[at(Failure::server_shutdown)] = 25;
  const Verdict verdict = judge(window);
  EXPECT_EQ(verdict.party, Party::server);
  EXPECT_EQ(
      verdict.sentence,
      "6 % of sessions fail, by fault of server: 55 sessions, most of which were cut by the server without a word");
}

TEST(Verdict, NamesTheServerThatRefusesLogins) {
  Window window = three_servers();
  window.upstreams["dovecot"][1] = server("b:143", 300, 114);
  window.auth_failures[at(AuthFailure::unavailable)] = 110;
  window.auth_failures[at(AuthFailure::inuse)] = 4;
  const Verdict verdict = judge(window);
  ASSERT_EQ(verdict.outliers.size(), 1U);
  EXPECT_EQ(verdict.party, Party::server);
  EXPECT_EQ(verdict.sentence, "server b:143 refuses 38 % of logins ([UNAVAILABLE]); 2 others normal");
}

TEST(Verdict, AServerThatRejectsPasswordsIsNoOutlier) {
  Window window = three_servers();
  auto& attempts = window.upstreams["dovecot"][1].counted.auth_attempts;
  attempts[at(ServerAuthResult::rejected)] = 300;
  EXPECT_EQ(judge(window).state, VerdictState::well);
}

TEST(Verdict, WhereAllServersRefuseNoneIsAnOutlier) {
  Window window = three_servers();
  for (auto& each : window.upstreams["dovecot"]) each = server(each.name.c_str(), 300, 150);
  window.failures[at(Failure::server_login_temporary)] = 450;
  const Verdict verdict = judge(window);
  EXPECT_TRUE(verdict.outliers.empty());
  EXPECT_EQ(verdict.party, Party::server);
}

TEST(Verdict, AHandfulOfBadLuckIsNoOutlier) {
  Window window = three_servers();
  window.upstreams["dovecot"][1] = server("b:143", 19, 19);
  EXPECT_TRUE(judge(window).outliers.empty()) << "19 logins are too few";
  window.upstreams["dovecot"][1] = server("b:143", 20, 20);
  EXPECT_EQ(judge(window).outliers.size(), 1U);
  window = three_servers();
  window.upstreams["dovecot"] = {server("a:143", 9, 0), server("b:143", 300, 300), server("c:143", 9, 0)};
  EXPECT_TRUE(judge(window).outliers.empty()) << "18 logins of the others are too few";
}

// 15 points above the median, with 20 logins each: three failures may be chance.
TEST(Verdict, ChanceIsNoOutlier) {
  Window window = three_servers();
  window.upstreams["dovecot"] = {server("a:143", 20, 0), server("b:143", 20, 3), server("c:143", 20, 0)};
  EXPECT_TRUE(judge(window).outliers.empty());
  window.upstreams["dovecot"] = {server("a:143", 2000, 0), server("b:143", 2000, 300), server("c:143", 2000, 0)};
  EXPECT_EQ(judge(window).outliers.size(), 1U);
}

TEST(Verdict, NamesTheServerThatFailsConnections) {
  Window window = three_servers();
  window.upstreams["dovecot"][2].counted.connects[at(proxy::ConnectResult::refused)] = 300;
  EXPECT_EQ(judge(window).sentence, "server c:143 fails 50 % of connections; 2 others normal");
}

TEST(Verdict, NamesTheServerThatIsSlow) {
  Window window = three_servers();
  auto& buckets = window.upstreams["dovecot"][0].counted.first_response.buckets;
  buckets[0] = 200;
  buckets[2] = 100;
  const Verdict verdict = judge(window);
  EXPECT_EQ(
      verdict.sentence,
      "server a:143 is slow: one first response in ten takes 730 ms or more, of its siblings 9 ms; 2 others normal");
  buckets[1] = 100;
  buckets[2] = 0;
  EXPECT_EQ(judge(window).outliers.size(), 1U) << "73 ms are eight times 9 ms";
  for (auto& each : window.upstreams["dovecot"]) {
    each.counted.first_response.buckets[0] = 200;
    each.counted.first_response.buckets[1] = 100;
  }
  EXPECT_TRUE(judge(window).outliers.empty()) << "as slow as the others";
}

TEST(Verdict, NamesTheServerThatIsDownEvenWithoutTraffic) {
  Window window;
  window.upstreams["dovecot"] = {server("a:143", 0, 0), server("b:143", 0, 0)};
  EXPECT_EQ(judge(window).state, VerdictState::not_enough_data);
  window.upstreams["dovecot"][0].up = false;
  EXPECT_EQ(judge(window).sentence, "server a:143 is down; 1 other normal");
  window.upstreams["dovecot"][1].up = false;
  EXPECT_EQ(judge(window).sentence, "server a:143 is down; no other is normal");
}

TEST(Verdict, AnOnlyServerHasNoSiblings) {
  Window window = good_day();
  window.upstreams["dovecot"] = {server("a:143", 300, 300)};
  EXPECT_TRUE(judge(window).outliers.empty());
  window.upstreams["dovecot"][0].up = false;
  EXPECT_EQ(judge(window).sentence, "server a:143 is down");
}

struct Judged {
  Judged() {
    snapshot.listeners.resize(1);
    snapshot.upstreams.emplace_back().name = "dovecot";
    for (const char* name : {"a:143", "b:143"}) {
      snapshot.upstreams[0].servers[name] = {};
      snapshot.upstreams[0].health[name] = {};
    }
  }
  // Ten seconds of traffic, in which so many logins in ten fail.
  bool step(std::uint64_t failures) {
    Totals& totals = snapshot.listeners[0].totals;
    totals.accepted += 10;
    totals.auth_attempts[at(imap::Mechanism::plain)][at(imap::AuthResult::success)] += 10 - failures;
    totals.auth_attempts[at(imap::Mechanism::plain)][at(imap::AuthResult::temporary)] += failures;
    totals.failures[at(Failure::server_login_temporary)] += failures;
    return judge.note(snapshot, now += std::chrono::seconds{10});
  }

  Judge judge;
  Snapshot snapshot;
  WallTime now = noon;
};

TEST(Judge, SaysSinceWhenThereIsTrouble) {
  Judged day;
  for (int i = 0; i < 30; ++i) day.step(0);
  EXPECT_EQ(day.judge.verdict().state, VerdictState::well);
  EXPECT_EQ(day.judge.verdict().since, noon + std::chrono::seconds{20}) << "as soon as there was enough data";
  bool changed = false;
  int steps = 0;
  for (; !changed; ++steps) changed = day.step(10);
  EXPECT_EQ(steps, 2) << "20 of 320 are more than 5 %";
  const WallTime began = day.now;
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(day.step(10));
  EXPECT_EQ(day.judge.verdict().since, began);
  EXPECT_TRUE(day.judge.verdict().sentence.starts_with("Since 12:05 UTC ")) << day.judge.verdict().sentence;
}

TEST(Judge, LooksAtTheLastFiveMinutesOnly) {
  Judged day;
  for (int i = 0; i < 10; ++i) day.step(10);
  EXPECT_EQ(day.judge.verdict().state, VerdictState::trouble);
  for (int i = 0; i < 29; ++i) day.step(0);
  EXPECT_EQ(day.judge.verdict().window.attempts[at(FailureOf::session)], 300U);
  EXPECT_EQ(day.judge.verdict().state, VerdictState::well) << "10 of 300 are left";
}

TEST(Judge, JsonHasWhatTheSentenceIsMadeFrom) {
  Judged day;
  for (int i = 0; i < 3; ++i) day.step(5);
  const json answer = json::parse(verdict_json(day.judge.verdict()));
  EXPECT_EQ(answer.at("state"), "trouble");
  EXPECT_EQ(answer.at("party"), "server");
  EXPECT_EQ(answer.at("window_seconds"), 300);
  EXPECT_EQ(answer.at("totals").at("logins"), 30);
  EXPECT_EQ(answer.at("parties").at("server").at("failures"), 15);
  EXPECT_EQ(answer.at("parties").at("server").at("kinds"), json({{"login_temporary", 15}}));
  EXPECT_EQ(answer.at("parties").at("client").at("failures"), 0);
  EXPECT_EQ(answer.at("outliers"), json::array());
}

TEST(Judge, JsonNamesOutliers) {
  Judged day;
  day.snapshot.upstreams[0].health["b:143"].up = false;
  day.step(0);
  const json answer = json::parse(verdict_json(day.judge.verdict()));
  ASSERT_EQ(answer.at("outliers").size(), 1U);
  EXPECT_EQ(answer.at("outliers").at(0).at("server"), "b:143");
  EXPECT_EQ(answer.at("outliers").at(0).at("what"), "health");
  EXPECT_EQ(answer.at("outliers").at(0).at("code"), nullptr);
}

}  // namespace
}  // namespace imapmeter::metrics
