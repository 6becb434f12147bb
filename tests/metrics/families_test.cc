// What /metrics shows: names, label values, zeros, the number of series.
#include "metrics/families.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

#include "tests/metrics/drive.h"
#include "tests/support/exposition.h"

namespace imapmeter::metrics {
namespace {

using test::Exposition;
using test::parse_exposition;
using testing::UnorderedElementsAreArray;

constexpr std::size_t series_per_listener = 2500;
constexpr std::size_t series_per_server = 60;

std::set<std::string> label_values(const Exposition& read, const std::string& family, const std::string& label) {
  std::set<std::string> values;
  const auto found = read.families.find(family);
  if (found == read.families.end()) return values;
  for (const auto& series : found->second.series) {
    if (label != "le" || series.labels.contains(label)) values.insert(series.labels.at(label));
  }
  return values;
}

std::vector<std::string> words(const std::string& text) {
  std::istringstream in(text);
  return {std::istream_iterator<std::string>(in), {}};
}

// The families of this version that show every label value at zero, with how many series one listener has.
TEST(Families, ShowsEveryLabelValueOfTheMarkedFamiliesFromTheStart) {
  const Metrics metrics(one_listener(), 2, build());
  const Exposition read = parse_exposition(metrics.exposition());
  const std::map<std::string, std::size_t> shown = {
      {"imapmeter_status_codes_total", 18},
      {"imapmeter_responses_total", 15},
      {"imapmeter_bye_total", 4},
      {"imapmeter_status_rate", 9},
      {"imapmeter_commands_started_total", 1},
      {"imapmeter_commands_in_flight", 1},
      {"imapmeter_auth_attempts_total", 16 * 8},
      {"imapmeter_auth_failures_total", 10},
      {"imapmeter_auth_failing_networks", 1},
      {"imapmeter_provider_signals_total", 4},
      {"imapmeter_messages_total", 2},
      {"imapmeter_sessions", 7},
      {"imapmeter_sessions_accepted_total", 1},
      {"imapmeter_sessions_authenticated_total", 1},
      {"imapmeter_session_outcomes_total", 6},
      {"imapmeter_bytes_total", 2},
      {"imapmeter_authored_total", 7},
      {"imapmeter_literal_bytes_total", 2},
      {"imapmeter_compress_attempts_total", 3},
      {"imapmeter_deflated_bytes_total", 2},
      {"imapmeter_inflated_bytes_total", 2},
      {"imapmeter_opaque_sessions_total", 9},
      {"imapmeter_anomalies_total", 28},
      {"imapmeter_blocked_sessions", 2},
      {"imapmeter_blocked_seconds_total", 2},
      {"imapmeter_starttls_total", 2 * 4},
      {"imapmeter_plaintext_logins_refused_total", 1},
      {"imapmeter_tls_handshakes_total", 2 * (4 + 14)},
      {"imapmeter_upstream_connects_total", 2 * 10},
      {"imapmeter_upstream_sessions", 2},
      {"imapmeter_server_responses_total", 2 * 5},
      {"imapmeter_upstream_capability_changes_total", 2 * 2},
      {"imapmeter_server_auth_attempts_total", 2 * 4},
      {"imapmeter_upstream_up", 2},
      {"imapmeter_upstream_health_checks_total", 2 * 2},
  };
  for (const auto& [name, count] : shown) {
    ASSERT_TRUE(read.families.contains(name)) << name;
    EXPECT_EQ(read.families.at(name).series.size(), count) << name;
    EXPECT_EQ(read.sum(name), 0) << name;
  }
}

TEST(Families, HidesTheZerosOfTheOthers) {
  Metrics metrics(one_listener(), 1, build());
  const Exposition before = parse_exposition(metrics.exposition());
  for (const char* name :
       {"imapmeter_response_codes_total", "imapmeter_commands_total", "imapmeter_sessions_closed_total",
        "imapmeter_relay_delay_seconds", "imapmeter_server_first_response_seconds",
        "imapmeter_command_duration_seconds", "imapmeter_command_first_response_seconds",
        "imapmeter_login_phase_duration_seconds", "imapmeter_idle_duration_seconds",
        "imapmeter_session_duration_seconds", "imapmeter_untagged_data_total", "imapmeter_client_software_total",
        "imapmeter_client_problems_total"}) {
    EXPECT_FALSE(before.families.contains(name)) << name;
  }
  metrics.shard(0, 0).on_command_ended({imap::Command::uid_fetch, imap::CommandResult::ok});
  const Exposition after = parse_exposition(metrics.exposition());
  ASSERT_EQ(after.families.at("imapmeter_commands_total").series.size(), 1U);
  EXPECT_EQ(
      after.value("imapmeter_commands_total", {{"listener", "default"}, {"command", "UID FETCH"}, {"result", "OK"}}),
      1);
}

// The label values of the contract, written out here once more: an enum and its names could be wrong together.
TEST(Families, LabelValuesAreThoseOfTheContract) {
  Metrics metrics(one_listener(), 1, build());
  drive_imap(metrics.shard(0, 0));
  drive_relay(metrics.shard(0, 0), 2);
  const Exposition read = parse_exposition(metrics.exposition());
  const auto expect = [&read](const std::string& family, const std::string& label, const std::string& expected) {
    EXPECT_THAT(label_values(read, family, label), UnorderedElementsAreArray(words(expected)))
        << family << " " << label;
  };
  expect("imapmeter_status_codes_total", "status_code",
         "NOT_DEFINED OK NO BAD PREAUTH BYE ALERT BAD_CHARSET CAPABILITY PARSE PERMANENT_FLAGS READ_ONLY READ_WRITE "
         "TRY_CREATE UID_NEXT UID_VALIDITY UNSEEN UNSOLICITED");
  expect("imapmeter_responses_total", "kind", "greeting tagged untagged");
  expect("imapmeter_responses_total", "status", "OK NO BAD PREAUTH BYE");
  expect("imapmeter_response_codes_total", "status", "OK NO BAD PREAUTH BYE");
  expect("imapmeter_bye_total", "reason", "logout greeting inactivity shutdown");
  expect("imapmeter_status_rate", "status", "NO BAD BYE");
  expect("imapmeter_status_rate", "window", "1m 5m 15m");
  expect("imapmeter_commands_total", "result", "OK NO BAD aborted untracked");
  const std::string timed =
      "AUTHENTICATE|LOGIN|SELECT|EXAMINE|LIST|STATUS|APPEND|EXPUNGE|FETCH|SEARCH|STORE|COPY|NOOP|LOGOUT|UID FETCH|UID "
      "SEARCH|UID STORE|UID COPY|UID MOVE|other";
  for (const char* family : {"imapmeter_command_duration_seconds", "imapmeter_command_first_response_seconds"}) {
    EXPECT_EQ(label_values(read, family, "command").size(), 20U);
    for (const std::string& command : label_values(read, family, "command"))
      EXPECT_NE(("|" + timed + "|").find("|" + command + "|"), std::string::npos) << command;
    expect(family, "le", "0.0005 0.001 0.0025 0.005 0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 10 60 300 +Inf");
  }
  expect("imapmeter_login_phase_duration_seconds", "phase", "client_tls connect upstream_tls greeting auth");
  for (const char* family : {"imapmeter_idle_duration_seconds", "imapmeter_session_duration_seconds"})
    expect(family, "le", "1 10 60 330 960 1800 3600 14400 86400 +Inf");
  expect("imapmeter_untagged_data_total", "keyword",
         "CAPABILITY ENABLED FLAGS LIST LSUB SEARCH ESEARCH STATUS EXISTS RECENT EXPUNGE VANISHED FETCH other");
  expect("imapmeter_provider_signals_total", "signal",
         "throttled too_many_connections quota authenticated_not_connected");
  expect("imapmeter_auth_attempts_total", "mechanism",
         "PLAIN LOGIN XOAUTH2 OAUTHBEARER CRAM-MD5 DIGEST-MD5 NTLM GSSAPI GSS-SPNEGO EXTERNAL ANONYMOUS SCRAM-SHA-1 "
         "SCRAM-SHA-256 SCRAM-PLUS LOGIN_COMMAND other");
  expect("imapmeter_auth_attempts_total", "result", "success rejected temporary policy other_no bad cancelled aborted");
  expect("imapmeter_auth_failures_total", "code",
         "AUTHENTICATIONFAILED AUTHORIZATIONFAILED EXPIRED PRIVACYREQUIRED UNAVAILABLE CONTACTADMIN LIMIT INUSE other "
         "none");
  expect("imapmeter_messages_total", "operation", "fetched appended");
  expect(
      "imapmeter_client_software_total", "software",
      "apple_mail_ios apple_mail_macos outlook outlook_mobile thunderbird k9_mail fairemail gmail_app samsung_email "
      "evolution kmail em_client mailbird the_bat bluemail spark roundcube sogo nextcloud horde imapsync offlineimap "
      "dovecot imapflow other none");
  expect("imapmeter_client_problems_total", "kind", "login_rejected login_failed degraded cut");
  expect("imapmeter_sessions", "state", "connecting not_authenticated authenticated selected idle logout opaque");
  expect("imapmeter_sessions_closed_total", "phase", "handshake connect greeting login authenticated");
  expect("imapmeter_sessions_closed_total", "reason",
         "logout upstream_bye client_eof client_reset client_timeout client_tls_error client_certificate client_alpn "
         "client_handshake_timeout not_tls client_stall proxy_protocol pre_tls_limit preauth_timeout idle_timeout "
         "upstream_unavailable upstream_dns upstream_refused upstream_connect_timeout upstream_tls_error "
         "upstream_cert_invalid upstream_greeting_timeout upstream_eof upstream_reset upstream_timeout upstream_stall "
         "source_ports starttls_injection starttls_stripped starttls_refused starttls_preauth plaintext_refused "
         "limit_global limit_per_ip limit_per_upstream limit_handshakes limit_rate limit_memory fd_exhausted "
         "listener_removed drain drain_forced internal");
  expect("imapmeter_session_outcomes_total", "outcome", "unseen cut degraded login_failed login_rejected good");
  expect("imapmeter_bytes_total", "direction", "client_to_server server_to_client");
  expect("imapmeter_literal_bytes_total", "direction", "client_to_server server_to_client");
  expect("imapmeter_authored_total", "what",
         "bye greeting pre_tls upstream_starttls proxy_header capability_words multiplex");
  expect("imapmeter_compress_attempts_total", "result", "active refused aborted");
  expect("imapmeter_deflated_bytes_total", "direction", "client_to_server server_to_client");
  expect("imapmeter_inflated_bytes_total", "direction", "client_to_server server_to_client");
  expect("imapmeter_opaque_sessions_total", "reason",
         "sasl_layer multiplex compress_error compress_limit compress_ratio upstream_starttls parser disabled "
         "unsupported");
  expect("imapmeter_starttls_total", "side", "client upstream");
  expect("imapmeter_starttls_total", "result", "ok refused stripped injection");
  expect("imapmeter_tls_handshakes_total", "side", "client upstream");
  expect("imapmeter_tls_handshakes_total", "version", "none TLSv1.2 TLSv1.3");
  expect("imapmeter_tls_handshakes_total", "resumed", "none false true");
  expect("imapmeter_tls_handshakes_total", "result",
         "ok timeout eof reset not_tls version cipher alpn sni certificate_missing certificate_expired "
         "certificate_untrusted certificate_name alert other");
  for (const char* family : {"imapmeter_server_responses_total", "imapmeter_server_auth_attempts_total",
                             "imapmeter_server_first_response_seconds"}) {
    expect(family, "upstream", "dovecot");
    expect(family, "server", "mail.example.org:993 [2001:db8::1]:1993");
  }
  expect("imapmeter_upstream_capability_changes_total", "state", "before_login after_login");
  expect("imapmeter_server_responses_total", "status", "OK NO BAD PREAUTH BYE");
  expect("imapmeter_server_auth_attempts_total", "result", "success rejected temporary other");
  expect("imapmeter_server_first_response_seconds", "le", "0.01 0.1 1 10 +Inf");
  expect("imapmeter_upstream_connects_total", "server", "mail.example.org:993 [2001:db8::1]:1993");
  expect("imapmeter_upstream_health_checks_total", "result", "ok failed");
  expect("imapmeter_upstream_connects_total", "result",
         "ok dns refused timeout tls certificate starttls greeting reset source_ports");

  std::set<std::string> anomalies;
  for (const auto& series : read.families.at("imapmeter_anomalies_total").series) {
    anomalies.insert(series.labels.at("side") + "/" + series.labels.at("kind"));
  }
  std::set<std::string> expected;
  for (const auto& kind :
       words("greeting_malformed late_preauth tagged_bye repeated_bye bye_without_text unmatched_tag desync "
             "garbage_line empty_line bare_lf nul_octet code_unclosed missing_space double_space "
             "literal_plus_from_server quote_open_at_literal data_before_auth early_completion unauthenticate_no "
             "other")) {
    expected.insert("upstream/" + kind);
  }
  for (const auto& kind : words("bare_lf nul_octet no_command stray_done impatient_literal octets_during_compress "
                                "empty_line other")) {
    expected.insert("client/" + kind);
  }
  EXPECT_EQ(anomalies, expected);
}

// FAULTS I8, G11: every label value there is, driven once, and once more.
TEST(Families, StaysWithinItsNumberOfSeries) {
  Metrics metrics(one_listener(), 1, build());
  drive_imap(metrics.shard(0, 0));
  drive_relay(metrics.shard(0, 0), 2);
  metrics.set_certificate_expiry(0, "a.pem", std::chrono::system_clock::now());
  const Exposition once = parse_exposition(metrics.exposition());
  drive_imap(metrics.shard(0, 0));
  drive_relay(metrics.shard(0, 0), 2);
  EXPECT_EQ(parse_exposition(metrics.exposition()).series().size(), once.series().size());

  std::map<std::string, std::size_t> by_listener;
  std::map<std::string, std::size_t> by_server;
  for (const auto& series : once.series()) {
    if (series.labels.contains("listener")) ++by_listener[series.labels.at("listener")];
    if (series.labels.contains("server")) ++by_server[series.labels.at("server")];
  }
  ASSERT_EQ(by_listener.size(), 1U);
  ASSERT_EQ(by_server.size(), 2U);
  // What the enums make, so that a family that lost label values is seen too.
  const std::size_t every_value = 3 + 2 * 2 + 18 + 15 + 5 * imap::response_code_count + 4 + 9 + 1 +
                                  5 * imap::command_count + 1 + 7 + 1 + 1 + 43 * 5 + 6 + 9 + 2 + 2 + 7 + 28 + 36 + 1 +
                                  1 + 2 + 2 + 2 * (9 + 2) + 2 * 20 * (16 + 2) + 5 * (16 + 2) + 2 * (10 + 2) + 14 +
                                  16 * 8 + 10 + 1 + 4 + 2 + 26 + 26 * 4 + 2 * 4 + 1 + failure_count;
  EXPECT_EQ(by_listener.at("default"), every_value);
  EXPECT_LE(by_listener.at("default"), series_per_listener);
  for (const auto& [server, count] : by_server) EXPECT_LE(count, series_per_server) << server;
}

// Sums that the contract promises, after every label value was driven.
TEST(Families, FamiliesAgreeWithEachOther) {
  Metrics metrics(one_listener(), 1, build());
  drive_imap(metrics.shard(0, 0));
  drive_relay(metrics.shard(0, 0), 2);
  const Exposition read = parse_exposition(metrics.exposition());
  for (const char* status : {"OK", "NO", "BAD", "PREAUTH", "BYE"}) {
    EXPECT_EQ(read.sum("imapmeter_response_codes_total", {{"status", status}}),
              read.sum("imapmeter_responses_total", {{"status", status}}));
  }
  EXPECT_EQ(read.sum("imapmeter_auth_failures_total"),
            read.sum("imapmeter_auth_attempts_total") -
                read.sum("imapmeter_auth_attempts_total", {{"result", "success"}}) -
                read.sum("imapmeter_auth_attempts_total", {{"result", "aborted"}}));
  // One IDLE is outstanding and in no gauge.
  EXPECT_EQ(read.sum("imapmeter_commands_started_total"),
            read.sum("imapmeter_commands_total") + read.sum("imapmeter_commands_in_flight") + 1);
  EXPECT_EQ(read.sum("imapmeter_sessions_accepted_total"),
            read.sum("imapmeter_sessions_closed_total") + read.sum("imapmeter_sessions"));
  EXPECT_EQ(read.sum("imapmeter_sessions"), 7);
}

// Names and help texts: the public interface.
TEST(Families, FamiliesKeepTheRulesOfNames) {
  Metrics metrics(one_listener(), 1, build());
  drive_imap(metrics.shard(0, 0));
  drive_relay(metrics.shard(0, 0), 2);
  metrics.set_certificate_expiry(0, "a.pem", std::chrono::system_clock::now());
  metrics.set_limit("all", "sessions", 1000);
  const Exposition read = parse_exposition(metrics.exposition());
  EXPECT_EQ(read.families.size(), 65U);
  for (const auto& [name, family] : read.families) {
    EXPECT_TRUE(name.starts_with("imapmeter_") || name.starts_with("process_")) << name;
    EXPECT_EQ(name.ends_with("_total"), family.type == "counter") << name;
    EXPECT_EQ(family.help.find('\\'), std::string::npos) << name;
    EXPECT_EQ(family.help.back(), '.') << name;
    const std::string without = name.substr(0, name.rfind("_total"));
    EXPECT_TRUE(without == name || !read.families.contains(without)) << name;
  }
  // Families whose series overlap say so.
  EXPECT_THAT(read.families.at("imapmeter_status_codes_total").help, testing::HasSubstr("more than once"));
  EXPECT_THAT(read.families.at("imapmeter_status_rate").help, testing::HasSubstr("Fix window"));
  EXPECT_THAT(read.families.at("imapmeter_tls_handshakes_total").help, testing::HasSubstr("Fix side"));
}

TEST(Families, PromtoolFindsNothing) {
  Metrics metrics(one_listener(), 2, build());
  drive_imap(metrics.shard(0, 0));
  drive_relay(metrics.shard(0, 0), 2);
  metrics.set_certificate_expiry(0, "a.pem", std::chrono::system_clock::now());
  const std::string prefix = testing::TempDir() + "imapmeter_promtool_" + std::to_string(getpid());
  std::ofstream(prefix + ".in") << metrics.exposition();
  const std::string command = "promtool check metrics < " + prefix + ".in > " + prefix + ".out 2>&1";
  const int result = std::system(command.c_str());  // NOLINT(concurrency-mt-unsafe,cert-env33-c)
  std::ostringstream said;
  said << std::ifstream(prefix + ".out").rdbuf();
  EXPECT_EQ(result, 0) << said.str();
  EXPECT_EQ(said.str(), "");
  std::remove((prefix + ".in").c_str());
  std::remove((prefix + ".out").c_str());
}

}  // namespace
}  // namespace imapmeter::metrics
