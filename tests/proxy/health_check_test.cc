#include "proxy/health_check.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace imapmeter::proxy {
namespace {

using imap::UpstreamDialogue;

std::optional<CheckResult> read(const std::string& octets, std::size_t cut) {
  UpstreamDialogue dialogue(UpstreamDialogue::Goal::greeting);
  const std::span<const char> all(octets);
  if (const auto early = check_result(dialogue.read(all.first(cut)).verdict, false)) return early;
  return check_result(dialogue.read(all.subspan(cut)).verdict, false);
}

TEST(HealthCheck, TellsGreetingsApartAtEverySplit) {
  const std::vector<std::pair<std::string, CheckResult>> cases = {
      {"* OK ready\r\n", CheckResult::ok},
      {"* ok [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN] ready\r\n* OK more\r\n", CheckResult::ok},
      {"* OK\n", CheckResult::ok},
      {"* PREAUTH [CAPABILITY IMAP4rev2] hello\r\n", CheckResult::preauth},
      {"* BYE full\r\n", CheckResult::bye},
      {"* NO not now\r\n", CheckResult::no_imap},
      {"* BAD\r\n", CheckResult::no_imap},
      {"* OKAY\r\n", CheckResult::no_imap},
      {"+OK POP3 ready\r\n", CheckResult::no_imap},
      {"220 smtp.example.org ESMTP\r\n", CheckResult::no_imap},
      {"HTTP/1.1 400 Bad Request\r\n", CheckResult::no_imap},
      {"* 5 EXISTS\r\n", CheckResult::no_imap},
      {"\r\n", CheckResult::no_imap},
      {std::string("\x15\x03\x01\x00\x02\x02\x50\n", 8), CheckResult::no_imap},
      {std::string(9000, 'x'), CheckResult::no_imap},
  };
  for (const auto& [octets, expected] : cases)
    for (std::size_t cut = 0; cut <= std::min<std::size_t>(octets.size(), 100); ++cut)
      EXPECT_EQ(read(octets, cut), expected) << octets.substr(0, 60) << " cut at " << cut;
}

TEST(HealthCheck, WaitsForTheEndOfTheLine) {
  for (const char* const octets : {"", "*", "* ", "* O", "* OK", "* OK [CAPABILITY IMAP4rev1] ready", "* OK ready\r"})
    EXPECT_EQ(read(octets, 0), std::nullopt) << octets;
}

TEST(HealthCheck, WithoutTlsAServerOfStarttlsIsDown) {
  for (const auto verdict : {UpstreamDialogue::Verdict::refused, UpstreamDialogue::Verdict::stripped,
                             UpstreamDialogue::Verdict::injection, UpstreamDialogue::Verdict::preauth}) {
    EXPECT_EQ(check_result(verdict, true), CheckResult::starttls);
    EXPECT_FALSE(succeeded(*check_result(verdict, true)));
  }
  EXPECT_EQ(check_result(UpstreamDialogue::Verdict::bye, true), CheckResult::bye);
  EXPECT_EQ(check_result(UpstreamDialogue::Verdict::start_tls, true), std::nullopt);
}

}  // namespace
}  // namespace imapmeter::proxy
