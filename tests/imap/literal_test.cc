// Literals of the server, text that only looks like one, and "in step". IMAP.md 1.4, FAULTS.md A8, A9.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/imap/hearing.h"

namespace imapmeter::test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

const std::string sentinel = "* OK [ALERT] next\r\n";
const std::string heard_sentinel = "status untagged OK ALERT (OK ALERT UNSOLICITED)";

std::vector<std::string> server_says(const std::string& octets) { return events_of(logged_in().server(octets)); }

// What a data line ending in `marker` makes of the octets after it: text, or a literal of a size.
TEST(A9, MarkersOfTheServer) {
  const std::string fetch = "* 1 FETCH (BODY[] ";
  for (const char* text : {"{}", "{a}", "{ 1}", "{1 }", "{-1}", "\"a {5}\"", "{5", "5}", "{5}x", "{+}", "{5+ }", "{5}}",
                           "{5++}", "{5}+", "{{}", "{5}\r"}) {
    EXPECT_THAT(server_says(fetch + text + "\r\n" + sentinel), ElementsAre(heard_sentinel)) << text;
  }
  const std::string body = "a OK\r\n* BYE x\r\n";
  for (const char* digits : {"15", "015", "000000000000000000000000000000015"}) {
    for (const char* before : {"", "~", "{", "{5}", "x{", "\"{1}\" "}) {
      EXPECT_THAT(server_says(fetch + before + "{" + digits + "}\r\n" + body + ")\r\n" + sentinel),
                  ElementsAre("literal upstream 15", heard_sentinel))
          << before << digits;
    }
  }
  EXPECT_THAT(server_says(fetch + "{0}\r\n)\r\n" + sentinel), ElementsAre(heard_sentinel));
  EXPECT_THAT(server_says(fetch + "{2+}\r\nab)\r\n" + sentinel),
              ElementsAre("anomaly upstream literal_plus_from_server", "literal upstream 2", heard_sentinel));
  EXPECT_THAT(server_says(fetch + "{2}\nab)\r\n" + sentinel),
              ElementsAre("anomaly upstream bare_lf", "literal upstream 2", heard_sentinel));
  EXPECT_THAT(server_says(fetch + "{0}\r\n\n" + sentinel), ElementsAre("anomaly upstream bare_lf", heard_sentinel));
}

TEST(A9, SizesBeyondTheLimitAreOpaque) {
  const std::vector<std::string> opaque = {"opaque parser", "state authenticated -> opaque"};
  for (const std::string& digits :
       {std::string("9223372036854775808"), std::string("18446744073709551616"), std::string("99999999999999999999"),
        std::string(1000, '9'), "1" + std::string(999, '0')}) {
    EXPECT_EQ(server_says("* 1 FETCH (BODY[] {" + digits + "}\r\n" + sentinel), opaque) << digits;
    EXPECT_EQ(events_of(logged_in().client("a APPEND x {" + digits + "+}\r\n")), opaque) << digits;
    EXPECT_THAT(server_says("* OK {" + digits + "}\r\n"), ElementsAre("status untagged OK none (OK UNSOLICITED)"));
    EXPECT_THAT(server_says("* 1 FETCH (X \"{" + digits + "}\")\r\n" + sentinel), ElementsAre(heard_sentinel));
  }
  EXPECT_THAT(server_says("* 1 FETCH (BODY[] {9223372036854775807}\r\n" + sentinel),
              ElementsAre("literal upstream " + std::to_string(sentinel.size())));
}

TEST(A8, SizesAreCountedIn64Bits) {
  EventLog log;
  imap::TrackerContext context;
  imap::SessionTracker tracker(log, context);
  std::string head = "* PREAUTH x\r\n* 1 FETCH (BODY[] {4294967297}\r\n";
  tracker.server(head, {});
  std::vector<char> block(1U << 20U, 'x');
  for (int i = 0; i < 4096; ++i) tracker.server(block, {});
  std::string tail = "y)\r\n* NO [ALERT] z\r\n";
  tracker.server(tail, {});
  EXPECT_EQ(log.lines[log.lines.size() - 2], "literal upstream 4294967297");
  EXPECT_EQ(log.lines.back(), "status untagged NO ALERT (NO ALERT UNSOLICITED)");
}

TEST(Traps, T02_MarkersInHumanTextAreText) {
  EXPECT_THAT(events_of(logged_in()
                            .client("a NOOP\r\nb NOOP\r\n")
                            .server("* OK saved {5}\r\n* NO [ALERT] {5}\r\n+ go {3}\r\n"
                                    "a NO mailbox foo{12}\r\nb WHAT {7}\r\n")),
              ElementsAre("started NOOP", "started NOOP", "status untagged OK none (OK UNSOLICITED)",
                          "status untagged NO ALERT (NO ALERT UNSOLICITED)", "status tagged NO none (NO)",
                          "ended NOOP NO", "not_defined", "ended NOOP aborted"));
}

TEST(Literals, BadcharsetMayHoldOne) {
  EXPECT_THAT(
      server_says("* NO [BADCHARSET ({5}\r\nUTF-8 {3}\r\na]b)] x {9}\r\n" + sentinel),
      ElementsAre("literal upstream 8", "status untagged NO BADCHARSET (NO BAD_CHARSET UNSOLICITED)", heard_sentinel));
  EXPECT_THAT(server_says("* NO [BADCHARSET] {5}\r\n" + sentinel),
              ElementsAre("status untagged NO BADCHARSET (NO BAD_CHARSET UNSOLICITED)", heard_sentinel));
}

TEST(Traps, T03_StatusLinesInLiteralsAreNotCounted) {
  const std::string body = "a OK done\r\n* BYE x\r\n+ go\r\n* OK [ALERT] {9}\r\n";
  EXPECT_THAT(events_of(logged_in()
                            .client("a FETCH 1 BODY[]\r\n")
                            .server("* 1 FETCH (BODY[] {" + std::to_string(body.size()) + "}\r\n" + body +
                                    " FLAGS ())\r\na OK done\r\n")),
              ElementsAre("started FETCH", "literal upstream " + std::to_string(body.size()),
                          "status tagged OK none (OK)", "ended FETCH OK"));
}

TEST(Traps, T17_ZeroSeveralAndLastLiterals) {
  EXPECT_THAT(
      server_says(
          "* LIST () \"/\" {5}\r\nINBOX\r\n* STATUS {2}\r\na\n (UNSEEN 1)\r\n"
          "* 1 FETCH (A {0}\r\n B {1}\r\nx C {2}\r\nyz)\r\n* 2 FETCH (A {0}\r\n)\r\n* LIST () \"/\" {0}\r\n\r\n" +
          sentinel),
      ElementsAre("literal upstream 10", heard_sentinel));
}

TEST(Traps, T18_QuotesAndMarkers) {
  EXPECT_THAT(server_says("* 1 FETCH (X \"a {5}\")\r\n* 1 FETCH (X \"a \\\" {5}\"\r\n" + sentinel),
              ElementsAre(heard_sentinel));
  // real servers forget to escape: the marker wins over an open quote
  EXPECT_THAT(server_says("* 1 FETCH (\"TEXT\" \"HTML\"\" NIL {5}\r\n8bit!)\r\n" + sentinel),
              ElementsAre("anomaly upstream quote_open_at_literal", "literal upstream 5", heard_sentinel));
  EXPECT_THAT(server_says("* 1 FETCH (\"a\\\\\" {5}\r\n8bit!)\r\n" + sentinel),
              ElementsAre("literal upstream 5", heard_sentinel));
  EXPECT_THAT(server_says("* 1 FETCH (\"a\\\" b\" \"c\" {2}\r\nab \" {1}\r\nx)\r\n" + sentinel),
              ElementsAre("literal upstream 2", "anomaly upstream quote_open_at_literal", "literal upstream 1",
                          heard_sentinel));
}

TEST(Traps, T21_BinaryLiterals) {
  EXPECT_THAT(
      server_says("* 1 FETCH (BINARY[1] ~{7}\r\n" + std::string("\0\r\n\0\"{2", 8).substr(0, 7) + ")\r\n" + sentinel),
      ElementsAre("literal upstream 7", heard_sentinel));
  EXPECT_THAT(server_says("* 1 FETCH (BODY[1] {3}\r\n" + std::string("\0\0\0", 3) + ")\r\n" + sentinel),
              ElementsAre("literal upstream 3", heard_sentinel));
}

TEST(Literals, InOddLinesThatBeginWithAStar) {
  EXPECT_THAT(server_says("*  1 FETCH {4}\r\nabcd)\r\n" + sentinel),
              ElementsAre("literal upstream 4", "anomaly upstream double_space", heard_sentinel));
  EXPECT_THAT(server_says("garbage {4}\r\n" + sentinel), ElementsAre("anomaly upstream garbage_line", heard_sentinel));
}

// --- in step, out of step ------------------------------------------------------------------------------------------

Conversation fetching() {
  Conversation talk = logged_in();
  talk.client("a FETCH 1 BODY[]\r\n");
  talk.prelude_events = 8;
  return talk;
}

TEST(InStep, TooSmallALiteralEndsWithTheNextCompletion) {
  EXPECT_THAT(
      events_of(fetching().server("* 1 FETCH (BODY[] {3}\r\nabcdef\r\n* BYE no\r\n* OK [ALERT] no\r\nz OK no\r\n"
                                  "a BYE\r\na FINE\r\nxx\n\r\n)\r\na OK yes\r\n" +
                                  sentinel)),
      ElementsAre("literal upstream 3", "anomaly upstream desync", "status tagged OK none (OK)", "ended FETCH OK",
                  heard_sentinel));
}

TEST(InStep, ALineThatIsNoResponseAfterALiteral) {
  for (const char* odd : {"foo", "", "x OK y", "*x", " a OK x", "garbage {3}", "a", "\xff"}) {
    EXPECT_THAT(events_of(fetching().server("* 1 FETCH (BODY[] {3}\r\nabc)\r\n" + std::string(odd) +
                                            "\r\n* OK [ALERT] no\r\n" + odd + "\r\na NO yes\r\n" + sentinel)),
                ElementsAre("literal upstream 3", "anomaly upstream desync", "status tagged NO none (NO)",
                            "ended FETCH NO", heard_sentinel))
        << odd;
  }
}

TEST(InStep, ResponsesAfterALiteralAreFine) {
  EXPECT_THAT(
      events_of(fetching().server(
          "* 1 FETCH (BODY[] {3}\r\nabc)\r\n* OK x\r\n*  1 EXISTS\r\n+ x\r\na WHAT\r\na OK y\r\nfoo\r\n")),
      ElementsAre("literal upstream 3", "status untagged OK none (OK UNSOLICITED)", "anomaly upstream double_space",
                  "not_defined", "status tagged OK none (OK)", "ended FETCH OK", "anomaly upstream garbage_line"));
}

TEST(InStep, TheOctetAfterALiteral) {
  for (const char* good : {")\r\n", " X)\r\n", "\r\n", "\n"}) {
    EXPECT_THAT(events_of(fetching().server("* 1 FETCH (BODY[] {3}\r\nabc" + std::string(good) + sentinel)),
                Contains(heard_sentinel));
  }
  for (const char* bad : {"x)\r\n", "* OK x\r\n", "]\r\n", "\"\r\n", "x {4}\r\n"}) {
    EXPECT_THAT(
        events_of(fetching().server("* 1 FETCH (BODY[] {3}\r\nabc" + std::string(bad) + sentinel + "a OK x\r\n")),
        ElementsAre("literal upstream 3", "anomaly upstream desync", "status tagged OK none (OK)", "ended FETCH OK"))
        << bad;
  }
}

TEST(InStep, OutOfStepDataStillFramesItsLiterals) {
  EXPECT_THAT(
      events_of(fetching().server(
          "* 1 FETCH (BODY[] {3}\r\nabcdef)\r\n* 2 FETCH (BODY[] {10}\r\na OK no\r\n )\r\na OK yes\r\n")),
      ElementsAre("literal upstream 3", "anomaly upstream desync", "status tagged OK none (OK)", "ended FETCH OK"));
}

// --- lines -----------------------------------------------------------------------------------------------------------

TEST(Traps, T22_LongLinesArePassedOver) {
  const std::string filler(100000, '1');
  for (const Split split :
       {Split{}, Split{Split::Kind::every, 1}, Split{Split::Kind::every, 7}, Split{Split::Kind::every, 4096}}) {
    Conversation talk = logged_in();
    talk.server("* SEARCH " + filler + "\r\n* LIST (" + filler + " {3}\r\nabc)\r\n* OK [X " + filler + "] x\r\n" +
                filler + " OK x\r\n");
    std::vector<std::string> events = listen(talk, split).events;
    events.erase(events.begin(), events.begin() + 7);
    EXPECT_THAT(events, ElementsAre("literal upstream 3", "status untagged OK other (OK UNSOLICITED)",
                                    "anomaly upstream desync", "outcome good"));
  }
}

}  // namespace
}  // namespace imapmeter::test
