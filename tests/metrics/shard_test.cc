#include "metrics/shard.h"

#include <gtest/gtest.h>

#include "metrics/snapshot.h"
#include "proxy/session_facts.h"

namespace imapmeter::metrics {
namespace {

using imap::Command;
using imap::CommandResult;
using imap::SessionState;

imap::TimePoint hand_moved_time;
imap::TimePoint hand_moved_clock() { return hand_moved_time; }

Totals totals(const Shard& shard) {
  Totals sum;
  add(sum, shard.counts());
  return sum;
}

imap::Status status(imap::ResponseKind kind, imap::Condition condition, imap::ResponseCode code,
                    std::initializer_list<imap::StatusCode> members) {
  imap::Status made{kind, condition, code, {}};
  for (const auto member : members) made.members.add(member);
  return made;
}

// * OK [UNSEEN 12] x: three members, one response, one code.
TEST(Shard, AStatusRaisesItsMembersAndOneResponse) {
  Shard shard(0);
  using imap::StatusCode;
  shard.on_status(status(imap::ResponseKind::untagged, imap::Condition::ok, imap::ResponseCode::unseen,
                         {StatusCode::ok, StatusCode::unseen, StatusCode::unsolicited}));
  const Totals sum = totals(shard);
  for (std::size_t i = 0; i < imap::status_code_count; ++i) {
    const auto member = static_cast<StatusCode>(i);
    const bool raised = member == StatusCode::ok || member == StatusCode::unseen || member == StatusCode::unsolicited;
    EXPECT_EQ(sum.status_codes[i], raised ? 1U : 0U) << i;
  }
  EXPECT_EQ(sum.responses[at(imap::ResponseKind::untagged)][at(imap::Condition::ok)], 1U);
  EXPECT_EQ(sum.response_codes[at(imap::Condition::ok)][at(imap::ResponseCode::unseen)], 1U);
}

TEST(Shard, AnUndefinedStatusIsInNoOtherFamily) {
  Shard shard(0);
  shard.on_undefined_status();
  Totals expected;
  expected.status_codes[at(imap::StatusCode::not_defined)] = 1;
  const Totals sum = totals(shard);
  EXPECT_EQ(sum.status_codes, expected.status_codes);
  EXPECT_EQ(sum.responses, expected.responses);
  EXPECT_EQ(sum.response_codes, expected.response_codes);
}

TEST(Shard, RatesNoBadAndByeByTheClock) {
  hand_moved_time = imap::TimePoint{} + std::chrono::hours{1};
  Shard shard(0, hand_moved_clock);
  for (const auto condition : {imap::Condition::ok, imap::Condition::no, imap::Condition::bad, imap::Condition::preauth,
                               imap::Condition::bye}) {
    shard.on_status(status(imap::ResponseKind::untagged, condition, imap::ResponseCode::none, {}));
  }
  for (const auto& by_window : shard.rates().at(hand_moved_time)) EXPECT_DOUBLE_EQ(by_window[0], 1.0 / 60);
}

TEST(Shard, FollowsASessionThroughItsStates) {
  Shard shard(0);
  const auto open = [&shard](SessionState state) {
    return static_cast<std::int64_t>(totals(shard).sessions[at(state)]);
  };
  shard.on_accepted();
  shard.on_accepted();
  EXPECT_EQ(open(SessionState::connecting), 2);
  shard.on_state(SessionState::connecting, SessionState::not_authenticated);
  shard.on_state(SessionState::not_authenticated, SessionState::selected);
  EXPECT_EQ(open(SessionState::connecting), 1);
  EXPECT_EQ(open(SessionState::not_authenticated), 0);
  EXPECT_EQ(open(SessionState::selected), 1);
  shard.on_closed({proxy::CloseReason::logout, proxy::Phase::authenticated, SessionState::selected, {}});
  shard.on_closed({proxy::CloseReason::not_tls, proxy::Phase::handshake, SessionState::connecting, {}});
  for (std::size_t i = 0; i < imap::session_state_count; ++i) EXPECT_EQ(open(static_cast<SessionState>(i)), 0) << i;
  EXPECT_EQ(totals(shard).accepted, 2U);
  EXPECT_EQ(totals(shard).closed[at(proxy::CloseReason::logout)][at(proxy::Phase::authenticated)], 1U);
  EXPECT_EQ(totals(shard).closed[at(proxy::CloseReason::not_tls)][at(proxy::Phase::handshake)], 1U);
}

TEST(Shard, CommandsInFlightExceptIdle) {
  Shard shard(0);
  shard.on_command_started({Command::fetch});
  shard.on_command_started({Command::noop});
  shard.on_command_started({Command::idle});
  EXPECT_EQ(totals(shard).commands_started, 3U);
  EXPECT_EQ(commands_in_flight(totals(shard)), 2U);
  shard.on_command_ended({Command::idle, CommandResult::ok});
  EXPECT_EQ(commands_in_flight(totals(shard)), 2U);
  shard.on_command_ended({Command::fetch, CommandResult::aborted});
  shard.on_command_ended({Command::noop, CommandResult::untracked});
  EXPECT_EQ(commands_in_flight(totals(shard)), 0U);
  EXPECT_EQ(totals(shard).commands[at(Command::fetch)][at(CommandResult::aborted)], 1U);
}

TEST(Shard, HandshakesKeepVersionAndResumptionOnlyWhereTheySucceed) {
  Shard shard(0);
  shard.on_handshake({proxy::Side::upstream, proxy::HandshakeResult::ok, proxy::TlsVersion::tls1_3, true});
  shard.on_handshake({proxy::Side::client, proxy::HandshakeResult::not_tls, proxy::TlsVersion::none, false});
  const Totals sum = totals(shard);
  EXPECT_EQ(sum.handshakes_ok[at(proxy::Side::upstream)][at(proxy::TlsVersion::tls1_3)][1], 1U);
  EXPECT_EQ(sum.handshakes[at(proxy::Side::client)][at(proxy::HandshakeResult::not_tls)], 1U);
  EXPECT_EQ(sum.handshakes[at(proxy::Side::upstream)][at(proxy::HandshakeResult::ok)], 0U);
}

TEST(Shard, CountsStarttlsOnEachLegAndLoginsRefusedBeforeIt) {
  Shard shard(0);
  shard.on_starttls(proxy::Side::upstream, proxy::StarttlsResult::stripped);
  shard.on_starttls(proxy::Side::client, proxy::StarttlsResult::injection);
  shard.on_starttls(proxy::Side::client, proxy::StarttlsResult::injection);
  shard.on_plaintext_login_refused();
  const Totals sum = totals(shard);
  EXPECT_EQ(sum.starttls[at(proxy::Side::upstream)][at(proxy::StarttlsResult::stripped)], 1U);
  EXPECT_EQ(sum.starttls[at(proxy::Side::client)][at(proxy::StarttlsResult::injection)], 2U);
  EXPECT_EQ(sum.starttls[at(proxy::Side::client)][at(proxy::StarttlsResult::stripped)], 0U);
  EXPECT_EQ(sum.plaintext_logins_refused, 1U);
}

TEST(Shard, AddsOctetsWordsAndTheRest) {
  Shard shard(0);
  shard.on_bytes(imap::Direction::client_to_server, 5);
  shard.on_bytes(imap::Direction::client_to_server, 6);
  shard.on_literal(imap::Direction::server_to_client, 7);
  shard.on_authored(proxy::Authored::bye);
  shard.on_capability_removed();
  shard.on_authenticated();
  shard.on_bye(imap::ByeReason::inactivity);
  shard.on_anomaly(imap::Anomaly::client_bare_lf);
  shard.on_opaque(imap::OpaqueReason::parser);
  shard.on_compress(imap::CompressResult::refused);
  shard.on_inflated(imap::Direction::server_to_client, 3, 8);
  shard.on_multiplex_removed();
  shard.on_outcome(imap::Outcome::cut);
  const Totals sum = totals(shard);
  EXPECT_EQ(sum.bytes[at(imap::Direction::client_to_server)], 11U);
  EXPECT_EQ(sum.bytes[at(imap::Direction::server_to_client)], 0U);
  EXPECT_EQ(sum.literal_bytes[at(imap::Direction::server_to_client)], 7U);
  EXPECT_EQ(sum.authored[at(proxy::Authored::bye)], 1U);
  EXPECT_EQ(sum.authored[at(proxy::Authored::capability_words)], 1U);
  EXPECT_EQ(sum.authenticated, 1U);
  EXPECT_EQ(sum.bye[at(imap::ByeReason::inactivity)], 1U);
  EXPECT_EQ(sum.anomalies[at(imap::Anomaly::client_bare_lf)], 1U);
  EXPECT_EQ(sum.anomalies[at(imap::Anomaly::bare_lf)], 0U);
  EXPECT_EQ(sum.opaque[at(imap::OpaqueReason::parser)], 1U);
  EXPECT_EQ(sum.compress_attempts[at(imap::CompressResult::refused)], 1U);
  EXPECT_EQ(sum.deflated_bytes[at(imap::Direction::server_to_client)], 3U);
  EXPECT_EQ(sum.inflated_bytes[at(imap::Direction::server_to_client)], 8U);
  EXPECT_EQ(sum.authored[at(proxy::Authored::multiplex)], 1U);
  EXPECT_EQ(sum.outcomes[at(imap::Outcome::cut)], 1U);
}

TEST(Shard, WaitsForASideAreAGaugeAndTimeThatAddsUp) {
  Shard shard(0);
  using std::chrono::milliseconds;
  shard.on_blocked(proxy::Side::upstream, +1, milliseconds(0));
  shard.on_blocked(proxy::Side::upstream, +1, milliseconds(0));
  shard.on_blocked(proxy::Side::upstream, 0, milliseconds(20));
  shard.on_blocked(proxy::Side::upstream, -1, milliseconds(30));
  EXPECT_EQ(totals(shard).blocked[at(proxy::Side::upstream)], 1U);
  EXPECT_EQ(totals(shard).blocked[at(proxy::Side::client)], 0U);
  EXPECT_EQ(totals(shard).blocked_nanoseconds[at(proxy::Side::upstream)], 50'000'000U);
}

// Each limit belongs to its bucket.
TEST(Shard, DelaysFallIntoTheBucketTheyDoNotExceed) {
  Shard shard(0);
  const auto told = [&](std::chrono::nanoseconds delay) {
    shard.on_relay_delay(imap::Direction::server_to_client, delay);
  };
  told(std::chrono::nanoseconds(-1));
  told(std::chrono::microseconds(50));
  told(std::chrono::nanoseconds(50'001));
  told(std::chrono::milliseconds(100));
  told(std::chrono::seconds(2));
  const auto delay = totals(shard).relay_delay[at(imap::Direction::server_to_client)];
  EXPECT_EQ(delay.buckets, (std::array<std::uint64_t, 9>{2, 1, 0, 0, 0, 0, 0, 1, 1}));
  EXPECT_EQ(delay.sum, 50'000U + 50'001U + 100'000'000U + 2'000'000'000U);
}

// METRICS.md: for each command but IDLE and those answered early, histogram count = OK + NO + BAD.
TEST(Shard, TimesCommandsUnderTheShortListOfLabels) {
  Shard shard(0);
  shard.on_command_ended({Command::uid_fetch, CommandResult::ok, std::chrono::milliseconds(3)});
  shard.on_command_ended({Command::namespace_, CommandResult::no, std::chrono::seconds(61)});
  shard.on_command_ended({Command::uid_expunge, CommandResult::bad, std::chrono::seconds(301)});
  shard.on_command_ended({Command::idle, CommandResult::ok});
  const auto all = totals(shard).command_duration;
  EXPECT_EQ(all[timed_place(Command::uid_fetch)].buckets[3], 1U);
  EXPECT_EQ(timed_place(Command::namespace_), 0U);
  EXPECT_EQ(all[0].buckets[14], 1U);
  EXPECT_EQ(all[0].buckets[15], 1U);
  EXPECT_EQ(all[0].sum, 362'000'000'000U);
  std::uint64_t count = 0;
  for (const auto& each : all)
    for (const std::uint64_t n : each.buckets) count += n;
  EXPECT_EQ(count, 3U);
}

TEST(Shard, AnsweredLoginsThatFailHaveACode) {
  Shard shard(0);
  using imap::AuthResult;
  shard.on_auth_attempt({imap::Mechanism::plain, AuthResult::success, imap::ResponseCode::capability});
  shard.on_auth_attempt({imap::Mechanism::plain, AuthResult::aborted, imap::ResponseCode::none});
  shard.on_auth_attempt({imap::Mechanism::login, AuthResult::cancelled, imap::ResponseCode::none});
  shard.on_auth_attempt({imap::Mechanism::login_command, AuthResult::temporary, imap::ResponseCode::serverbug});
  const Totals sum = totals(shard);
  EXPECT_EQ(sum.auth_attempts[at(imap::Mechanism::plain)][at(AuthResult::success)], 1U);
  EXPECT_EQ(sum.auth_attempts[at(imap::Mechanism::login)][at(AuthResult::cancelled)], 1U);
  EXPECT_EQ(sum.auth_failures[at(AuthFailure::none)], 1U);
  EXPECT_EQ(sum.auth_failures[at(AuthFailure::other)], 1U);
}

TEST(Shard, TellsProgramsAndTheirProblemsAtTheEnd) {
  Shard shard(0);
  proxy::SessionFacts facts;
  facts.client_software = imap::ClientSoftware::thunderbird;
  facts.outcome = imap::Outcome::login_rejected;
  shard.on_closed(
      {proxy::CloseReason::logout, proxy::Phase::login, SessionState::logout, std::chrono::seconds(2), &facts});
  facts.outcome = imap::Outcome::good;
  shard.on_closed({proxy::CloseReason::logout, proxy::Phase::authenticated, SessionState::logout, {}, &facts});
  shard.on_closed({proxy::CloseReason::limit_rate, proxy::Phase::handshake, SessionState::connecting, {}});
  const Totals sum = totals(shard);
  const std::size_t software = at(imap::ClientSoftware::thunderbird);
  EXPECT_EQ(sum.client_software[software], 1U);
  EXPECT_EQ(sum.client_problems[software], (std::array<std::uint64_t, problem_count>{1, 0, 0, 0}));
  EXPECT_EQ(sum.session_duration.buckets[0], 2U);
  EXPECT_EQ(sum.session_duration.buckets[1], 1U);
}

TEST(Shard, AServerBeyondTheConfiguredOnesIsNotCounted) {
  Shard shard(1);
  shard.on_upstream_connect(0, proxy::ConnectResult::dns);
  shard.on_upstream_connect(1, proxy::ConnectResult::dns);
  shard.on_upstream_sessions(0, 1);
  shard.on_upstream_sessions(1, 1);
  ASSERT_EQ(shard.servers().size(), 1U);
  EXPECT_EQ(shard.servers()[0].connects[at(proxy::ConnectResult::dns)].read(), 1U);
  EXPECT_EQ(shard.servers()[0].sessions.read(), 1U);
}

}  // namespace
}  // namespace imapmeter::metrics
