// docs/verdict.md: which party each failure is assigned to.
#include "metrics/failures.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "metrics/shard.h"
#include "metrics/snapshot.h"
#include "proxy/session_facts.h"

namespace imapmeter::metrics {
namespace {

using imap::AuthResult;
using imap::Command;
using imap::CommandResult;
using imap::Outcome;
using imap::ResponseCode;
using proxy::CloseReason;
using proxy::Phase;

std::optional<Failure> of_end(CloseReason reason, Phase phase, std::optional<Outcome> outcome,
                              std::optional<imap::ByeReason> bye = std::nullopt, std::uint32_t aborted = 0) {
  proxy::SessionFacts facts;
  facts.outcome = outcome;
  facts.bye = bye;
  facts.commands[at(CommandResult::aborted)] = aborted;
  return failure_of(proxy::Closed{reason, phase, imap::SessionState::selected, {}, &facts});
}

std::optional<Failure> of_command(Command command, CommandResult result, ResponseCode code) {
  return failure_of(imap::CommandEnd{command, result, std::nullopt, code});
}

TEST(Failures, EachPairOfPartyAndKindIsThereOnce) {
  std::set<std::pair<std::string_view, std::string_view>> pairs;
  for (const FailureRow& each : failure_rows) pairs.insert({name(each.party), each.kind});
  EXPECT_EQ(pairs.size(), failure_count);
}

// The name of a Failure is that of its row.
TEST(Failures, RowsStandInTheOrderOfTheEnum) {
  EXPECT_EQ(row(Failure::client_login_rejected).kind, "login_rejected");
  EXPECT_EQ(row(Failure::client_stalled).kind, "stalled");
  EXPECT_EQ(row(Failure::network_vanished).kind, "vanished");
  EXPECT_EQ(row(Failure::imapmeter_internal).kind, "internal");
  EXPECT_EQ(row(Failure::server_login_temporary).party, Party::server);
  EXPECT_EQ(row(Failure::server_shutdown).kind, "shutdown");
  EXPECT_EQ(row(Failure::policy_login_privacy).party, Party::policy);
  EXPECT_EQ(row(Failure::policy_timeout).kind, "timeout");
}

TEST(Failures, LoginsByTheirAnswer) {
  EXPECT_EQ(failure_of(AuthResult::success), std::nullopt);
  EXPECT_EQ(failure_of(AuthResult::rejected), Failure::client_login_rejected);
  EXPECT_EQ(failure_of(AuthResult::temporary), Failure::server_login_temporary);
  EXPECT_EQ(failure_of(AuthResult::policy), Failure::policy_login_privacy);
  EXPECT_EQ(failure_of(AuthResult::other_no), Failure::server_login_other);
  EXPECT_EQ(failure_of(AuthResult::bad), Failure::client_login_bad);
  EXPECT_EQ(failure_of(AuthResult::cancelled), Failure::client_login_cancelled);
  EXPECT_EQ(failure_of(AuthResult::aborted), std::nullopt) << "the end of the session counts";
}

TEST(Failures, CommandsByTheirAnswer) {
  EXPECT_EQ(of_command(Command::select, CommandResult::ok, ResponseCode::read_write), std::nullopt);
  EXPECT_EQ(of_command(Command::select, CommandResult::no, ResponseCode::none), std::nullopt);
  EXPECT_EQ(of_command(Command::select, CommandResult::no, ResponseCode::nonexistent), std::nullopt);
  EXPECT_EQ(of_command(Command::select, CommandResult::bad, ResponseCode::none), Failure::client_command_bad);
  for (const auto code : {ResponseCode::unavailable, ResponseCode::serverbug, ResponseCode::corruption,
                          ResponseCode::contactadmin, ResponseCode::inuse, ResponseCode::tempfail})
    EXPECT_EQ(of_command(Command::fetch, CommandResult::no, code), Failure::server_command_failed);
  EXPECT_EQ(of_command(Command::append, CommandResult::no, ResponseCode::overquota), Failure::policy_command_limit);
  EXPECT_EQ(of_command(Command::copy, CommandResult::no, ResponseCode::limit), Failure::policy_command_limit);
  EXPECT_EQ(of_command(Command::fetch, CommandResult::aborted, ResponseCode::none), std::nullopt);
}

TEST(Failures, ALoginIsCountedAsOneAlone) {
  EXPECT_EQ(of_command(Command::login, CommandResult::bad, ResponseCode::none), std::nullopt);
  EXPECT_EQ(of_command(Command::authenticate, CommandResult::no, ResponseCode::unavailable), std::nullopt);
}

TEST(Failures, ASessionThatEndedInOrderIsNone) {
  EXPECT_EQ(of_end(CloseReason::logout, Phase::authenticated, Outcome::good), std::nullopt);
  EXPECT_EQ(of_end(CloseReason::client_eof, Phase::authenticated, Outcome::good), std::nullopt);
  EXPECT_EQ(of_end(CloseReason::client_timeout, Phase::authenticated, Outcome::good), std::nullopt) << "a phone";
  EXPECT_EQ(of_end(CloseReason::drain, Phase::authenticated, Outcome::good), std::nullopt);
  EXPECT_EQ(of_end(CloseReason::idle_timeout, Phase::authenticated, Outcome::good), std::nullopt);
  EXPECT_EQ(of_end(CloseReason::client_eof, Phase::handshake, std::nullopt), std::nullopt) << "a probe";
  EXPECT_EQ(of_end(CloseReason::client_eof, Phase::login, Outcome::login_rejected), std::nullopt);
  EXPECT_EQ(of_end(CloseReason::client_eof, Phase::login, Outcome::login_failed), std::nullopt)
      << "the login was answered, and is counted as a login";
}

TEST(Failures, ACutSessionByWhoEndedIt) {
  const auto cut = [](CloseReason reason) { return of_end(reason, Phase::authenticated, Outcome::cut); };
  EXPECT_EQ(cut(CloseReason::client_eof), Failure::client_hung_up);
  EXPECT_EQ(cut(CloseReason::client_reset), Failure::client_hung_up);
  EXPECT_EQ(cut(CloseReason::client_stall), Failure::client_stalled);
  EXPECT_EQ(cut(CloseReason::client_tls_error), Failure::network_client_tls);
  EXPECT_EQ(cut(CloseReason::client_timeout), Failure::network_vanished);
  EXPECT_EQ(cut(CloseReason::upstream_timeout), Failure::network_vanished);
  EXPECT_EQ(cut(CloseReason::drain_forced), Failure::imapmeter_drain);
  EXPECT_EQ(cut(CloseReason::idle_timeout), Failure::policy_timeout);
  EXPECT_EQ(cut(CloseReason::upstream_eof), Failure::server_closed);
  EXPECT_EQ(cut(CloseReason::upstream_reset), Failure::server_closed);
  EXPECT_EQ(cut(CloseReason::upstream_stall), Failure::server_stalled);
  EXPECT_EQ(cut(CloseReason::internal), Failure::imapmeter_internal);
  EXPECT_EQ(of_end(CloseReason::client_eof, Phase::login, Outcome::login_failed, std::nullopt, 1),
            Failure::client_hung_up)
      << "within a login";
}

TEST(Failures, AServerThatVanishesIsOneAtAnyTime) {
  EXPECT_EQ(of_end(CloseReason::upstream_eof, Phase::authenticated, Outcome::good), Failure::server_closed);
  EXPECT_EQ(of_end(CloseReason::upstream_eof, Phase::greeting, std::nullopt), Failure::server_greeting);
}

// With --observe off, or under a SASL layer, each LOGOUT would look like it.
TEST(Failures, WhereASessionIsNotReadTheServersEndIsNone) {
  proxy::SessionFacts facts;
  facts.outcome = Outcome::unseen;
  for (const auto reason : {CloseReason::upstream_eof, CloseReason::upstream_reset})
    EXPECT_EQ(failure_of(proxy::Closed{reason, Phase::greeting, imap::SessionState::opaque, {}, &facts}), std::nullopt);
}

TEST(Failures, AByeByItsReason) {
  using imap::ByeReason;
  const auto bye = [](ByeReason reason, Outcome outcome) {
    return of_end(CloseReason::upstream_bye, Phase::authenticated, outcome, reason);
  };
  EXPECT_EQ(bye(ByeReason::shutdown, Outcome::cut), Failure::server_shutdown);
  EXPECT_EQ(bye(ByeReason::inactivity, Outcome::cut), Failure::policy_inactivity);
  EXPECT_EQ(bye(ByeReason::greeting, Outcome::login_failed), Failure::server_greeting);
  EXPECT_EQ(bye(ByeReason::logout, Outcome::good), std::nullopt);
}

TEST(Failures, ConnectionsThatCameNowhere) {
  EXPECT_EQ(of_end(CloseReason::not_tls, Phase::handshake, std::nullopt), Failure::client_handshake);
  EXPECT_EQ(of_end(CloseReason::client_tls_error, Phase::handshake, std::nullopt), Failure::client_handshake);
  EXPECT_EQ(of_end(CloseReason::upstream_refused, Phase::connect, std::nullopt), Failure::server_unreachable);
  EXPECT_EQ(of_end(CloseReason::upstream_unavailable, Phase::connect, std::nullopt), Failure::server_unreachable);
  EXPECT_EQ(of_end(CloseReason::upstream_dns, Phase::connect, std::nullopt), Failure::network_dns);
  EXPECT_EQ(of_end(CloseReason::upstream_connect_timeout, Phase::connect, std::nullopt),
            Failure::network_connect_timeout);
  EXPECT_EQ(of_end(CloseReason::upstream_cert_invalid, Phase::connect, std::nullopt), Failure::server_tls);
  EXPECT_EQ(of_end(CloseReason::starttls_stripped, Phase::connect, std::nullopt), Failure::server_tls);
  EXPECT_EQ(of_end(CloseReason::upstream_greeting_timeout, Phase::greeting, std::nullopt), Failure::server_greeting);
  EXPECT_EQ(of_end(CloseReason::plaintext_refused, Phase::handshake, std::nullopt), Failure::policy_plaintext);
  EXPECT_EQ(of_end(CloseReason::limit_per_ip, Phase::handshake, std::nullopt), Failure::policy_limit);
  EXPECT_EQ(of_end(CloseReason::limit_memory, Phase::handshake, std::nullopt), Failure::imapmeter_resources);
  EXPECT_EQ(of_end(CloseReason::fd_exhausted, Phase::connect, std::nullopt), Failure::imapmeter_resources);
}

// Whatever may happen in future is not forgotten: a reason that is in none of the lists has to be decided upon here.
TEST(Failures, OnlyTheseReasonsAreNoFailureOfACutSession) {
  for (std::size_t i = 0; i < proxy::close_reason_count; ++i) {
    const auto reason = static_cast<CloseReason>(i);
    const bool in_order = reason == CloseReason::logout || reason == CloseReason::upstream_bye;
    EXPECT_EQ(of_end(reason, Phase::authenticated, Outcome::cut).has_value(), !in_order) << name(reason);
  }
}

TEST(Failures, AreCountedOnceEach) {
  Shard shard(1);
  proxy::SessionFacts facts;
  facts.outcome = Outcome::cut;
  shard.on_auth_attempt({imap::Mechanism::plain, AuthResult::temporary, ResponseCode::unavailable});
  shard.on_command_ended({Command::authenticate, CommandResult::no, std::nullopt, ResponseCode::unavailable});
  shard.on_command_ended({Command::fetch, CommandResult::no, std::nullopt, ResponseCode::serverbug});
  shard.on_closed({CloseReason::upstream_eof, Phase::authenticated, imap::SessionState::selected, {}, &facts});
  Totals sum;
  add(sum, shard.counts());
  for (std::size_t i = 0; i < failure_count; ++i) {
    const auto failure = static_cast<Failure>(i);
    const bool expected = failure == Failure::server_login_temporary || failure == Failure::server_command_failed ||
                          failure == Failure::server_closed;
    EXPECT_EQ(sum.failures[i], expected ? 1U : 0U) << name(row(failure).party) << " " << row(failure).kind;
  }
}

// The published table has each pair, and no other.
TEST(Failures, TheTableOfTheDocumentIsComplete) {
  std::ifstream file(IMAPMETER_SOURCE_DIR "/docs/verdict.md");
  std::set<std::string> documented;
  for (std::string line; std::getline(file, line);) {
    const std::string begin = "| `";
    if (!line.starts_with(begin)) continue;
    std::istringstream cells(line);
    std::string empty;
    std::string party;
    std::string kind;
    std::getline(cells, empty, '|');
    std::getline(cells, party, '|');
    std::getline(cells, kind, '|');
    documented.insert(party + kind);
  }
  std::set<std::string> known;
  for (const FailureRow& each : failure_rows)
    known.insert(" `" + std::string(name(each.party)) + "`  `" + std::string(each.kind) + "` ");
  EXPECT_EQ(documented, known);
}

}  // namespace
}  // namespace imapmeter::metrics
