#include "proxy/session_log.h"

#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "proxy/log.h"
#include "proxy/observer_pair.h"

namespace imapmeter::proxy {
namespace {

using imap::Outcome;

Closed closed(CloseReason reason, Phase phase, const SessionFacts* facts) {
  return {reason, phase, imap::SessionState::logout, {}, facts};
}

TEST(SessionLog, WhatAnyoneCanCauseHasARateOfItsOwn) {
  const auto of = [](CloseReason reason, Phase phase, std::optional<Outcome> outcome) {
    SessionFacts facts;
    facts.outcome = outcome;
    return record_class(closed(reason, phase, &facts));
  };
  EXPECT_EQ(of(CloseReason::logout, Phase::authenticated, Outcome::good), RecordClass::served);
  EXPECT_EQ(of(CloseReason::client_eof, Phase::authenticated, Outcome::degraded), RecordClass::trouble);
  EXPECT_EQ(of(CloseReason::client_eof, Phase::authenticated, Outcome::unseen), RecordClass::trouble);
  EXPECT_EQ(of(CloseReason::upstream_refused, Phase::connect, std::nullopt), RecordClass::trouble);
  EXPECT_EQ(of(CloseReason::upstream_bye, Phase::login, Outcome::login_failed), RecordClass::trouble);
  EXPECT_EQ(of(CloseReason::client_eof, Phase::login, Outcome::login_rejected), RecordClass::stranger);
  EXPECT_EQ(of(CloseReason::client_eof, Phase::login, Outcome::good), RecordClass::stranger);
  EXPECT_EQ(of(CloseReason::not_tls, Phase::handshake, std::nullopt), RecordClass::stranger);
  EXPECT_EQ(record_class(closed(CloseReason::limit_global, Phase::handshake, nullptr)), RecordClass::stranger);
}

class SessionLogTest : public testing::Test {
 protected:
  void SetUp() override {
    config_.listeners.resize(1);
    config_.upstreams.resize(1);
    config_.upstreams[0].servers.resize(1);
    testing::internal::CaptureStderr();
  }
  std::vector<std::string> lines() {
    stop_log();
    std::istringstream text(testing::internal::GetCapturedStderr());
    std::vector<std::string> all;
    for (std::string line; std::getline(text, line);) all.push_back(line);
    return all;
  }

  config::Config config_;
  SessionFacts facts_;
};

TEST_F(SessionLogTest, G11_FiftyASecondOfEachClassAndTheRestCounted) {
  start_log(config::LogLevel::info);
  SessionLogShared shared(config_);
  SessionLog log(config_, 0, shared);
  const std::uint64_t before = log_lines_dropped();
  constexpr int attack = 10000;
  for (int i = 0; i < attack; ++i) log.on_closed(closed(CloseReason::not_tls, Phase::handshake, &facts_));
  facts_.outcome = Outcome::good;
  log.on_closed(closed(CloseReason::logout, Phase::authenticated, &facts_));
  log.on_auth_attempt(0, facts_, {});
  const std::uint64_t dropped = log_lines_dropped() - before;
  const auto all = lines();
  EXPECT_EQ(all.size() + dropped, static_cast<std::size_t>(attack) + 2);
  EXPECT_GE(all.size(), 52U);
  EXPECT_LT(all.size(), 1000U) << "the machine is slow, but not that slow";
  EXPECT_NE(all[all.size() - 2].find(R"("reason":"logout")"), std::string::npos);
  EXPECT_NE(all.back().find(R"("event":"auth")"), std::string::npos);
}

TEST_F(SessionLogTest, NoneWhereTheSettingSaysSo) {
  start_log(config::LogLevel::info);
  config_.log_sessions = false;
  SessionLogShared shared(config_);
  SessionLog log(config_, 0, shared);
  log.on_closed(closed(CloseReason::logout, Phase::authenticated, &facts_));
  log.on_auth_attempt(0, facts_, {});
  EXPECT_TRUE(lines().empty());
}

TEST_F(SessionLogTest, AtTheLevelOfWarningsOnlyLoginsThatFailed) {
  start_log(config::LogLevel::warn);
  SessionLogShared shared(config_);
  SessionLog log(config_, 0, shared);
  const std::uint64_t before = log_lines_dropped();
  log.on_closed(closed(CloseReason::logout, Phase::authenticated, &facts_));
  log.on_auth_attempt(0, facts_, {.result = imap::AuthResult::success});
  log.on_auth_attempt(0, facts_, {.result = imap::AuthResult::cancelled});
  log.on_auth_attempt(0, facts_, {.result = imap::AuthResult::temporary});
  const auto all = lines();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_NE(all[0].find(R"("level":"warn","event":"auth")"), std::string::npos);
  EXPECT_EQ(log_lines_dropped(), before);
}

// --- the pair -----------------------------------------------------------------------------------------------------

class Heard final : public Observer {
 public:
  explicit Heard(std::string name, std::vector<std::string>& to) : name_(std::move(name)), to_(to) {}

  void on_accepted() noexcept override { add("accepted"); }
  void on_handshake(const Handshake& handshake) noexcept override { add(name(handshake.side)); }
  void on_starttls(Side side, StarttlsResult result) noexcept override {
    add(std::string(name(side)) + std::string(name(result)));
  }
  void on_plaintext_login_refused() noexcept override { add("plaintext"); }
  void on_upstream_connect(std::size_t server, ConnectResult result) noexcept override {
    add(std::to_string(server) + std::string(name(result)));
  }
  void on_upstream_sessions(std::size_t server, int change) noexcept override {
    add(std::to_string(server) + std::to_string(change));
  }
  void on_bytes(imap::Direction, std::size_t octets) noexcept override { add(std::to_string(octets)); }
  void on_authored(Authored what) noexcept override { add(name(what)); }
  void on_blocked(Side side, int, std::chrono::nanoseconds) noexcept override { add(name(side)); }
  void on_relay_delay(imap::Direction, std::chrono::nanoseconds) noexcept override { add("delay"); }
  void on_step(Step step, std::chrono::nanoseconds time) noexcept override {
    add(std::string(name(step)) + std::to_string(time.count()));
  }
  void on_server_status(std::size_t server, imap::Condition condition) noexcept override {
    add(std::to_string(server) + std::string(imap::name(condition)));
  }
  void on_server_capabilities(std::size_t server, const imap::Capabilities&) noexcept override {
    add(std::to_string(server) + "can");
  }
  void on_server_first_response(std::size_t server, std::chrono::nanoseconds time) noexcept override {
    add(std::to_string(server) + "first" + std::to_string(time.count()));
  }
  void on_auth_attempt(std::size_t server, const SessionFacts&, const imap::AuthAttempt& attempt) noexcept override {
    add(std::to_string(server) + std::string(name(attempt.result)));
  }
  void on_closed(const Closed& closed) noexcept override { add(name(closed.reason)); }

 private:
  void add(std::string_view what) { to_.push_back(name_ + " " + std::string(what)); }
  template <class T>
  static std::string_view name(T value) {
    return imapmeter::proxy::name(value);
  }
  static std::string_view name(imap::AuthResult result) { return imap::name(result); }

  std::string name_;
  std::vector<std::string>& to_;
};

TEST(ObserverPair, BothHearEverythingInOrder) {
  std::vector<std::string> heard;
  Heard first("1", heard);
  Heard second("2", heard);
  ObserverPair pair(first, second);
  Observer& observer = pair;
  observer.on_accepted();
  observer.on_handshake({.side = Side::upstream});
  observer.on_starttls(Side::client, StarttlsResult::stripped);
  observer.on_plaintext_login_refused();
  observer.on_upstream_connect(3, ConnectResult::dns);
  observer.on_upstream_sessions(2, -1);
  observer.on_bytes(imap::Direction::client_to_server, 7);
  observer.on_authored(Authored::bye);
  observer.on_blocked(Side::client, 1, {});
  observer.on_relay_delay(imap::Direction::client_to_server, {});
  observer.on_step(Step::connect, std::chrono::nanoseconds(8));
  observer.on_server_status(4, imap::Condition::bad);
  observer.on_server_capabilities(9, {});
  observer.on_server_first_response(5, std::chrono::nanoseconds(9));
  observer.on_auth_attempt(6, {}, {.result = imap::AuthResult::temporary});
  observer.on_closed({.reason = CloseReason::drain});
  EXPECT_EQ(heard, (std::vector<std::string>{"1 accepted",
                                             "2 accepted",
                                             "1 upstream",
                                             "2 upstream",
                                             "1 clientstripped",
                                             "2 clientstripped",
                                             "1 plaintext",
                                             "2 plaintext",
                                             "1 3dns",
                                             "2 3dns",
                                             "1 2-1",
                                             "2 2-1",
                                             "1 7",
                                             "2 7",
                                             "1 bye",
                                             "2 bye",
                                             "1 client",
                                             "2 client",
                                             "1 delay",
                                             "2 delay",
                                             "1 connect8",
                                             "2 connect8",
                                             "1 4BAD",
                                             "2 4BAD",
                                             "1 9can",
                                             "2 9can",
                                             "1 5first9",
                                             "2 5first9",
                                             "1 6temporary",
                                             "2 6temporary",
                                             "1 drain",
                                             "2 drain"}));
}

}  // namespace
}  // namespace imapmeter::proxy
