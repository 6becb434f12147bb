#include "proxy/session_record.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "proxy/log_json.h"

namespace imapmeter::proxy {
namespace {

using std::chrono::microseconds;

const RecordNames names = {"default", {"127.0.0.1:143", "127.0.0.1:144"}};

IpEndpoint loopback(std::uint16_t port) {
  IpEndpoint endpoint;
  endpoint.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1};
  endpoint.port = port;
  endpoint.known = true;
  return endpoint;
}

SessionFacts everyday_facts() {
  SessionFacts facts;
  facts.id = std::uint64_t{3} << session_id_worker_shift | 42;
  facts.source = loopback(40112);
  facts.server = 1;
  facts.take(Step::client_tls, microseconds(1234));
  facts.take(Step::connect, microseconds(87));
  facts.take(Step::upstream_tls, microseconds(2000));
  facts.take(Step::greeting, microseconds(1000000));
  facts.take(Step::login, microseconds(15001));
  facts.octets = {250, 18000};
  facts.commands = {5, 1, 0, 2, 0};
  facts.tls = {{{TlsVersion::tls1_3, true}, {TlsVersion::tls1_2, false}}};
  facts.bye = imap::ByeReason::logout;
  facts.client_software = imap::ClientSoftware::k9_mail;
  facts.outcome = imap::Outcome::good;
  return facts;
}

TEST(SessionRecord, AnEverydaySession) {
  const SessionFacts facts = everyday_facts();
  const Closed closed{CloseReason::logout, Phase::authenticated, imap::SessionState::logout, microseconds(61000042),
                      &facts};
  EXPECT_EQ(session_record(names, "192.0.2.0/24", closed),
            R"("event":"session","id":"3-42","listener":"default","client":"192.0.2.0/24","server":"127.0.0.1:144",)"
            R"("source":"127.0.0.1","source_port":40112,"reason":"logout","phase":"authenticated","state":"logout",)"
            R"("outcome":"good","duration_ms":61000.042,"client_tls_ms":1.234,"connect_ms":0.087,)"
            R"("upstream_tls_ms":2.000,"greeting_ms":1000.000,"login_ms":15.001,"client_to_server_octets":250,)"
            R"("server_to_client_octets":18000,"commands":{"OK":5,"NO":1,"BAD":0,"aborted":2,"untracked":0},)"
            R"("bye":"logout","client_software":"k9_mail","client_tls":"TLSv1.3","client_tls_resumed":true,)"
            R"("upstream_tls":"TLSv1.2",)"
            R"("upstream_tls_resumed":false)");
}

TEST(SessionRecord, WhatASessionNeverHad) {
  const SessionFacts facts;
  const Closed closed{CloseReason::not_tls, Phase::handshake, imap::SessionState::connecting, {}, &facts};
  EXPECT_EQ(session_record(names, "", closed),
            R"("event":"session","id":"0-0","listener":"default","client":null,"server":null,"source":null,)"
            R"("source_port":null,"reason":"not_tls","phase":"handshake","state":"connecting","outcome":"none",)"
            R"("duration_ms":0.000,"client_tls_ms":null,"connect_ms":null,"upstream_tls_ms":null,"greeting_ms":null,)"
            R"("login_ms":null,"client_to_server_octets":0,"server_to_client_octets":0,)"
            R"("commands":{"OK":0,"NO":0,"BAD":0,"aborted":0,"untracked":0},"bye":"none","client_software":"none",)"
            R"("client_tls":"none","client_tls_resumed":false,"upstream_tls":"none","upstream_tls_resumed":false)");
}

TEST(SessionRecord, AConnectionThatNeverBecameASession) {
  const Closed closed{CloseReason::limit_global, Phase::handshake, imap::SessionState::connecting, {}};
  EXPECT_EQ(session_record(names, "", closed),
            R"("event":"session","listener":"default","client":null,"reason":"limit_global","phase":"handshake",)"
            R"("state":"connecting","duration_ms":0.000)");
}

TEST(SessionRecord, ALoginThatFailed) {
  const SessionFacts facts = everyday_facts();
  EXPECT_EQ(auth_record(
                names, "192.0.2.7", facts,
                {imap::Mechanism::login_command, imap::AuthResult::rejected, imap::ResponseCode::authenticationfailed}),
            R"("event":"auth","id":"3-42","listener":"default","client":"192.0.2.7","server":"127.0.0.1:144",)"
            R"("mechanism":"LOGIN_COMMAND","result":"rejected","code":"AUTHENTICATIONFAILED")");
}

TEST(SessionRecord, B13_NamesMayHoldAnything) {
  const RecordNames odd = {json_escape("a\"\\\n\xff"), {json_escape("unix:/run/\x1b")}};
  SessionFacts facts;
  facts.server = 0;
  const Closed closed{CloseReason::logout, Phase::login, imap::SessionState::logout, {}, &facts};
  const auto read = nlohmann::json::parse("{" + session_record(odd, "unix", closed) + "}");
  EXPECT_EQ(read["listener"], "a\"\\\n\uFFFD");
  EXPECT_EQ(read["server"], "unix:/run/\x1b");
}

TEST(SessionFacts, AStepThatTakesLongerThanItsRoomSaturates) {
  SessionFacts facts;
  facts.take(Step::login, std::chrono::hours(100));
  EXPECT_EQ(facts.steps[static_cast<std::size_t>(Step::login)], SessionFacts::not_taken - 1);
  facts.take(Step::login, microseconds(-1));
  EXPECT_EQ(facts.steps[static_cast<std::size_t>(Step::login)], 0U);
}

TEST(SessionFacts, AnotherServerStartsAnew) {
  SessionFacts facts = everyday_facts();
  facts.dial_began = imap::TimePoint(microseconds(1000));
  facts.step_began = imap::TimePoint(microseconds(5000));
  facts.forget_server();
  EXPECT_EQ(facts.step_began, facts.dial_began);
  EXPECT_EQ(facts.steps[static_cast<std::size_t>(Step::connect)], SessionFacts::not_taken);
  EXPECT_NE(facts.steps[static_cast<std::size_t>(Step::client_tls)], SessionFacts::not_taken);
  EXPECT_FALSE(facts.source.known);
  EXPECT_EQ(facts.tls[static_cast<std::size_t>(Side::upstream)].version, TlsVersion::none);
}

}  // namespace
}  // namespace imapmeter::proxy
