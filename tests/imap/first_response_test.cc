// How long a server lets its client wait for the first line. METRICS.md, command_first_response_seconds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/imap/hearing.h"

namespace imapmeter::test {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

// At every split; "COMMAND seconds".
std::vector<std::string> firsts(const Conversation& talk) { return hear(talk).first_responses; }

Conversation after(const std::string& commands, int wait, const std::string& answer) {
  return greeted().client(commands).wait(seconds(wait)).server(answer);
}

TEST(FirstResponse, IsTheFirstLineOfWhateverKind) {
  for (const char* line : {"a OK x", "a NO x", "a BAD x", "* 1 EXISTS", "* NO x", "* BAD x", "* BYE x",
                           "* OK [ALERT] x", "+ x", "", "garbage", "*  x", "*x", "b OK of nobody", "a WHAT"})
    EXPECT_THAT(firsts(after("a NOOP\r\n", 3, line + std::string("\r\n")).wait(seconds(4)).server("a OK x\r\n")),
                ElementsAre("NOOP 3"))
        << line;
}

TEST(FirstResponse, IsNoneThatAsksForPatience) {
  for (const char* line : {"* OK Still here", "* OK", "* ok [] x", "* OK [INPROGRESS] x", "* NO [INPROGRESS] x",
                           "* OK [INPROGRESS (\"a\" 1 NIL)] x"})
    EXPECT_THAT(firsts(after("a NOOP\r\n", 3, line + std::string("\r\n")).wait(seconds(4)).server("a OK x\r\n")),
                ElementsAre("NOOP 7"))
        << line;
  EXPECT_THAT(firsts(after("a NOOP\r\n", 3, "a OK [INPROGRESS] x\r\n")), ElementsAre("NOOP 3")) << "it is the answer";
}

TEST(FirstResponse, IsTheLineThatAnnouncesALiteral) {
  EXPECT_THAT(firsts(after("a FETCH 1 BODY[]\r\n", 3, "* 1 FETCH (BODY[] {5}\r\n")
                         .wait(seconds(4))
                         .server("h\r\no\n)\r\na OK x\r\n")),
              ElementsAre("FETCH 3"));
}

TEST(FirstResponse, IsComplete) {
  EXPECT_THAT(firsts(after("a NOOP\r\n", 3, "* 1 EXI").wait(seconds(4)).server("STS\r\na OK x\r\n")),
              ElementsAre("NOOP 7"));
  EXPECT_THAT(firsts(greeted().server("* 1 EXI").client("a NOOP\r\n").wait(seconds(3)).server("STS\r\na OK x\r\n")),
              ElementsAre("NOOP 3"))
      << "a line is there when its LF is";
}

TEST(FirstResponse, OnlyOfACommandThatIsAlone) {
  EXPECT_THAT(firsts(after("a NOOP\r\nb CHECK\r\n", 3, "a OK x\r\nb OK x\r\n")), ElementsAre("NOOP 3"));
  EXPECT_THAT(firsts(after("a NOOP\r\nb CHECK\r\n", 3, "b OK x\r\na OK x\r\n")), ElementsAre("NOOP 3")) << "any line";
  EXPECT_THAT(
      firsts(after("a NOOP\r\nb CHECK\r\n", 3, "a OK x\r\n").client("c LIST x x\r\n").server("b OK x\r\nc OK x\r\n")),
      ElementsAre("NOOP 3"));
  EXPECT_THAT(firsts(after("a NOOP\r\n", 3, "a OK x\r\n").client("b CHECK\r\n").wait(seconds(5)).server("b OK x\r\n")),
              ElementsAre("NOOP 3", "CHECK 5"));
  EXPECT_THAT(firsts(after("a NOOP\r\nb APPEND x {3+}\r\n", 3, "a OK x\r\n")
                         .client("abc\r\n")
                         .wait(seconds(5))
                         .server("b OK x\r\n")),
              ElementsAre("NOOP 3", "APPEND 5"))
      << "at its end";
}

TEST(FirstResponse, NotBesideACommandThatIsUntracked) {
  Conversation talk = greeted();
  std::string commands;
  std::string answers;
  for (std::size_t i = 0; i < imap::tag_block_size; ++i) {
    commands += "a NOOP\r\n";
    answers += "a OK\r\n";
  }
  talk.client(commands + "b CHECK\r\n").server(answers).client("c CHECK\r\n").server("c OK x\r\nb OK x\r\n");
  talk.client("d LIST x x\r\n").wait(seconds(3)).server("d OK x\r\n");
  const Heard whole = listen(talk, {});
  EXPECT_THAT(whole.first_responses, ElementsAre("NOOP 0", "LIST 3"));
  EXPECT_EQ(listen(talk, {Split::Kind::every, 1}).first_responses, whole.first_responses);
}

TEST(FirstResponse, BehindTheLastOctetOfALiteral) {
  EXPECT_THAT(firsts(after("a APPEND x {3}\r\n", 1, "+ go\r\n")
                         .wait(seconds(2))
                         .client("abc\r\n")
                         .wait(seconds(4))
                         .server("a OK x\r\n")),
              ElementsAre("APPEND 4"));
  EXPECT_THAT(firsts(after("a APPEND x {3}\r\n", 1, "* 1 EXISTS\r\n+ go\r\n")
                         .client("abc {1}\r\n")
                         .wait(seconds(2))
                         .server("* 2 EXISTS\r\n+ go\r\n")
                         .client("x\r\n")
                         .wait(seconds(4))
                         .server("a OK x\r\n")),
              ElementsAre("APPEND 4"));
  EXPECT_THAT(firsts(greeted()
                         .client("a APPEND x {3+}\r\n")
                         .wait(seconds(2))
                         .server("* 1 EXISTS\r\n")
                         .client("abc\r\n")
                         .wait(seconds(4))
                         .server("a OK x\r\n")),
              ElementsAre("APPEND 4"));
}

TEST(FirstResponse, OfARejectedLiteralBehindItsAnnouncement) {
  EXPECT_THAT(firsts(after("a APPEND x {3}\r\n", 3, "a NO x\r\n")), ElementsAre("APPEND 3"));
  EXPECT_THAT(firsts(after("a APPEND x {3}\r\n", 3, "* 1 EXISTS\r\n").wait(seconds(4)).server("a NO x\r\n")),
              ElementsAre("APPEND 3"));
  EXPECT_THAT(
      firsts(after("a APPEND x {3}\r\n", 1, "+ go\r\n").client("abc {1}\r\n").wait(seconds(4)).server("a NO x\r\n")),
      ElementsAre("APPEND 4"));
}

TEST(FirstResponse, NoneOfAnAnswerBeforeTheEnd) {
  EXPECT_THAT(firsts(after("a APPEND x {3+}\r\n", 3, "a NO x\r\n").client("abc\r\n")), IsEmpty());
  EXPECT_THAT(firsts(after("a APPEND x {3}\r\n", 3, "+ go\r\na NO x\r\n").client("abc\r\n")), IsEmpty());
  EXPECT_THAT(firsts(after("a APPEND x {3}\r\n", 3, "* 1 EXISTS\r\n+ go\r\na NO x\r\n").client("abc\r\n")), IsEmpty());
  EXPECT_THAT(firsts(after("a APPEND x {3+}\r\n", 3, "a NO x\r\n")
                         .client("abc\r\nb NOOP\r\n")
                         .wait(seconds(4))
                         .server("b OK x\r\n")),
              ElementsAre("NOOP 4"));
}

TEST(FirstResponse, BehindTheLastSaslLine) {
  const auto asked = [] { return after("a AUTHENTICATE PLAIN\r\n", 1, "+ \r\n").wait(seconds(2)); };
  EXPECT_THAT(firsts(asked().client("eA==\r\n").wait(seconds(3)).server("a OK x\r\n")), ElementsAre("AUTHENTICATE 3"));
  EXPECT_THAT(firsts(asked().client("*\r\n").wait(seconds(3)).server("a BAD x\r\n")), ElementsAre("AUTHENTICATE 3"));
  EXPECT_THAT(firsts(asked()
                         .client("eA==\r\n")
                         .wait(seconds(3))
                         .server("* CAPABILITY X\r\n")
                         .wait(seconds(9))
                         .server("a OK x\r\n")),
              ElementsAre("AUTHENTICATE 3"));
  EXPECT_THAT(firsts(asked()
                         .client("eA==\r\n")
                         .wait(seconds(3))
                         .server("* 1 EXISTS\r\n+ eA==\r\n")
                         .wait(seconds(4))
                         .client("\r\n")
                         .wait(seconds(5))
                         .server("a NO x\r\n")),
              ElementsAre("AUTHENTICATE 5"));
  EXPECT_THAT(firsts(asked().server("a NO x\r\n")), ElementsAre("AUTHENTICATE 1")) << "no line: `+` is the first";
  EXPECT_THAT(firsts(after("a AUTHENTICATE PLAIN eA==\r\n", 3, "a OK x\r\n")), ElementsAre("AUTHENTICATE 3"));
}

TEST(FirstResponse, NoneOfIdle) {
  const auto idling = [] { return after("a IDLE\r\n", 1, "+ x\r\n* 1 EXISTS\r\n"); };
  EXPECT_THAT(firsts(idling().client("DONE\r\n").wait(seconds(3)).server("a OK x\r\n")), IsEmpty());
  EXPECT_THAT(firsts(idling().client("DONE\r\nb NOOP\r\n").server("a OK x\r\nb OK x\r\n")), IsEmpty());
  EXPECT_THAT(
      firsts(
          idling().client("DONE\r\n").server("a OK x\r\n").client("b NOOP\r\n").wait(seconds(3)).server("b OK x\r\n")),
      ElementsAre("NOOP 3"));
}

TEST(FirstResponse, TheGreetingIsNone) {
  EXPECT_THAT(firsts(Conversation()
                         .client("a NOOP\r\n")
                         .wait(seconds(3))
                         .server("* OK [CAPABILITY X] x\r\n")
                         .wait(seconds(4))
                         .server("a OK x\r\n")),
              ElementsAre("NOOP 7"));
}

TEST(FirstResponse, NoneWithoutOne) {
  EXPECT_THAT(firsts(greeted().client("a NOOP\r\n")), IsEmpty());
  EXPECT_THAT(firsts(after("a NOOP\r\n", 3, "* OK Still here\r\n")), IsEmpty());
  EXPECT_THAT(firsts(after("a APPEND x {3}\r\n", 3, "* 1 EXISTS\r\n")), IsEmpty());
  EXPECT_THAT(firsts(greeted().client("\r\nDONE\r\n").server("* BAD x\r\n")), IsEmpty()) << "no command";
}

TEST(FirstResponse, OutOfStepOnlyTheAnswer) {
  EXPECT_THAT(firsts(greeted()
                         .server("* 1 FETCH (X {1}\r\nyz)\r\n")
                         .client("a NOOP\r\n")
                         .wait(seconds(3))
                         .server("* 1 EXISTS\r\n")
                         .wait(seconds(4))
                         .server("a OK x\r\n")),
              ElementsAre("NOOP 7"));
}

}  // namespace
}  // namespace imapmeter::test
