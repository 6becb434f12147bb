// Answers that the server gives before it has read the command. METRICS.md, early_completion.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/imap/hearing.h"

namespace imapmeter::test {
namespace {

using testing::Contains;
using testing::ElementsAre;

const std::string ok = "status tagged OK none (OK)";
const std::string no = "status tagged NO none (NO)";
const std::string bad = "status tagged BAD none (BAD)";

// Servers do not read a line that is too long for them to its end.
TEST(EarlyAnswers, BeforeTheEndOfTheFirstLine) {
  Conversation talk = logged_in();
  talk.client("a SEARCH " + std::string(100, 'x'))
      .server("a BAD too long\r\na BAD again\r\n")
      .client("x\r\nb NOOP\r\n");
  talk.server("b OK x\r\n");
  EXPECT_THAT(events_of(talk), ElementsAre(bad, bad, "anomaly upstream unmatched_tag", "started SEARCH",
                                           "anomaly upstream early_completion", "ended SEARCH BAD", "started NOOP", ok,
                                           "ended NOOP OK"));
  const Heard heard = hear(talk);
  EXPECT_THAT(heard.durations, Contains("SEARCH BAD -"));
  EXPECT_EQ(outcome_of(talk), "degraded");
  // its literal still belongs to it, unless the client waits for leave to send it
  EXPECT_THAT(events_of(logged_in().client("a APPEND x").server("a NO x\r\n").client(" {3+}\r\nb X\r\nc NOOP\r\n")),
              ElementsAre(no, "started APPEND", "anomaly upstream early_completion", "ended APPEND NO",
                          "literal client 3", "started NOOP", "ended NOOP aborted"));
  EXPECT_THAT(events_of(logged_in().client("a APPEND x").server("a NO x\r\n").client(" {3}\r\nc NOOP\r\n")),
              ElementsAre(no, "started APPEND", "anomaly upstream early_completion", "ended APPEND NO", "started NOOP",
                          "ended NOOP aborted"));
  EXPECT_THAT(hear(greeted().client("a LOGIN u p").server("a NO [LIMIT] x\r\n").client("p\r\n")).logins,
              ElementsAre("LOGIN_COMMAND temporary LIMIT"));
  // who it is for is known with its name
  EXPECT_THAT(events_of(logged_in().client("a SEA").server("a BAD x\r\n").client("RCH\r\n")),
              ElementsAre(bad, "anomaly upstream unmatched_tag", "started SEARCH", "ended SEARCH aborted"));
}

// Found by fuzzing: what came behind that line in the same read was plain, in the next one it was deflate.
TEST(EarlyAnswers, ToCompressCannotBeFollowed) {
  EXPECT_THAT(events_of(logged_in().client("z COMPRESS DEF").server("z OK go\r\n").client("LATE\r\nN NOOP\r\n")),
              ElementsAre(ok, "opaque compress_error", "state authenticated -> opaque"));
  EXPECT_THAT(events_of(logged_in().client("z COMPRESS DEF").server("z NO no\r\n").client("LATE\r\nN NOOP\r\n")),
              ElementsAre(no, "started COMPRESS", "anomaly upstream early_completion", "ended COMPRESS NO",
                          "compress refused", "started NOOP", "ended NOOP aborted"));
}

// The first octet behind a login may be a layer's, in whichever read it comes.
TEST(EarlyAnswers, ToALoginThatBringsALayer) {
  EXPECT_THAT(events_of(greeted()
                            .client("a AUTHENTICATE GSSAPI x")
                            .server("a OK in\r\n")
                            .client(std::string("\r\n\0\0\0\1N NOOP\r\n", 14))),
              Contains("opaque sasl_layer"));
}

}  // namespace
}  // namespace imapmeter::test
