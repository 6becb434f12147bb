// The capability filter: FAULTS.md I1 (c).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/imap/hearing.h"

namespace imapmeter::test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Not;

constexpr imap::CapabilityRules strip = {.enabled = true, .strip_starttls = true};
const std::string front = "* OK x\r\n";

// What a server line becomes if it arrives whole, and its events.
Heard filtered(const std::string& line, const imap::CapabilityRules& rules = strip) {
  Heard heard = listen(Conversation{}.server(front + line), {}, rules);
  heard.to_client.erase(0, front.size());
  heard.events.erase(heard.events.begin(), heard.events.begin() + 2);
  heard.events.pop_back();
  return heard;
}

std::vector<std::string> finding_names(const Heard& heard) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < imap::capability_finding_count; ++i) {
    const auto finding = static_cast<imap::CapabilityFinding>(i);
    if (heard.findings.has(finding)) names.emplace_back(name(finding));
  }
  return names;
}

std::string text(const std::string& line, const imap::CapabilityRules& rules = strip) {
  return filtered(line, rules).to_client;
}

TEST(Filter, TakesStarttlsWithItsSpace) {
  EXPECT_EQ(text("* CAPABILITY IMAP4rev1 STARTTLS IDLE\r\n"), "* CAPABILITY IMAP4rev1 IDLE\r\n");
  EXPECT_EQ(text("* CAPABILITY starttls IDLE StartTLS\r\n"), "* CAPABILITY IDLE\r\n");
  EXPECT_EQ(text("* capability STARTTLS\r\n"), "* capability\r\n");
  EXPECT_EQ(text("* CAPABILITY  STARTTLS  IDLE \r\n"), "* CAPABILITY   IDLE \r\n");
  EXPECT_EQ(text("* OK [CAPABILITY STARTTLS IDLE STARTTLS] STARTTLS\r\n"), "* OK [CAPABILITY IDLE] STARTTLS\r\n");
  EXPECT_EQ(text("* CAPABILITY A STARTTLS\n* CAPABILITY STARTTLS B\n"), "* CAPABILITY A\n* CAPABILITY B\n");
  EXPECT_EQ(text("x OK [CAPABILITY STARTTLS IDLE] x\r\n"), "x OK [CAPABILITY IDLE] x\r\n");
  EXPECT_EQ(text("* CAPABILITY A STARTTLS\r\n", {.enabled = true}), "* CAPABILITY A STARTTLS\r\n");
  EXPECT_EQ(text("* CAPABILITY A STARTTLS\r\n", {.enabled = false, .strip_starttls = true}),
            "* CAPABILITY A STARTTLS\r\n");
}

TEST(Filter, LeavesEverythingElseAlone) {
  for (const char* line :
       {"* CAPABILITY STARTTLSX XSTARTTLS START TLS AUTH=STARTTLS\r\n", "* OK CAPABILITY STARTTLS\r\n",
        "* LIST () \"/\" STARTTLS\r\n", "* OK [ALERT] [CAPABILITY STARTTLS]\r\n", "+ CAPABILITY STARTTLS\r\n",
        "* 1 CAPABILITY STARTTLS\r\n", "*  CAPABILITY STARTTLS\r\n", "* CAPABILITY {11}\r\n STARTTLS X \r\n",
        "* CAPABILITY A STARTTLS{2}\r\nab STARTTLS\r\n", "* 1 FETCH (X {25}\r\n* CAPABILITY A STARTTLS\r\n)\r\n",
        "* CAPABILITY A \"STARTTLS\"\r\n", "* CAPABILITY (STARTTLS)\r\n", "* CAPABILITY-X STARTTLS\r\n",
        "* NO [CAPABILITYX STARTTLS] x\r\n", "x CAPABILITY STARTTLS\r\n"}) {
    EXPECT_EQ(text(line), line);
  }
  // out of step and opaque
  const std::string after = "* CAPABILITY A STARTTLS\r\n";
  EXPECT_EQ(text("* 1 FETCH (X {1}\r\nab)\r\n" + after), "* 1 FETCH (X {1}\r\nab)\r\n" + after);
}

TEST(Filter, ScramPlusTakesItsPlainSister) {
  EXPECT_EQ(text("* CAPABILITY AUTH=PLAIN AUTH=SCRAM-SHA-1 AUTH=SCRAM-SHA-256 AUTH=SCRAM-SHA-1-PLUS X\r\n"),
            "* CAPABILITY AUTH=PLAIN AUTH=SCRAM-SHA-256 X\r\n");
  EXPECT_EQ(text("* CAPABILITY auth=scram-sha3-512-plus AUTH=SCRAM-SHA3-512 AUTH=SCRAM-SHA-512\r\n"),
            "* CAPABILITY AUTH=SCRAM-SHA-512\r\n");
  EXPECT_EQ(text("* CAPABILITY AUTH=SCRAM-NEW-PLUS AUTH=SCRAM-NEW AUTH=SCRAM-SHA-1\r\n"),
            "* CAPABILITY AUTH=SCRAM-SHA-1\r\n");
  EXPECT_EQ(text("* CAPABILITY AUTH=SCRAM-SHA-1 AUTH=GS2-KRB5-PLUS\r\n"),
            "* CAPABILITY AUTH=SCRAM-SHA-1 AUTH=GS2-KRB5-PLUS\r\n");
  EXPECT_THAT(filtered("* CAPABILITY AUTH=SCRAM-SHA-1 AUTH=SCRAM-SHA-1-PLUS\r\n").events,
              ElementsAre("capability_removed", "capability_removed"));
}

TEST(Filter, TheLastWayToLogInStays) {
  const Heard heard = filtered("* CAPABILITY LOGINDISABLED AUTH=SCRAM-SHA-1 AUTH=SCRAM-SHA-1-PLUS\r\n");
  EXPECT_EQ(heard.to_client, "* CAPABILITY LOGINDISABLED AUTH=SCRAM-SHA-1\r\n");
  EXPECT_THAT(heard.events, ElementsAre("capability_removed"));
  EXPECT_THAT(finding_names(heard), ElementsAre("logindisabled", "scram_plus", "scram_kept"));
  EXPECT_EQ(text("* CAPABILITY AUTH=SCRAM-SHA-1 AUTH=SCRAM-SHA-1-PLUS LOGINDISABLED\r\n"),
            "* CAPABILITY AUTH=SCRAM-SHA-1 LOGINDISABLED\r\n");
  EXPECT_EQ(text("* CAPABILITY LOGINDISABLED AUTH=SCRAM-SHA-1 AUTH=SCRAM-SHA-1-PLUS AUTH=PLAIN\r\n"),
            "* CAPABILITY LOGINDISABLED AUTH=PLAIN\r\n");
  EXPECT_EQ(text("* CAPABILITY LOGINDISABLED AUTH=SCRAM-SHA-1 AUTH=SCRAM-SHA-1-PLUS AUTH=SCRAM-SHA-256\r\n"),
            "* CAPABILITY LOGINDISABLED AUTH=SCRAM-SHA-256\r\n");
}

TEST(Filter, FindingsWithoutChanges) {
  const Heard heard =
      filtered("* CAPABILITY LOGINDISABLED STARTTLS AUTH=SCRAM-SHA-1 AUTH=SCRAM-SHA-1-PLUS\r\n", {.enabled = false});
  EXPECT_THAT(heard.events, ElementsAre());
  EXPECT_THAT(finding_names(heard), ElementsAre("logindisabled", "scram_plus"));
  // the same at every split, and nothing is held
  hear(Conversation{}.server(front + "* OK [CAPABILITY LOGINDISABLED AUTH=SCRAM-SHA-1 AUTH=SCRAM-SHA-1-PLUS] x\r\n"),
       {.enabled = false});
}

TEST(Filter, EverySplitWhereTheOrderDoesNotMatter) {
  const Heard heard = hear(
      Conversation{}
          .server("* OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN AUTH=SCRAM-SHA-1-PLUS AUTH=SCRAM-SHA-1] x\r\n")
          .client("a LOGIN x y\r\n")
          .server("* CAPABILITY STARTTLS\r\n* CAPABILITY STARTTLSX STARTTLS\r\na OK [CAPABILITY  STARTTLS ] x\r\n"),
      strip);
  EXPECT_EQ(heard.to_client,
            "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] x\r\n* CAPABILITY\r\n* CAPABILITY STARTTLSX\r\na OK [CAPABILITY  ] "
            "x\r\n");
}

TEST(Filter, AListInPiecesIsJudgedByMemory) {
  const std::string line = "* OK [CAPABILITY AUTH=PLAIN AUTH=SCRAM-SHA-256 AUTH=SCRAM-SHA-256-PLUS] x\r\n";
  const std::string after = "* OK [CAPABILITY AUTH=PLAIN] x\r\n";
  imap::CapabilityRules rules = strip;
  EXPECT_EQ(listen(Conversation{}.server(line), {Split::Kind::every, 1}, rules).to_client,
            "* OK [CAPABILITY AUTH=PLAIN AUTH=SCRAM-SHA-256] x\r\n");  // nothing known yet
  rules.plus_families = 1U << 2U;
  for_each_split(line.size(), [&](const Split& split) {
    EXPECT_EQ(listen(Conversation{}.server(line), split, rules).to_client, after) << split.text();
  });
}

TEST(Filter, Memory) {
  EventLog log;
  imap::CapabilityRules rules = strip;
  imap::TrackerContext context{nullptr, &rules, 1};
  const auto feed = [&](std::string line) {
    imap::SessionTracker tracker(log, context);
    std::vector<char> room(imap::capability_headroom);
    room.insert(room.end(), line.begin(), line.end());
    tracker.server(std::span(room).subspan(imap::capability_headroom), {});
    tracker.finish({});
  };
  feed("* OK [CAPABILITY LOGINDISABLED AUTH=SCRAM-SHA-1 AUTH=SCRAM-SHA-1-PLUS] x\r\n");
  EXPECT_EQ(rules.plus_families, 1U);
  EXPECT_TRUE(rules.keep_scram);
  feed("* OK [CAPABILITY IMAP4rev1 IDLE] after login there is no AUTH=\r\n");
  EXPECT_EQ(rules.plus_families, 1U);
  feed("* OK [CAPABILITY AUTH=PLAIN AUTH=SCRAM-SHA-1] x\r\n");
  EXPECT_EQ(rules.plus_families, 0U);
  EXPECT_FALSE(rules.keep_scram);
}

TEST(Filter, HoldsAtMost64OctetsOfOneWord) {
  EventLog log;
  imap::CapabilityRules rules = strip;
  imap::TrackerContext context{nullptr, &rules, 1};
  imap::SessionTracker tracker(log, context);
  const std::string line = "* OK [CAPABILITY AUTH=SCRAM-" + std::string(100, 'X') + " IDLE STARTTLS]\r\n";
  std::string out;
  std::size_t in = 0;
  for (const char octet : line) {
    std::vector<char> room(imap::capability_headroom + 1, octet);
    const auto part = tracker.server(std::span(room).subspan(imap::capability_headroom), {});
    out.append(part.data(), part.size());
    ++in;
    if (in + 30 < line.size()) {
      EXPECT_LE(in - out.size(), imap::capability_headroom);
    }
  }
  EXPECT_EQ(out, "* OK [CAPABILITY AUTH=SCRAM-" + std::string(100, 'X') + " IDLE]\r\n");
}

}  // namespace
}  // namespace imapmeter::test
