// Status responses: conditions, codes, members. IMAP.md 1.1 to 1.3, METRICS.md "Members".
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/imap/status_names.h"
#include "tests/imap/hearing.h"

namespace imapmeter::test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

std::vector<std::string> server_says(const std::string& octets) { return events_of(logged_in().server(octets)); }

TEST(Names, AreThoseOfTheContract) {
  EXPECT_EQ(name(imap::StatusCode::unsolicited), "UNSOLICITED");
  EXPECT_EQ(name(imap::StatusCode::bad_charset), "BAD_CHARSET");
  EXPECT_EQ(name(imap::ResponseCode::undefined_filter), "UNDEFINED-FILTER");
  EXPECT_EQ(name(imap::ResponseCode::none), "none");
  EXPECT_EQ(name(imap::Command::uid_fetch), "UID FETCH");
  EXPECT_EQ(name(imap::Command::xlist), "XLIST");
  EXPECT_EQ(name(imap::Anomaly::client_bare_lf), "bare_lf");
  EXPECT_EQ(name(imap::Anomaly::client_other), "other");
  EXPECT_EQ(name(imap::OpaqueReason::unsupported), "unsupported");
}

// Every code of the registry, alone and in a real line, in lower case too, and no other.
TEST(Codes, EveryRegisteredCodeIsRecognised) {
  for (std::size_t i = 2; i < imap::response_code_count; ++i) {
    const std::string code(imap::response_code_names[i]);
    std::string lower = code;
    for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    for (const std::string& written : {"[" + code + "] x", "[" + code + " 1] x", "[" + lower + "]"}) {
      const auto events = server_says("* NO " + written + "\r\n");
      ASSERT_FALSE(events.empty());
      EXPECT_TRUE(events[0].starts_with("status untagged NO " + code + " (")) << events[0];
    }
    for (const std::string& other : {code + "X", code.substr(0, code.size() - 1) + "~"}) {
      EXPECT_TRUE(server_says("* NO [" + other + "] x\r\n")[0].starts_with("status untagged NO other (NO UNSOLI"));
    }
  }
}

TEST(Codes, TheElevenMembers) {
  const std::vector<std::pair<std::string, std::string>> members = {
      {"ALERT", "ALERT"},           {"BADCHARSET", "BAD_CHARSET"},
      {"CAPABILITY", "CAPABILITY"}, {"PARSE", "PARSE"},
      {"READ-ONLY", "READ_ONLY"},   {"PERMANENTFLAGS", "PERMANENT_FLAGS"},
      {"READ-WRITE", "READ_WRITE"}, {"TRYCREATE", "TRY_CREATE"},
      {"UIDNEXT", "UID_NEXT"},      {"UIDVALIDITY", "UID_VALIDITY"},
      {"UNSEEN", "UNSEEN"}};
  for (const auto& [code, member] : members) {
    EXPECT_THAT(server_says("* OK [" + code + "] x\r\n"),
                ElementsAre("status untagged OK " + code + " (OK " + member + " UNSOLICITED)"));
  }
}

TEST(Traps, T08_OneResponseSeveralMembers) {
  EXPECT_THAT(server_says("* OK [UNSEEN 12] x\r\n"), ElementsAre("status untagged OK UNSEEN (OK UNSEEN UNSOLICITED)"));
  EXPECT_THAT(server_says("* 5 EXISTS\r\n"), IsEmpty());
}

TEST(Traps, T09_CodeOnlyAtTheFrontAndOnlyIfAnAtom) {
  for (const char* text : {"ready. [RgBSADAA==]", "[Error=\"Microsoft.Exchange\" Proxy=x] no", "[FOO(BAR)] x",
                           " [ALERT] x", "[]", "[ ALERT] x", "see [ALERT]"}) {
    EXPECT_THAT(server_says("* NO " + std::string(text) + "\r\n"),
                ElementsAre("status untagged NO none (NO UNSOLICITED)"))
        << text;
  }
  EXPECT_THAT(server_says("* OK [RgBSADAA==] x\r\n"), ElementsAre("status untagged OK other (OK UNSOLICITED)"));
  // the first ] inside quotes does not end the code
  EXPECT_THAT(server_says("* NO [NOUPDATE \"B]0\\\"2\"] x\r\n"),
              ElementsAre("status untagged NO NOUPDATE (NO UNSOLICITED)"));
}

TEST(Status, WordsAreComparedWhole) {
  EXPECT_THAT(server_says("* O x\r\n* PRE x\r\n* BY x\r\n* BYEE x\r\n"), IsEmpty());
  EXPECT_THAT(server_says("* OK [ALER] x\r\n"), ElementsAre("status untagged OK other (OK UNSOLICITED)"));
  EXPECT_THAT(server_says("* OK [READ 1] x\r\n"), ElementsAre("status untagged OK other (OK UNSOLICITED)"));
  EXPECT_EQ(events_of(logged_in().client("a NOO\r\n")).at(0), "started other");
  EXPECT_EQ(events_of(logged_in().client("a UID FETC 1\r\n")).at(0), "started other");
}

TEST(Codes, Unclosed) {
  EXPECT_THAT(server_says("* NO [TRYCREATE\r\n"),
              ElementsAre("status untagged NO none (NO UNSOLICITED)", "anomaly upstream code_unclosed"));
  EXPECT_THAT(server_says("* OK [PERMANENTFLAGS (\\Seen\r\n"),
              ElementsAre("status untagged OK PERMANENTFLAGS (OK PERMANENT_FLAGS UNSOLICITED)",
                          "anomaly upstream code_unclosed"));
  EXPECT_THAT(server_says("* OK [PERMANENTFLAGS (\\Seen OIB-Seen-[Gmail]/Trash \\*)] Flags permitted.\r\n")[0],
              "status untagged OK PERMANENTFLAGS (OK PERMANENT_FLAGS UNSOLICITED)");
}

TEST(Codes, BracketsOfTheArguments) {
  for (const char* arguments : {"PERMANENTFLAGS (\\Seen OIB-Seen-[Gmail]/Trash \\*)", "PERMANENTFLAGS ([css3-page] x])",
                                "REFERRAL imap://u@[2001:db8::1]/X", "BADURL imap://[::1]/ [::2]/"}) {
    const std::string text = arguments;
    const std::string code = text.substr(0, text.find(' '));
    EXPECT_THAT(server_says("* NO [" + text + "] x\r\n"),
                ElementsAre(testing::StartsWith("status untagged NO " + code)));
    EXPECT_THAT(server_says("* NO [" + text + "]x\r\n"),
                ElementsAre(testing::StartsWith("status untagged NO " + code), "anomaly upstream missing_space"));
  }
  EXPECT_THAT(server_says("* NO [BADCHARSET (] x {3}\r\n* OK x\r\n").size(), 2U);
}

TEST(Traps, T10_MissingSpaceAndText) {
  EXPECT_THAT(server_says("* BYE\r\n"),
              ElementsAre("status untagged BYE none (BYE UNSOLICITED)", "anomaly upstream bye_without_text",
                          "bye shutdown", "state authenticated -> logout"));
  EXPECT_THAT(server_says("* OK\r\n"),
              ElementsAre("status untagged OK none (OK UNSOLICITED)", "anomaly upstream missing_space"));
  EXPECT_THAT(server_says("* OK [HIGHESTMODSEQ 9]\r\n"),
              ElementsAre("status untagged OK HIGHESTMODSEQ (OK UNSOLICITED)"));
  EXPECT_THAT(server_says("* NO [REFERRAL imap://u@h/]text\r\n"),
              ElementsAre("status untagged NO REFERRAL (NO UNSOLICITED)", "anomaly upstream missing_space"));
  EXPECT_THAT(server_says("*OK x\r\n"), ElementsAre("anomaly upstream missing_space"));
  EXPECT_THAT(server_says("*  OK x\r\n"), ElementsAre("anomaly upstream double_space"));
}

TEST(Traps, T13_DataOfTheSameNameIsNoCode) {
  EXPECT_THAT(server_says("* CAPABILITY IMAP4rev1 UNSEEN\r\n* STATUS x (UNSEEN 3 UIDNEXT 9)\r\n* FLAGS (\\Seen)\r\n"
                          "* SEARCH 1 2\r\n* OKAY\r\n* NOOP\r\n* STATUS ALERT\r\n* 12 PARSE\r\n"),
              IsEmpty());
}

TEST(Traps, T14_AnyCase) {
  EXPECT_THAT(
      events_of(logged_in().client("a1 eXpunge\r\n").server("* ok [UnSeen 3]\r\nA1 OK x\r\na1 nO [tryCreate] x\r\n")),
      ElementsAre("started EXPUNGE", "status untagged OK UNSEEN (OK UNSEEN UNSOLICITED)", "status tagged OK none (OK)",
                  "anomaly upstream unmatched_tag", "status tagged NO TRYCREATE (NO TRY_CREATE)", "ended EXPUNGE NO"));
}

TEST(Traps, T23_ContinuationsAreNoStatus) {
  EXPECT_THAT(server_says("+ OK [ALERT] x\r\n+ NO\r\n"), IsEmpty());
  EXPECT_THAT(server_says("+\r\n+OK\r\n"),
              ElementsAre("anomaly upstream missing_space", "anomaly upstream missing_space"));
}

TEST(Status, LegalTagsOfAllKinds) {
  for (const char* tag : {".", "]", "#", "[", "A########", "15.16", "OK", "1", "*"}) {
    const std::string t = tag;
    const auto events = events_of(logged_in().client(t + " NOOP\r\n").server(t + " OK done\r\n"));
    if (t == "*") {
      EXPECT_THAT(events, ElementsAre("anomaly client no_command", "status untagged OK none (OK UNSOLICITED)"));
    } else {
      EXPECT_THAT(events, ElementsAre("started NOOP", "status tagged OK none (OK)", "ended NOOP OK")) << t;
    }
  }
}

TEST(Status, UndefinedConditionOfAnOutstandingTag) {
  EXPECT_THAT(events_of(logged_in().client("a NOOP\r\n").server("a DONE [ALERT]\r\na OKAY\r\na\r\nb FINE\r\n")),
              ElementsAre("started NOOP", "not_defined", "not_defined", "anomaly upstream garbage_line",
                          "anomaly upstream garbage_line", "ended NOOP aborted"));
}

TEST(Status, TaggedByeAndPreauthCompleteNothing) {
  EXPECT_THAT(events_of(logged_in().client("a NOOP\r\n").server("a BYE x\r\na PREAUTH x\r\na OK x\r\n")),
              ElementsAre("started NOOP", "status tagged BYE none (BYE)", "anomaly upstream tagged_bye",
                          "status tagged PREAUTH none (PREAUTH)", "anomaly upstream late_preauth",
                          "status tagged OK none (OK)", "ended NOOP OK"));
}

TEST(Status, OddLines) {
  EXPECT_THAT(server_says("\r\n"), ElementsAre("anomaly upstream empty_line"));
  EXPECT_THAT(server_says("Server Unavailable. 15\r\n"), ElementsAre("anomaly upstream garbage_line"));
  EXPECT_THAT(server_says("[COPYUID 701 1 1] x\r\n"), ElementsAre("anomaly upstream garbage_line"));
  EXPECT_THAT(server_says(" NO LOGOUT x\r\n"), ElementsAre("anomaly upstream garbage_line"));
  EXPECT_THAT(server_says("\r\r\n"), ElementsAre("anomaly upstream garbage_line"));
  EXPECT_THAT(server_says("* \r\n"), ElementsAre("anomaly upstream garbage_line"));
  EXPECT_THAT(server_says("\xc3\xa4 OK x\r\n"), ElementsAre("anomaly upstream garbage_line"));
}

TEST(Traps, T21_NulAndEightBitOctets) {
  const std::string nul("* OK [ALERT] a\0b\r\n", 18);
  EXPECT_THAT(server_says(nul),
              ElementsAre("anomaly upstream nul_octet", "status untagged OK ALERT (OK ALERT UNSOLICITED)"));
  EXPECT_THAT(server_says("* OK \xff\xfe{3}\r\n"), ElementsAre("status untagged OK none (OK UNSOLICITED)"));
}

TEST(Traps, T25_LoneLf) {
  EXPECT_THAT(server_says("* OK [ALERT] x\n* NO y\n"),
              ElementsAre("anomaly upstream bare_lf", "status untagged OK ALERT (OK ALERT UNSOLICITED)",
                          "anomaly upstream bare_lf", "status untagged NO none (NO UNSOLICITED)"));
  EXPECT_THAT(server_says("* OK x\ry\r\n"), ElementsAre("status untagged OK none (OK UNSOLICITED)"));  // a lone CR
}

TEST(Status, ALastLineWithoutLfIsNotCounted) { EXPECT_THAT(server_says("* BYE going\r"), IsEmpty()); }

TEST(Greeting, Shapes) {
  const auto first = [](const std::string& line) { return events_of(Conversation{}.server(line)); };
  EXPECT_THAT(first("* OK [CAPABILITY IMAP4rev1] hi\r\n"),
              ElementsAre("status greeting OK CAPABILITY (OK CAPABILITY UNSOLICITED)",
                          "state connecting -> not_authenticated"));
  EXPECT_THAT(first("* NO x\r\n"),
              ElementsAre("status greeting NO none (NO UNSOLICITED)", "anomaly upstream greeting_malformed",
                          "state connecting -> not_authenticated"));
  for (const char* line : {"421 busy\r\n", " NO LOGOUT x\r\n", "+OK pop\r\n", "HTTP/1.1 200 OK\r\n",
                           "* 3 EXISTS {3}\r\n", "\r\n", "a OK x\r\n", "* CAPABILITY x\r\n", "* OKAY\r\n"}) {
    EXPECT_THAT(first(line), ElementsAre("not_defined", "anomaly upstream greeting_malformed",
                                         "state connecting -> not_authenticated"))
        << line;
  }
}

TEST(Greeting, TheLineAfterAMalformedOneIsNoGreeting) {
  EXPECT_THAT(events_of(Conversation{}.server("421 x\r\n* OK y\r\n")),
              ElementsAre("not_defined", "anomaly upstream greeting_malformed", "state connecting -> not_authenticated",
                          "status untagged OK none (OK UNSOLICITED)"));
}

TEST(Greeting, A6_BinaryOrEndlessIsOpaque) {
  const std::vector<std::string> opaque = {"opaque parser", "state connecting -> opaque"};
  EXPECT_EQ(events_of(Conversation{}.server(std::string("ab\0c\r\n* OK x\r\n", 14))), opaque);
  EXPECT_EQ(events_of(Conversation{}.server(std::string("\0", 1))), opaque);
  for (const char* beginning : {"", "* OK ", "* OK [CAPABILITY A", "* OK [ALERT", "* X", "( "}) {
    const std::string head = beginning;
    const Conversation endless = Conversation{}.server(head + std::string(8192 - head.size(), 'a') + "\r\n");
    const Conversation longest = Conversation{}.server(head + std::string(8190 - head.size(), 'a') + "\r\n* NO x\r\n");
    for (const Split split : {Split{}, Split{Split::Kind::every, 1}, Split{Split::Kind::every, 7}}) {
      EXPECT_EQ(listen(endless, split).events, opaque) << head;
      EXPECT_THAT(listen(longest, split).events, Contains("status untagged NO none (NO UNSOLICITED)")) << head;
    }
  }
}

TEST(Traps, T20_Preauth) {
  EXPECT_THAT(events_of(Conversation{}.server("* PREAUTH hi\r\n* PREAUTH again\r\n")),
              ElementsAre("status greeting PREAUTH none (PREAUTH UNSOLICITED)", "authenticated",
                          "state connecting -> authenticated", "status untagged PREAUTH none (PREAUTH UNSOLICITED)",
                          "anomaly upstream late_preauth"));
}

TEST(Status, DataBeforeLogin) {
  EXPECT_THAT(
      events_of(greeted().server("* CAPABILITY x\r\n* ID NIL\r\n* LANGUAGE (en)\r\n* OK x\r\n* LIST () \"/\" a\r\n")),
      ElementsAre("status untagged OK none (OK UNSOLICITED)", "anomaly upstream data_before_auth"));
  EXPECT_THAT(server_says("* LIST () \"/\" a\r\n"), Not(Contains("anomaly upstream data_before_auth")));
}

// Each of these is cut in its middle, at every place, by events_of().
TEST(Traps, T04_ChunkBoundaries) {
  EXPECT_THAT(events_of(greeted().server(
                  "* OK [ALERT] x\r\n* 1 FETCH (BODY[] {12}\r\n* BYE\r\na OK )\r\n* NO [UNSEEN 3] x\r\n")),
              ElementsAre("status untagged OK ALERT (OK ALERT UNSOLICITED)", "literal upstream 12",
                          "anomaly upstream data_before_auth", "status untagged NO UNSEEN (NO UNSEEN UNSOLICITED)"));
}

// However many names peers make up, there is one value for all of them.
TEST(Traps, T15_WhatPeersMakeUpIsOther) {
  Conversation talk = greeted();
  for (const std::string made_up : {"x", "SELECTX", "UID", "UID X", "XAPPLEPUSHSERVICE"})
    talk.client("a " + made_up + "\r\n").server("a NO [" + made_up + "] x\r\n");
  std::vector<std::string> events = events_of(talk);
  for (const std::string& event : events)
    EXPECT_TRUE(event == "started other" || event == "ended other NO" || event == "status tagged NO other (NO)")
        << event;
  EXPECT_EQ(events.size(), 15U);
  EXPECT_THAT(hear(greeted().client("a AUTHENTICATE MADE-UP\r\n").server("a NO x\r\n")).logins,
              ElementsAre("other rejected none"));
}

}  // namespace
}  // namespace imapmeter::test
