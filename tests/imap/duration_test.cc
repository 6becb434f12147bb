// How long commands take. METRICS.md, command_duration_seconds and idle_duration_seconds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/imap/hearing.h"

namespace imapmeter::test {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

// At every split; "COMMAND RESULT seconds", "idle seconds".
std::vector<std::string> durations(const Conversation& talk) { return hear(talk).durations; }

TEST(Duration, FromTheLastLineToTheAnswer) {
  EXPECT_THAT(durations(greeted()
                            .client("a NOOP\r\n")
                            .wait(seconds(3))
                            .server("* 1 EXISTS\r\n")
                            .wait(seconds(4))
                            .server("a OK x\r\n")),
              ElementsAre("NOOP OK 7"));
  EXPECT_THAT(durations(greeted().client("a SELECT x\r\n").wait(seconds(1)).server("a NO x\r\n")),
              ElementsAre("SELECT NO 1"));
  EXPECT_THAT(durations(greeted().client("a XYZ x\r\n").wait(seconds(2)).server("a BAD x\r\n")),
              ElementsAre("other BAD 2"));
}

TEST(Duration, OfEachPipelinedCommandInWhateverOrder) {
  EXPECT_THAT(durations(greeted()
                            .client("a NOOP\r\n")
                            .wait(seconds(1))
                            .client("b CHECK\r\na FETCH 1 X\r\n")
                            .wait(seconds(2))
                            .server("b OK x\r\n")
                            .wait(seconds(4))
                            .server("a OK x\r\na OK x\r\n")),
              ElementsAre("CHECK OK 2", "NOOP OK 7", "FETCH OK 6"))
      << "a tag that is used again belongs to the older command first";
}

TEST(Duration, BeginsBehindTheLastLiteral) {
  EXPECT_THAT(durations(greeted()
                            .client("a APPEND x {3}\r\n")
                            .wait(seconds(1))
                            .server("+ go\r\n")
                            .wait(seconds(2))
                            .client("abc\r\n")
                            .wait(seconds(4))
                            .server("a OK x\r\n")),
              ElementsAre("APPEND OK 4"));
}

TEST(Duration, OfARejectedLiteralBeginsAtItsAnnouncement) {
  EXPECT_THAT(durations(greeted()
                            .client("a LOGIN {1}\r\n")
                            .wait(seconds(1))
                            .server("+ go\r\n")
                            .wait(seconds(2))
                            .client("u {1}\r\n")
                            .wait(seconds(4))
                            .server("a NO x\r\n")),
              ElementsAre("LOGIN NO 4"));
}

TEST(Duration, OfAuthenticateBeginsAtTheLastSaslLine) {
  EXPECT_THAT(durations(greeted()
                            .client("a AUTHENTICATE LOGIN\r\n")
                            .wait(seconds(1))
                            .server("+ VXNlcg\r\n")
                            .wait(seconds(2))
                            .client("dQ==\r\n")
                            .wait(seconds(4))
                            .server("+ UGFzcw\r\n")
                            .wait(seconds(8))
                            .client("cA==\r\n")
                            .wait(seconds(16))
                            .server("a OK x\r\n")),
              ElementsAre("AUTHENTICATE OK 16"));
}

TEST(Duration, IsNoneOfAnEarlyAnswer) {
  EXPECT_THAT(
      durations(greeted().client("a APPEND x {5+}\r\nab").wait(seconds(1)).server("a NO x\r\n").client("cde\r\n")),
      ElementsAre("APPEND NO -"));
}

TEST(Duration, IsNoneWithoutAnAnswer) {
  EXPECT_THAT(durations(greeted().client("a NOOP\r\n")), ElementsAre("NOOP aborted -"));
  EXPECT_THAT(durations(greeted().client("a NOOP\r\n").server("* 1 FETCH {9223372036854775808}\r\n")),
              ElementsAre("NOOP untracked -"));
}

TEST(Duration, OfIdleIsApart) {
  EXPECT_THAT(durations(logged_in()
                            .client("a IDLE\r\n")
                            .wait(seconds(1))
                            .server("+ idling\r\n")
                            .wait(seconds(2))
                            .server("* 2 EXISTS\r\n")
                            .wait(seconds(4))
                            .client("DONE\r\n")
                            .wait(seconds(8))
                            .server("a OK x\r\n")),
              ElementsAre("LOGIN OK 0", "IDLE OK -", "idle 14"));
  EXPECT_THAT(durations(logged_in().client("a IDLE\r\n").server("a NO x\r\n")), ElementsAre("LOGIN OK 0", "IDLE NO -"));
  EXPECT_THAT(durations(logged_in().client("a IDLE\r\n")), ElementsAre("LOGIN OK 0", "IDLE aborted -"));
}

TEST(Duration, OfIdleEndsWithTheSession) {
  EXPECT_THAT(durations(logged_in().client("a IDLE\r\n").server("+ idling\r\n").wait(seconds(5)).server("* BYE x\r\n")),
              ElementsAre("LOGIN OK 0", "IDLE aborted -", "idle 5"));
}

}  // namespace
}  // namespace imapmeter::test
