// COMPRESS, UNAUTHENTICATE and the other switches: where they begin and end, at every cut.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/imap/hearing.h"
#include "tests/support/deflate.h"

namespace imapmeter::test {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::IsSupersetOf;
using testing::Not;
using testing::StartsWith;

const auto is_opaque = StartsWith("opaque ");

Conversation compressed() {
  Conversation talk = logged_in();
  talk.client("z COMPRESS DEFLATE\r\n").server("z OK go\r\n");
  talk.prelude_events += 4;
  return talk;
}

// Something of everything that the tracker reads.
Conversation everyday() {
  Conversation talk = logged_in();
  talk.client("a SELECT INBOX\r\n").server("* 3 EXISTS\r\n* OK [UNSEEN 1] x\r\na OK [READ-WRITE] x\r\n");
  talk.client("b FETCH 1:2 BODY[]\r\nc NOOP\r\n");
  talk.server("* 1 FETCH (BODY[] {14}\r\n").server("b OK x\r\n* BYE\r\n)\r\n* 2 FETCH (BODY[] {0}\r\n)\r\nb OK x\r\n");
  talk.server("c OK [ALERT] x\r\n");
  talk.client("d APPEND INBOX {5}\r\n").server("+ go\r\n").client("hello\r\n").server("d NO [OVERQUOTA] full\r\n");
  talk.client("e APPEND INBOX {6+}\r\nhello\n\r\n").server("e OK x\r\n");
  talk.client("f IDLE\r\n").server("+ idling\r\n* 4 EXISTS\r\n").client("DONE\r\ng FOO\r\n");
  talk.server("f OK x\r\ng BAD x\r\n* BYE shutdown\r\n");
  return talk;
}

// `talk` behind COMPRESS: what each side says is deflated, with a flush after each step.
Conversation behind_compress(const Conversation& talk, int level, int strategy, std::size_t login_steps) {
  Conversation result = compressed();
  Deflater client(level, strategy);
  Deflater server(level, strategy);
  for (std::size_t i = login_steps; i < talk.steps.size(); ++i) {
    const Conversation::Step& step = talk.steps[i];
    if (step.direction == imap::Direction::client_to_server) {
      result.client(client(step.octets));
    } else {
      result.server(server(step.octets));
    }
  }
  return result;
}

TEST(Compress, IsReadLikePlain) {
  const std::vector<std::string> plain = events_of(everyday());
  ASSERT_THAT(plain, IsSupersetOf({"ended FETCH OK", "ended APPEND NO", "bye shutdown", "literal upstream 14"}));
  for (const int level : {0, 1, 9}) {
    for (const int strategy : {Z_DEFAULT_STRATEGY, Z_HUFFMAN_ONLY, Z_FIXED}) {
      const Conversation talk = behind_compress(everyday(), level, strategy, logged_in().steps.size());
      EXPECT_EQ(events_of(talk), plain) << level << " " << strategy;
    }
  }
}

// By direction, from the n-th step on.
std::array<std::size_t, imap::direction_count> octets_from(const Conversation& talk, std::size_t step) {
  std::array<std::size_t, imap::direction_count> sums{};
  for (; step < talk.steps.size(); ++step) {
    sums[static_cast<std::size_t>(talk.steps[step].direction)] += talk.steps[step].octets.size();
  }
  return sums;
}

TEST(Compress, OctetsBeforeAndAfterInflation) {
  const Conversation talk = behind_compress(everyday(), 9, Z_DEFAULT_STRATEGY, logged_in().steps.size());
  const Heard heard = hear(talk);
  EXPECT_EQ(heard.inflated, octets_from(everyday(), logged_in().steps.size()));
  EXPECT_EQ(heard.deflated, octets_from(talk, compressed().steps.size()));
}

TEST(Traps, T05_TaggedOkAndDeflateInOneRead) {
  Deflater client;
  Deflater server;
  Conversation talk = logged_in();
  talk.client("a COMPRESS DEFLATE\r\n").server("a OK go\r\n" + server("* 1 EXISTS\r\n* OK [ALERT] x\r\n"));
  talk.client(client("b NOOP\r\n")).server(server("b OK x\r\n"));
  EXPECT_THAT(events_of(talk), ElementsAre("started COMPRESS", "status tagged OK none (OK)", "ended COMPRESS OK",
                                           "compress active", "status untagged OK ALERT (OK ALERT UNSOLICITED)",
                                           "started NOOP", "status tagged OK none (OK)", "ended NOOP OK"));
}

TEST(Traps, T05_BareLfEndsTheTaggedOkToo) {
  Deflater server;
  EXPECT_THAT(
      events_of(logged_in().client("a COMPRESS DEFLATE\r\n").server("a OK go\n" + server("* BYE shutdown\r\n"))),
      Contains("bye shutdown"));
}

TEST(Traps, T24_RefusedSwitchesDoNotSwitch) {
  for (const char* command : {"COMPRESS DEFLATE", "STARTTLS", "UNAUTHENTICATE"}) {
    for (const char* answer : {"a BAD x\r\n", "a NO [COMPRESSIONACTIVE] x\r\n"}) {
      Conversation talk = logged_in();
      talk.client("a " + std::string(command) + "\r\n").server(answer);
      talk.client("b NOOP\r\n").server("b OK x\r\n");
      EXPECT_THAT(events_of(talk), AllOf(Contains("ended NOOP OK"), Not(Contains(is_opaque)))) << command;
    }
  }
  EXPECT_THAT(events_of(logged_in().client("a COMPRESS X\r\n").server("a BAD x\r\n")), Contains("compress refused"));
  EXPECT_THAT(events_of(logged_in().client("a UNAUTHENTICATE\r\n").server("a NO x\r\n")),
              Contains("anomaly upstream unauthenticate_no"));
}

TEST(Compress, UnansweredIsAborted) {
  EXPECT_THAT(events_of(logged_in().client("a COMPRESS DEFLATE\r\n")),
              ElementsAre("started COMPRESS", "ended COMPRESS aborted", "compress aborted"));
}

TEST(Compress, AnsweredUnderAnotherTag) {
  EXPECT_THAT(events_of(logged_in().client("c COMPRESS DEFLATE\r\n").server("d OK x\r\n\x01\x02")),
              ElementsAre("started COMPRESS", "status tagged OK none (OK)", "anomaly upstream unmatched_tag",
                          "ended COMPRESS untracked", "compress aborted", "opaque compress_error",
                          "state authenticated -> opaque"));
}

// The client has to wait. Where it does not, nobody can tell what its octets were, unless COMPRESS is refused.
TEST(Compress, OctetsBeforeTheAnswer) {
  const auto talk = [](const char* answer) {
    return logged_in().client("a COMPRESS DEFLATE\r\nb NOOP\r\nc NOOP\r\n").server(answer).server("b OK x\r\n");
  };
  EXPECT_THAT(events_of(talk("a OK go\r\n")),
              ElementsAre("started COMPRESS", "anomaly client octets_during_compress", "started NOOP", "started NOOP",
                          "status tagged OK none (OK)", "ended COMPRESS OK", "compress active", "ended NOOP untracked",
                          "ended NOOP untracked", "opaque compress_error", "state authenticated -> opaque"));
  EXPECT_THAT(events_of(talk("a BAD no\r\n")), AllOf(Contains("anomaly client octets_during_compress"),
                                                     Contains("ended NOOP OK"), Not(Contains(is_opaque))));
}

TEST(Compress, CommandsBeforeItMayStillBeAnswered) {
  Deflater client;
  Deflater server;
  Conversation talk = logged_in();
  talk.client("a NOOP\r\nb COMPRESS DEFLATE\r\n").server("b OK go\r\n" + server("a OK late\r\n"));
  talk.client(client("c NOOP\r\n")).server(server("c OK x\r\n"));
  EXPECT_THAT(events_of(talk), AllOf(Contains("ended NOOP OK").Times(2), Not(Contains(StartsWith("anomaly")))));
}

TEST(Compress, NoDeflateIsAnError) {
  EXPECT_THAT(events_of(compressed().client("a NOOP\r\n")),
              ElementsAre("opaque compress_error", "state authenticated -> opaque"));
  EXPECT_THAT(events_of(compressed().server("* 1 EXISTS\r\n")), Contains("opaque compress_error"));
  // a header of zlib: such a client is cut off by servers
  EXPECT_THAT(events_of(compressed().client("\x78\x9c" + Deflater()("a NOOP\r\n"))), Contains("opaque compress_error"));
}

TEST(Compress, AStreamMayEndButNotGoOn) {
  Deflater server;
  const std::string end = server.end("* BYE shutdown\r\n");
  EXPECT_THAT(events_of(compressed().server(end)), AllOf(Contains("bye shutdown"), Not(Contains(is_opaque))));
  EXPECT_THAT(events_of(compressed().server(end + "x")), Contains("opaque compress_error"));
}

TEST(Compress, TwiceIsAnError) {
  Deflater client;
  Deflater server;
  EXPECT_THAT(events_of(compressed().client(client("a COMPRESS DEFLATE\r\n")).server(server("a OK again\r\n"))),
              Contains("opaque compress_error"));
}

TEST(Compress, TooMuchOutOfATurn) {
  const std::string zeros = "* 1 FETCH (BODY[] {1048000}\r\n" + std::string(1048000, '\0') + ")\r\n";
  EXPECT_THAT(listen(compressed().server(Deflater()(zeros)), {}).events, Not(Contains(is_opaque)));
  const std::string more = "* 1 FETCH (BODY[] {1049000}\r\n" + std::string(1049000, '\0') + ")\r\n";
  const Conversation bomb = compressed().server(Deflater()(more)).server("anything");
  const Heard heard = listen(bomb, {});
  EXPECT_THAT(heard.events, Contains("opaque compress_ratio"));
  EXPECT_TRUE(heard.to_client.ends_with("anything"));
  // in small portions it is as much, over more turns
  EXPECT_THAT(listen(bomb, {Split::Kind::every, 300}).events, Not(Contains("opaque compress_ratio")));
}

TEST(Compress, NoInflaterLeft) {
  EventLog log;
  imap::InflatedSessions sessions(1);
  imap::DeflateTaps taps(sessions);
  imap::TrackerContext context{.inflaters = &taps};
  const auto open = [&](imap::SessionTracker& tracker) {
    std::string greeting = "* PREAUTH x\r\n";
    const std::string command = "a COMPRESS DEFLATE\r\n";
    std::string answer = "a OK x\r\n";
    tracker.server(greeting, {});
    tracker.client(command, {});
    tracker.server(answer, {});
  };
  {
    imap::SessionTracker first(log, context);
    open(first);
    EXPECT_TRUE(first.compressed());
    EXPECT_FALSE(first.at_response_boundary());
    imap::SessionTracker second(log, context);
    open(second);
    EXPECT_FALSE(second.compressed());
    EXPECT_THAT(log.lines, AllOf(Contains("opaque compress_limit"), Contains("compress active").Times(2)));
    first.go_opaque(imap::OpaqueReason::disabled);
    EXPECT_EQ(sessions.count, 0U);
    imap::SessionTracker third(log, context);
    open(third);
    EXPECT_EQ(sessions.count, 1U);
  }
  EXPECT_EQ(sessions.count, 0U);
}

TEST(Compress, CapabilitiesPassAsTheyAre) {
  const imap::CapabilityRules strip = {.enabled = true, .strip_starttls = true};
  Deflater server;
  Conversation talk = compressed();
  talk.server(server("* CAPABILITY IMAP4rev1 STARTTLS IDLE\r\n* OK [CAPABILITY STARTTLS] x\r\n"));
  const Heard heard = hear(talk, strip);
  EXPECT_THAT(heard.events, AllOf(Not(Contains("capability_removed")),
                                  Contains("status untagged OK CAPABILITY (OK CAPABILITY UNSOLICITED)")));
  EXPECT_TRUE(heard.to_client.ends_with(talk.steps.back().octets));
}

// --- UNAUTHENTICATE (RFC 8437) -----------------------------------------------------------------------------------

TEST(Unauthenticate, BeginsAnew) {
  Conversation talk = logged_in();
  talk.client("a SELECT INBOX\r\n").server("a OK x\r\n");
  talk.client("b UNAUTHENTICATE\r\nc LOGIN u p\r\n").server("b OK x\r\nc NO [AUTHENTICATIONFAILED] x\r\n");
  EXPECT_THAT(events_of(talk), ElementsAre("started SELECT", "status tagged OK none (OK)", "ended SELECT OK",
                                           "state authenticated -> selected", "started UNAUTHENTICATE", "started LOGIN",
                                           "status tagged OK none (OK)", "ended UNAUTHENTICATE OK",
                                           "state selected -> not_authenticated",
                                           "status tagged NO AUTHENTICATIONFAILED (NO)", "ended LOGIN NO"));
  // authenticated counts once per session
  talk.client("d LOGIN u p\r\n").server("d OK x\r\n");
  EXPECT_THAT(events_of(talk),
              AllOf(Contains("state not_authenticated -> authenticated"), Not(Contains("authenticated"))));
}

// What holds before login holds again.
TEST(Unauthenticate, IsBeforeLoginAgain) {
  Conversation talk = logged_in();
  talk.client("a UNAUTHENTICATE\r\n").server("a OK x\r\n* LIST () \"/\" x\r\n");
  EXPECT_THAT(events_of(talk), Contains("anomaly upstream data_before_auth"));
  talk.wait(std::chrono::seconds(60)).server("* BYE x\r\n");
  EXPECT_THAT(events_of(talk), Contains("bye inactivity"));
}

TEST(Traps, T24_UnauthenticateEndsCompression) {
  Deflater client;
  Deflater server;
  Conversation talk = compressed();
  talk.client(client("a NOOP\r\n")).server(server("a OK x\r\n"));
  // what follows is plain, and may come with it
  talk.client(client("b UNAUTHENTICATE\r\n") + "c LOGIN u p\r\n");
  talk.server(server("b OK x\r\n") + "c OK in\r\n* OK [ALERT] x\r\n");
  talk.client("d NOOP\r\n").server("d OK x\r\n");
  EXPECT_THAT(events_of(talk),
              ElementsAre("started NOOP", "status tagged OK none (OK)", "ended NOOP OK", "started UNAUTHENTICATE",
                          "started LOGIN", "status tagged OK none (OK)", "ended UNAUTHENTICATE OK",
                          "state authenticated -> not_authenticated", "status tagged OK none (OK)", "ended LOGIN OK",
                          "state not_authenticated -> authenticated", "status untagged OK ALERT (OK ALERT UNSOLICITED)",
                          "started NOOP", "status tagged OK none (OK)", "ended NOOP OK"));
}

TEST(Traps, T24_SecondCompressIsANewStream) {
  Conversation talk = compressed();
  for (int i = 0; i < 2; ++i) {
    Deflater client;
    Deflater server;
    talk.client(client("a NOOP\r\n")).server(server("a OK x\r\n"));
    talk.client(client("b UNAUTHENTICATE\r\n") + "c COMPRESS DEFLATE\r\n");
    talk.server(server("b OK x\r\n") + "c OK go\r\n");
  }
  Deflater client;
  talk.client(client("d NOOP\r\n"));
  EXPECT_THAT(events_of(talk), AllOf(Contains("compress active").Times(2), Contains("started NOOP").Times(3),
                                     Not(Contains(StartsWith("anomaly"))), Not(Contains(is_opaque))));
}

TEST(Unauthenticate, EndOfTheStreamInsteadOfAFlush) {
  Deflater client;
  Deflater server;
  Conversation talk = compressed();
  talk.client(client.end("a UNAUTHENTICATE\r\n") + "b NOOP\r\n").server(server.end("a OK x\r\n") + "b OK x\r\n");
  EXPECT_THAT(events_of(talk), AllOf(Contains("ended NOOP OK"), Not(Contains(is_opaque))));
}

TEST(Unauthenticate, WhatIsInTheSameFlushIsStillDeflated) {
  Deflater client;
  Deflater server;
  Conversation talk = compressed();
  talk.client(client("a NOOP\r\nb UNAUTHENTICATE\r\nc NOOP\r\n") + "d NOOP\r\n");
  talk.server(server("a OK x\r\nb OK x\r\n* 1 EXISTS\r\n") + "c OK x\r\nd OK x\r\n");
  EXPECT_THAT(events_of(talk), AllOf(Contains("ended NOOP OK").Times(3), Not(Contains(is_opaque))));
}

TEST(Unauthenticate, RefusedWhileCompressedIsAnError) {
  for (const char* answer : {"a BAD x\r\n", "a NO x\r\n"}) {
    Deflater client;
    Deflater server;
    EXPECT_THAT(events_of(compressed().client(client("a UNAUTHENTICATE\r\n")).server(server(answer))),
                Contains("opaque compress_error"));
  }
}

// --- SASL layers and STARTTLS -------------------------------------------------------------------------------------

TEST(Compress, BeforeLoginIsReadThrough) {
  Deflater client(0);  // stored blocks begin with 0x00, as SASL layers do
  Deflater server(0);
  Conversation talk = greeted();
  talk.client("a COMPRESS DEFLATE\r\n").server("a OK go\r\n");
  talk.client(client("b AUTHENTICATE GSSAPI =\r\n")).server(server("b OK x\r\n"));
  talk.client(client("c NOOP\r\n")).server(server("c OK x\r\n"));
  EXPECT_THAT(events_of(talk), AllOf(Contains("authenticated"), Contains("ended NOOP OK"), Not(Contains(is_opaque))));
}

TEST(Starttls, AcceptedByTheServerIsOpaque) {
  EXPECT_THAT(events_of(greeted().client("a STARTTLS\r\n").server("a OK go\r\n\x16\x03")),
              ElementsAre("started STARTTLS", "status tagged OK none (OK)", "ended STARTTLS OK",
                          "opaque upstream_starttls", "state not_authenticated -> opaque"));
}

}  // namespace
}  // namespace imapmeter::test
