// Commands: where they begin and end, which answer completes which. IMAP.md 2, METRICS.md "Commands".
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "proxy/imap/status_names.h"
#include "tests/imap/hearing.h"
#include "tests/support/event_count.h"

namespace imapmeter::test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

const std::string ok = "status tagged OK none (OK)";
const std::string no = "status tagged NO none (NO)";
const std::string bad = "status tagged BAD none (BAD)";

TEST(Commands, EveryNameOfTheClosedList) {
  for (std::size_t i = 1; i < imap::command_count; ++i) {
    const std::string command(imap::command_names[i]);
    std::string lower = command;
    for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    for (const std::string& written : {command, lower + " x"}) {
      EXPECT_EQ(events_of(logged_in().client("a " + written + "\r\n")).at(0), "started " + command);
    }
    for (const std::string& other : {command + "X", "Q" + command, command + "-"}) {
      EXPECT_EQ(events_of(logged_in().client("a " + other + "\r\n")).at(0), "started other") << other;
    }
  }
  for (const char* other : {"UID", "UID FOO", "UID  FETCH", " NOOP", "XAPPLEPUSHSERVICE", "UIDFETCH", "\xff"}) {
    EXPECT_EQ(events_of(logged_in().client("a " + std::string(other) + "\r\n")).at(0), "started other") << other;
  }
}

TEST(Commands, LinesThatAreNone) {
  EXPECT_THAT(events_of(logged_in().client("\r\n*\r\na\r\na \r\n\"x\" NOOP\r\n NOOP\r\nDONE\r\ndone\r\n+ NOOP\r\n")),
              ElementsAre("anomaly client empty_line", "anomaly client no_command", "anomaly client no_command",
                          "anomaly client no_command", "anomaly client no_command", "anomaly client no_command",
                          "anomaly client stray_done", "anomaly client stray_done", "anomaly client no_command"));
  EXPECT_THAT(events_of(logged_in().client("a NOOP\n" + std::string("b NOOP \0\r\n", 10))),
              ElementsAre("anomaly client bare_lf", "started NOOP", "anomaly client nul_octet", "started NOOP",
                          "ended NOOP aborted", "ended NOOP aborted"));
}

// --- literals of the client ------------------------------------------------------------------------------------------

TEST(Traps, T01_RejectedSynchronizingLiteral) {
  for (const char* answer : {"NO", "BAD", "OK"}) {
    const auto events = events_of(logged_in()
                                      .client("a APPEND x {10}\r\n")
                                      .server("a " + std::string(answer) + " x\r\n")
                                      .client("b NOOP\r\nc NOOP\r\n")
                                      .server("b OK x\r\nc OK x\r\n"));
    EXPECT_THAT(events, ElementsAre("started APPEND", testing::StartsWith("status tagged " + std::string(answer)),
                                    "ended APPEND " + std::string(answer), "started NOOP", "started NOOP", ok,
                                    "ended NOOP OK", ok, "ended NOOP OK"));
  }
}

TEST(Literals, AcceptedSynchronizingLiteral) {
  EXPECT_THAT(
      events_of(logged_in()
                    .client("a APPEND x {10}\r\n")
                    .server("* 1 EXISTS\r\n+ go\r\n")
                    .client("b NOOP\r\n12\r\nb NOOP\r\n")
                    .server("a OK x\r\nb OK x\r\n")),
      ElementsAre("started APPEND", "literal client 10", "started NOOP", ok, "ended APPEND OK", ok, "ended NOOP OK"));
}

TEST(Literals, SeveralOfOneCommand) {
  EXPECT_THAT(events_of(logged_in()
                            .client("a APPEND x {3}\r\n")
                            .server("+\x20\r\n")
                            .client("abc (\\Seen) ~{0}\r\n")
                            .server("+ \r\n")
                            .client(" {2+}\r\nxy {4}\r\n")
                            .server("+ \r\n")
                            .client("1234\r\n")
                            .server("a OK x\r\n")),
              ElementsAre("started APPEND", "literal client 9", ok, "ended APPEND OK"));
  EXPECT_THAT(
      events_of(logged_in()
                    .client("a APPEND x {3}\r\n")
                    .server("+ \r\n")
                    .client("abc {4}\r\n")
                    .server("a NO x\r\n")
                    .client("b NOOP\r\n")
                    .server("b OK x\r\n")),
      ElementsAre("started APPEND", "literal client 3", no, "ended APPEND NO", "started NOOP", ok, "ended NOOP OK"));
}

TEST(Traps, T07_NonSynchronizingLiteralsEverywhere) {
  // known, unknown, malformed, unbalanced quote; also where the answer comes first
  for (const char* line : {"b LOGIN", "b WHAT", "b", "*", "", "\"b\" x", "b LOGIN \"open", "DONE"}) {
    const auto events =
        events_of(logged_in().client(std::string(line) + "{9+}\r\nq NOOP\r\n1\r\nc NOOP\r\n").server("c OK x\r\n"));
    EXPECT_EQ(std::count(events.begin(), events.end(), "literal client 9"), 1) << line;
    EXPECT_EQ(std::count(events.begin(), events.end(), "started NOOP"), 1) << line;
    EXPECT_EQ(std::count(events.begin(), events.end(), "ended NOOP OK"), 1) << line;
  }
  EXPECT_THAT(events_of(logged_in()
                            .client("a APPEND x {9+}\r\nq NO")
                            .server("a NO [TOOBIG] x\r\n")
                            .client("OP\r\n1\r\nb NOOP\r\n")
                            .server("b OK x\r\n")),
              ElementsAre("started APPEND", "literal client 4", "status tagged NO TOOBIG (NO)",
                          "anomaly upstream early_completion", "ended APPEND NO", "literal client 5", "started NOOP",
                          ok, "ended NOOP OK"));
}

TEST(Literals, AMarkerInALineThatIsNoCommandAsksForNothing) {
  EXPECT_THAT(events_of(logged_in().client("* {5}\r\nb NOOP\r\n")),
              ElementsAre("anomaly client no_command", "started NOOP", "ended NOOP aborted"));
}

TEST(Literals, AnAnsweredCommandCannotAskForALiteral) {
  EXPECT_THAT(events_of(logged_in()
                            .client("a LOGIN {3+}\r\nfo")
                            .server("a BAD x\r\n")
                            .client("o {5}\r\nb NOOP\r\n")
                            .server("b OK x\r\n")),
              ElementsAre("started LOGIN", "literal client 2", bad, "anomaly upstream early_completion",
                          "ended LOGIN BAD", "literal client 1", "started NOOP", ok, "ended NOOP OK"));
}

TEST(Literals, ImpatientClient) {
  // accepted in the end: the octets were the literal's
  EXPECT_THAT(events_of(logged_in()
                            .client("a APPEND x {3}\r\nabc\r\n")
                            .server("+ go\r\na OK x\r\n")
                            .client("b NOOP\r\n")
                            .server("b OK x\r\n")),
              ElementsAre("started APPEND", "anomaly client impatient_literal", "literal client 3", ok,
                          "ended APPEND OK", "started NOOP", ok, "ended NOOP OK"));
  // refused: the server has read them as commands
  for (const char* octets : {"a", "abc", "abc\r\n", "abc\r\nb NOOP\r\n"}) {
    EXPECT_THAT(events_of(logged_in().client("a APPEND x {3}\r\n" + std::string(octets)).server("a NO x\r\n")),
                testing::IsSupersetOf({"ended APPEND NO", "opaque parser"}))
        << octets;
  }
  // asked for late, then refused for another reason
  EXPECT_THAT(events_of(logged_in()
                            .client("a APPEND x {3}\r\nabc\r\n")
                            .server("+ go\r\na NO x\r\n")
                            .client("b NOOP\r\n")
                            .server("b OK x\r\n")),
              Contains("ended NOOP OK"));
  // two at once: the first `+` is the first literal's
  EXPECT_THAT(
      events_of(logged_in()
                    .client("a LOGIN {1}\r\nu {1}\r\n")
                    .server("+ \r\n")
                    .client("")
                    .server("+ \r\n")
                    .client("p\r\n")
                    .server("a OK x\r\n")),
      ElementsAre("started LOGIN", "anomaly client impatient_literal", "literal client 2", ok, "ended LOGIN OK"));
}

TEST(Literals, ThePlusOfAnEarlierCommandComesFirst) {
  EXPECT_THAT(events_of(logged_in()
                            .client("a IDLE\r\nDONE\r\nb APPEND x {9}\r\n")
                            .server("+ idling\r\na OK x\r\nb NO x\r\n")
                            .client("c NOOP\r\n")
                            .server("c OK x\r\n")),
              ElementsAre("started IDLE", "started APPEND", "state authenticated -> idle", ok, "ended IDLE OK",
                          "state idle -> authenticated", no, "ended APPEND NO", "started NOOP", ok, "ended NOOP OK"));
}

TEST(Commands, EarlyCompletionAfterTheGoAhead) {
  EXPECT_THAT(events_of(logged_in()
                            .client("a APPEND x {9}\r\n")
                            .server("+ go\r\n")
                            .client("q N")
                            .server("a NO x\r\n")
                            .client("OOP\r\n1\r\nb NOOP\r\n")),
              ElementsAre("started APPEND", "literal client 3", no, "anomaly upstream early_completion",
                          "ended APPEND NO", "literal client 6", "started NOOP", "ended NOOP aborted"));
}

// --- SASL, IDLE
// --------------------------------------------------------------------------------------------------------

TEST(Traps, T06_SaslLinesAreNoCommands) {
  EXPECT_THAT(
      events_of(greeted()
                    .client("a authenticate LOGIN\r\n")
                    .server("+ VXNlcg==\r\n")
                    .client("b NOOP\r\n")
                    .server("+ UGFzcw==\r\n")
                    .client("\r\n")
                    .server("* CAPABILITY x\r\na NO x\r\n")
                    .client("c AUTHENTICATE X\r\n")
                    .server("+ \r\n")
                    .client("*\r\n")
                    .server("c BAD x\r\n")
                    .client("d AUTHENTICATE X {3+}\r\nabc\r\n")
                    .server("+ \r\n")
                    .client("x {5}\r\n")
                    .server("d OK x\r\n")
                    .client("e NOOP\r\n")),
      ElementsAre("started AUTHENTICATE", no, "ended AUTHENTICATE NO", "started AUTHENTICATE", bad,
                  "ended AUTHENTICATE BAD", "started AUTHENTICATE", "literal client 3", ok, "ended AUTHENTICATE OK",
                  "authenticated", "state not_authenticated -> authenticated", "started NOOP", "ended NOOP aborted"));
}

TEST(Sasl, ALayerIsSeenByItsFirstOctet) {
  for (const char* mechanism : {"GSSAPI", "gss-spnego", "NTLM", "DIGEST-MD5"}) {
    Conversation talk = greeted();
    talk.client("a AUTHENTICATE " + std::string(mechanism) + "\r\n").server("+ \r\n").client("xx\r\n");
    Conversation server_first = talk;
    server_first.server("a OK x\r\n" + std::string("\0\0\0\x09", 4) + "* BYE x\r\n");
    EXPECT_THAT(events_of(server_first), Contains("opaque sasl_layer"));
    Conversation client_first = talk;
    client_first.server("a OK x\r\n").client(std::string("\0\0\0\x09", 4) + "a NOOP\r\n");
    EXPECT_THAT(events_of(client_first), Contains("opaque sasl_layer"));
    Conversation none = talk;
    none.server("a OK x\r\n").client("b NOOP\r\n").server("b OK x\r\n" + std::string("\0\r\n", 3));
    EXPECT_THAT(events_of(none), Contains("ended NOOP OK"));
    EXPECT_THAT(events_of(none), testing::Not(Contains("opaque sasl_layer")));
  }
  EXPECT_THAT(
      events_of(greeted().client("a AUTHENTICATE PLAIN xx\r\n").server("a OK x\r\n" + std::string("\0\r\n", 3))),
      Contains("anomaly upstream nul_octet"));
}

TEST(Traps, T06_IdleAndDone) {
  EXPECT_THAT(events_of(logged_in()
                            .client("a idle\r\n")
                            .server("* 3 EXISTS\r\n+ idling\r\n* OK Still here\r\n")
                            .client("done\r\nb NOOP\r\n")
                            .server("a OK x\r\nb OK x\r\n")),
              ElementsAre("started IDLE", "state authenticated -> idle", "status untagged OK none (OK UNSOLICITED)",
                          "started NOOP", ok, "ended IDLE OK", "state idle -> authenticated", ok, "ended NOOP OK"));
  // refused: no DONE
  EXPECT_THAT(events_of(logged_in().client("a IDLE\r\n").server("a BAD x\r\n").client("b NOOP\r\nDONE\r\n")),
              ElementsAre("started IDLE", bad, "ended IDLE BAD", "started NOOP", "anomaly client stray_done",
                          "ended NOOP aborted"));
  EXPECT_THAT(
      events_of(logged_in().client("a IDLE\r\n").server("+ x\r\n").client("DONE x\r\n\r\nDONEX\r\nDONE\r\nb NOOP\r\n")),
      ElementsAre("started IDLE", "state authenticated -> idle", "anomaly client other", "anomaly client empty_line",
                  "anomaly client other", "started NOOP", "ended IDLE aborted", "ended NOOP aborted"));
}

// --- completions
// -------------------------------------------------------------------------------------------------------

TEST(Traps, T12_TagReuseAndOutOfOrder) {
  EXPECT_THAT(events_of(logged_in()
                            .client(". SELECT x\r\n. NOOP\r\nb CHECK\r\n. FETCH 1 X\r\n")
                            .server("b OK x\r\n. NO x\r\n. BAD x\r\n. OK x\r\n. OK x\r\n")),
              ElementsAre("started SELECT", "started NOOP", "started CHECK", "started FETCH", ok, "ended CHECK OK", no,
                          "ended SELECT NO", bad, "ended NOOP BAD", ok, "ended FETCH OK", ok,
                          "anomaly upstream unmatched_tag"));
}

TEST(Traps, T16_UntaggedConditionsCompleteNothing) {
  EXPECT_THAT(events_of(logged_in().client("a FETCH 1 X\r\n").server("* OK a\r\n* NO a OK\r\n* BAD x\r\n")),
              ElementsAre("started FETCH", "status untagged OK none (OK UNSOLICITED)",
                          "status untagged NO none (NO UNSOLICITED)", "status untagged BAD none (BAD UNSOLICITED)",
                          "ended FETCH aborted"));
}

TEST(A14, AnswersToNobody) {
  EXPECT_THAT(events_of(logged_in().client("a NOOP\r\n").server("b OK [ALERT] x\r\na OK x\r\na OK x\r\n")),
              ElementsAre("started NOOP", "status tagged OK ALERT (OK ALERT)", "anomaly upstream unmatched_tag", ok,
                          "ended NOOP OK", ok, "anomaly upstream unmatched_tag"));
}

TEST(B12, LongTagsAreMatchedByHashAndLength) {
  const std::string tag(70000, 'x');
  Conversation talk = logged_in();
  talk.client(tag + " NOOP\r\n" + tag + "x NOOP\r\n")
      .server(tag + "y OK x\r\n" + tag + "x OK x\r\n" + tag + " NO x\r\n");
  for (const Split split : {Split{}, Split{Split::Kind::every, 7}, Split{Split::Kind::random, 0, 1}}) {
    auto events = listen(talk, split).events;
    events.erase(events.begin(), events.begin() + 7);
    EXPECT_THAT(events, ElementsAre("started NOOP", "started NOOP", ok, "anomaly upstream unmatched_tag", ok,
                                    "ended NOOP OK", no, "ended NOOP NO", "outcome good"));
  }
}

struct Counts {
  std::size_t started = 0, ended = 0, untracked = 0, unmatched = 0;
  explicit Counts(const std::vector<std::string>& events) {
    for (const std::string& event : events) {
      started += event.starts_with("started ");
      ended += event.starts_with("ended ");
      untracked += event.ends_with(" untracked");
      unmatched += event.ends_with("unmatched_tag");
    }
  }
};

TEST(B11, The257thOutstandingIsUntrackedAndItsAnswerSilent) {
  for (const std::size_t commands : {4U, 5U, 256U, 257U, 300U}) {
    Conversation talk = logged_in();
    std::string sent;
    std::string answers;
    for (std::size_t i = 0; i < commands; ++i) {
      sent += "t" + std::to_string(i) + " NOOP\r\n";
      answers += "* 1 FETCH (X {2}\r\nab)\r\nt" + std::to_string(i) + " OK x\r\n";
    }
    talk.client(sent).server(answers + "extra OK x\r\n");
    for (const Split split : {Split{}, Split{Split::Kind::every, 7}}) {
      const Heard heard = listen(talk, split);
      const Counts counts(heard.events);
      EXPECT_EQ(counts.started, commands + 1);
      EXPECT_EQ(counts.ended, commands + 1);
      EXPECT_EQ(counts.untracked, commands > 256 ? commands - 256 : 0);
      EXPECT_EQ(counts.unmatched, 1U);
      EXPECT_EQ(heard.events.back(), "outcome good");
    }
  }
}

TEST(B11, ReverseOrderAndOneMillionUnanswered) {
  imap::TagPool pool(1);
  EventCount count;
  imap::TrackerContext context{&pool, nullptr, 7};
  imap::SessionTracker tracker(count, context);
  std::string greeting = "* OK x\r\n";
  tracker.server(greeting, {});
  for (int i = 0; i < 1000000; ++i) tracker.client("x" + std::to_string(i) + " NOOP\r\n", {});
  EXPECT_EQ(count.started, 1000000U);
  EXPECT_EQ(count.untracked, 1000000U - 256U);
  for (int i = 255; i >= 0; --i) {
    std::string answer = "x" + std::to_string(i) + " OK\r\n";
    tracker.server(answer, {});
  }
  EXPECT_EQ(count.ended, 256U);
  EXPECT_EQ(count.anomalies, 256U);              // answers without text
  EXPECT_FALSE(tracker.at_response_boundary());  // others may still be answered
}

TEST(B11, ThePoolIsCapped) {
  imap::TagPool pool(1);
  imap::TrackerContext context{&pool, nullptr, 7};
  EventLog first_log;
  EventLog second_log;
  imap::SessionTracker second(second_log, context);
  const std::string five = "a NOOP\r\nb NOOP\r\nc NOOP\r\nd NOOP\r\ne NOOP\r\n";
  {
    imap::SessionTracker first(first_log, context);
    first.client(five, {});
    second.client(five, {});
    EXPECT_EQ(Counts(first_log.lines).untracked, 0U);
    EXPECT_EQ(Counts(second_log.lines).untracked, 1U);
    first.finish({});
  }
  second.client("f NOOP\r\n", {});  // the block is back
  EXPECT_EQ(Counts(second_log.lines).untracked, 1U);
  second.finish({});
}

// Untracked commands that make the client wait must not wait for ever.
TEST(B11, UntrackedCommandsReleaseTheClient) {
  std::string sent;
  for (int i = 0; i < 256; ++i) sent += "t NOOP\r\n";
  const auto run = [&](const std::string& command, const std::string& answer, const std::string& more) {
    Conversation talk = logged_in();
    talk.client(sent + command).server(answer).client(more);
    const auto events = listen(talk, {}).events;
    return std::count(events.begin(), events.end(), "started CHECK");
  };
  EXPECT_EQ(run("u APPEND x {9}\r\n", "u NO x\r\n", "v CHECK\r\n"), 1);
  EXPECT_EQ(run("u APPEND x {9}\r\n", "+ \r\n", "v CHECK\r\n\r\nw CHECK\r\n"), 1);
  EXPECT_EQ(run("u IDLE\r\n", "u BAD x\r\n", "v CHECK\r\n"), 1);
  EXPECT_EQ(run("u AUTHENTICATE X\r\n", "u NO x\r\n", "v CHECK\r\n"), 1);
}

}  // namespace
}  // namespace imapmeter::test
