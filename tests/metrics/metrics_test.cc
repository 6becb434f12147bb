#include "metrics/metrics.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <functional>
#include <thread>

#include "tests/metrics/drive.h"
#include "tests/support/exposition.h"

namespace imapmeter::metrics {
namespace {

using test::Exposition;
using test::parse_exposition;

imap::TimePoint hand_moved_time = imap::TimePoint{} + std::chrono::hours{1};
imap::TimePoint hand_moved_clock() { return hand_moved_time; }

TEST(Metrics, SumsWorkersAndKeepsListenersApart) {
  config::Config config = one_listener();
  config.listeners.push_back(config.listeners[0]);
  config.listeners[1].name = "second";
  config.listeners[1].binds = {{"::1", 143}};
  Metrics metrics(config, 3, build());
  for (unsigned worker = 0; worker < 3; ++worker) {
    metrics.shard(worker, 0).on_bytes(imap::Direction::client_to_server, 10 + worker);
    metrics.shard(worker, 0).on_upstream_connect(1, proxy::ConnectResult::ok);
  }
  metrics.shard(2, 1).on_bytes(imap::Direction::client_to_server, 7);
  metrics.shard(2, 1).on_upstream_connect(1, proxy::ConnectResult::ok);
  metrics.shard(0, 0).on_upstream_sessions(0, 1);
  metrics.shard(0, 1).on_upstream_sessions(0, 1);

  const Exposition read = parse_exposition(metrics.exposition());
  const auto bytes = [&](const char* listener) {
    return read.value("imapmeter_bytes_total", {{"listener", listener}, {"direction", "client_to_server"}});
  };
  EXPECT_EQ(bytes("default"), 33);
  EXPECT_EQ(bytes("second"), 7);
  // An upstream's families add up the listeners that use it.
  EXPECT_EQ(read.value("imapmeter_upstream_connects_total",
                       {{"upstream", "dovecot"}, {"server", "[2001:db8::1]:1993"}, {"result", "ok"}}),
            4);
  EXPECT_EQ(read.value("imapmeter_upstream_sessions", {{"upstream", "dovecot"}, {"server", "mail.example.org:993"}}),
            2);
  EXPECT_EQ(
      read.value("imapmeter_listener_info", {{"listener", "second"}, {"bind", "[::1]:143"}, {"upstream", "dovecot"}}),
      1);
}

TEST(Metrics, WhatAServerSaysIsItsOwn) {
  Metrics metrics(one_listener(), 2, build());
  for (unsigned worker = 0; worker < 2; ++worker) {
    Shard& shard = metrics.shard(worker, 0);
    shard.on_server_status(0, imap::Condition::no);
    shard.on_server_status(1, imap::Condition::bye);
    shard.on_server_status(1, imap::Condition::bye);
    shard.on_server_status(2, imap::Condition::ok);  // a number that the upstream does not have
    shard.on_auth_attempt(1, {}, {.result = imap::AuthResult::temporary});
    shard.on_auth_attempt(2, {}, {.result = imap::AuthResult::success});
    shard.on_server_first_response(0, std::chrono::milliseconds(worker == 0 ? 10 : 11));
    shard.on_server_first_response(2, std::chrono::seconds(1));
  }
  const Exposition read = parse_exposition(metrics.exposition());
  const auto of = [&](const char* server, const std::string& family, std::map<std::string, std::string> labels) {
    labels.insert({{"upstream", "dovecot"}, {"server", server}});
    return read.value(family, labels);
  };
  const char* const first = "mail.example.org:993";
  const char* const second = "[2001:db8::1]:1993";
  EXPECT_EQ(of(first, "imapmeter_server_responses_total", {{"status", "NO"}}), 2);
  EXPECT_EQ(of(second, "imapmeter_server_responses_total", {{"status", "BYE"}}), 4);
  EXPECT_EQ(read.sum("imapmeter_server_responses_total"), 6);
  EXPECT_EQ(of(second, "imapmeter_server_auth_attempts_total", {{"result", "temporary"}}), 2);
  EXPECT_EQ(read.sum("imapmeter_server_auth_attempts_total"), 2);
  for (const auto& each : read.families.at("imapmeter_server_first_response_seconds").series) {
    EXPECT_EQ(each.labels.at("server"), first);
    if (each.labels.contains("le")) {
      EXPECT_EQ(each.value, each.labels.at("le") == "0.01" ? 1 : 2) << each.labels.at("le");
    }
    if (each.name.ends_with("_sum")) {
      EXPECT_NEAR(each.value, 0.021, 1e-12);
    }
  }
}

// A gauge that fell in one worker what it rose in another is exact, and never 2^64 - 1.
TEST(Metrics, GaugesAreSigned) {
  Metrics metrics(one_listener(), 2, build());
  metrics.shard(0, 0).on_upstream_sessions(0, 1);
  metrics.shard(0, 0).on_upstream_sessions(0, -1);
  metrics.shard(1, 0).on_upstream_sessions(0, -1);
  const Exposition read = parse_exposition(metrics.exposition());
  EXPECT_EQ(read.value("imapmeter_upstream_sessions", {{"upstream", "dovecot"}, {"server", "mail.example.org:993"}}),
            -1);
}

TEST(Metrics, HistogramsAreCumulativeAndSumTheWorkers) {
  Metrics metrics(one_listener(), 2, build());
  metrics.shard(0, 0).on_relay_delay(imap::Direction::client_to_server, std::chrono::microseconds(60));
  metrics.shard(1, 0).on_relay_delay(imap::Direction::client_to_server, std::chrono::milliseconds(2));
  metrics.shard(1, 0).on_relay_delay(imap::Direction::client_to_server, std::chrono::seconds(1));
  const Exposition read = parse_exposition(metrics.exposition());
  const auto& series = read.families.at("imapmeter_relay_delay_seconds").series;
  std::map<std::string, double> buckets;
  for (const auto& each : series) {
    EXPECT_EQ(each.labels.at("direction"), "client_to_server");
    if (each.labels.contains("le")) buckets[each.labels.at("le")] = each.value;
    if (each.name == "imapmeter_relay_delay_seconds_sum") {
      EXPECT_NEAR(each.value, 1.00206, 1e-12);
    }
  }
  const std::map<std::string, double> expected = {{"5e-05", 0},  {"0.0001", 1}, {"0.00025", 1},
                                                  {"0.0005", 1}, {"0.001", 1},  {"0.0025", 2},
                                                  {"0.01", 2},   {"0.1", 2},    {"+Inf", 3}};
  EXPECT_EQ(buckets, expected);
}

// FAULTS C16.
TEST(Metrics, IntegersAreExactUpTo2To53) {
  Metrics metrics(one_listener(), 2, build());
  constexpr std::uint64_t largest = (std::uint64_t{1} << 53) - 1;
  metrics.shard(0, 0).on_bytes(imap::Direction::client_to_server, largest - 1);
  metrics.shard(1, 0).on_bytes(imap::Direction::client_to_server, 1);
  metrics.shard(1, 0).on_bytes(imap::Direction::server_to_client, 1'000'000);
  const Exposition read = parse_exposition(metrics.exposition());
  const auto& series = read.families.at("imapmeter_bytes_total").series;
  EXPECT_EQ(series.at(0).text, "9007199254740991");
  EXPECT_EQ(series.at(1).text, "1000000");
  EXPECT_EQ(metrics.snapshot().listeners.at(0).totals.bytes.at(0), largest);
}

TEST(Metrics, RatesFollowTheClock) {
  Metrics metrics(one_listener(), 2, build(), hand_moved_clock);
  imap::Status no;
  no.condition = imap::Condition::no;
  metrics.shard(0, 0).on_status(no);
  metrics.shard(1, 0).on_status(no);
  hand_moved_time += std::chrono::seconds{60};
  const Exposition read = parse_exposition(metrics.exposition());
  EXPECT_NEAR(read.value("imapmeter_status_rate", {{"listener", "default"}, {"status", "NO"}, {"window", "1m"}}),
              2 * std::exp(-1.0) / 60, 1e-12);
}

TEST(Metrics, CertificatesShowWhenTheyExpire) {
  Metrics metrics(one_listener(), 1, build());
  const auto expiry = std::chrono::system_clock::time_point{std::chrono::seconds{4102444800}};
  metrics.set_certificate_expiry(0, "/etc/ssl/mail \"x\"\\.pem", expiry);
  metrics.set_certificate_expiry(0, "self_signed", expiry);
  metrics.set_certificate_expiry(0, "self_signed", expiry - std::chrono::hours{1});
  const Exposition read = parse_exposition(metrics.exposition());
  const std::string name = "imapmeter_tls_certificate_not_after_timestamp_seconds";
  EXPECT_EQ(read.families.at(name).series.size(), 2U);
  EXPECT_EQ(read.value(name, {{"listener", "default"}, {"certificate", "/etc/ssl/mail \"x\"\\.pem"}}), 4102444800);
  EXPECT_EQ(read.value(name, {{"listener", "default"}, {"certificate", "self_signed"}}), 4102441200);
}

TEST(Metrics, ShowsTheLimitsInForceAndWhatIsLentNow) {
  Metrics metrics(one_listener(), 1, build());
  EXPECT_EQ(parse_exposition(metrics.exposition()).value("imapmeter_relay_buffer_bytes"), 0);
  EXPECT_FALSE(parse_exposition(metrics.exposition()).families.contains("imapmeter_limit"));
  metrics.set_limit("all", "sessions", 9000);
  metrics.set_limit("default", "handshakes", 100);
  metrics.set_relay_buffers([] { return std::uint64_t{4711}; });
  const Exposition read = parse_exposition(metrics.exposition());
  EXPECT_EQ(read.value("imapmeter_limit", {{"listener", "all"}, {"limit", "sessions"}}), 9000);
  EXPECT_EQ(read.value("imapmeter_limit", {{"listener", "default"}, {"limit", "handshakes"}}), 100);
  EXPECT_EQ(read.value("imapmeter_relay_buffer_bytes"), 4711);
}

TEST(Metrics, SaysWhatIsVerifiedAndBuilt) {
  config::Config config = one_listener();
  config.upstreams.push_back({"insecure", config::Tls::implicit, {{"a", 1}}, "", true, false});
  config.upstreams.push_back({"plain", config::Tls::none, {{"127.0.0.1", 143}}, "", false, false});
  const Exposition read = parse_exposition(Metrics(config, 1, build()).exposition());
  EXPECT_EQ(read.value("imapmeter_upstream_tls_verify", {{"upstream", "dovecot"}}), 1);
  EXPECT_EQ(read.value("imapmeter_upstream_tls_verify", {{"upstream", "insecure"}}), 0);
  EXPECT_EQ(read.value("imapmeter_upstream_tls_verify", {{"upstream", "plain"}}), 0);
  EXPECT_EQ(read.value("imapmeter_build_info",
                       {{"version", "0.1.0"}, {"revision", "abcdef"}, {"openssl", "OpenSSL 3.0"}, {"boost", "1.81"}}),
            1);
}

// The same server twice in an upstream is one series, not an exposition that no Prometheus takes.
TEST(Metrics, AServerConfiguredTwiceIsOneSeries) {
  config::Config config = one_listener();
  config.upstreams[0].servers = {{"a", 1}, {"a", 1}};
  Metrics metrics(config, 1, build());
  metrics.shard(0, 0).on_upstream_sessions(0, 1);
  metrics.shard(0, 0).on_upstream_sessions(1, 1);
  const Exposition read = parse_exposition(metrics.exposition());
  EXPECT_EQ(read.value("imapmeter_upstream_sessions", {{"upstream", "dovecot"}, {"server", "a:1"}}), 2);
}

TEST(Metrics, ShardsThatAreNotThereThrow) {
  Metrics metrics(one_listener(), 2, build());
  EXPECT_THROW(metrics.shard(2, 0), std::out_of_range);
  EXPECT_THROW(metrics.shard(0, 1), std::out_of_range);
}

// Runs `look` again and again while two workers count; both count 100,000 commands, responses and sessions.
constexpr int rounds = 100'000;
void count_while(Metrics& metrics, const std::function<void()>& look) {
  std::atomic<int> running{2};
  const auto work = [&](unsigned worker) {
    Shard& shard = metrics.shard(worker, 0);
    imap::Status ok{imap::ResponseKind::tagged, imap::Condition::no, imap::ResponseCode::none, {}};
    ok.members.add(imap::StatusCode::no);
    for (int i = 0; i < rounds; ++i) {
      shard.on_accepted();
      shard.on_command_started({imap::Command::noop});
      shard.on_status(ok);
      shard.on_command_ended({imap::Command::noop, imap::CommandResult::no});
      shard.on_closed({proxy::CloseReason::logout, proxy::Phase::login, imap::SessionState::connecting, {}});
    }
    --running;
  };
  std::thread one(work, 0U);
  std::thread two(work, 1U);
  while (running > 0) look();
  one.join();
  two.join();
}

// FAULTS C17, D6: nothing goes backwards, no end is seen before its start, and nothing is lost.
TEST(Metrics, CanBeReadWhileWorkersCount) {
  Metrics metrics(one_listener(), 2, build());
  Totals last;
  const auto look = [&] {
    const Totals now = metrics.snapshot().listeners.at(0).totals;
    const auto ended = now.commands[at(imap::Command::noop)][at(imap::CommandResult::no)];
    const auto closed = now.closed[at(proxy::CloseReason::logout)][at(proxy::Phase::login)];
    ASSERT_LE(ended, now.commands_started);
    ASSERT_LE(closed, now.accepted);
    ASSERT_EQ(now.commands_started, ended + commands_in_flight(now));
    ASSERT_GE(now.commands_started, last.commands_started);
    ASSERT_GE(now.accepted, last.accepted);
    last = now;
  };
  count_while(metrics, look);
  const Totals all = metrics.snapshot().listeners.at(0).totals;
  EXPECT_EQ(all.accepted, 2U * rounds);
  EXPECT_EQ(all.commands_started, 2U * rounds);
  EXPECT_EQ(all.responses[at(imap::ResponseKind::tagged)][at(imap::Condition::no)], 2U * rounds);
  EXPECT_EQ(all.status_codes[at(imap::StatusCode::no)], 2U * rounds);
  EXPECT_EQ(all.closed[at(proxy::CloseReason::logout)][at(proxy::Phase::login)], 2U * rounds);
  EXPECT_EQ(all.sessions[at(imap::SessionState::connecting)], 0U);
}

TEST(Metrics, EachExpositionWhileWorkersCountIsWhole) {
  Metrics metrics(one_listener(), 2, build());
  Exposition last;
  count_while(metrics, [&] {
    const Exposition now = parse_exposition(metrics.exposition());
    for (const auto& series : last.series()) {
      if (!series.name.ends_with("_total")) continue;
      ASSERT_TRUE(now.has(series.name, series.labels)) << series.name;
      ASSERT_GE(now.value(series.name, series.labels), series.value) << series.name;
    }
    last = now;
  });
}

}  // namespace
}  // namespace imapmeter::metrics
