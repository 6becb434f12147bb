// Commands that find no room in the table of outstanding ones: their answers must not be lost on the session. FAULTS.md
// B11.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/imap/hearing.h"

namespace imapmeter::test {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::Not;

// 256 commands that are not answered, and that a login makes no room in.
std::string full_table(const std::string& command = "t LOGIN x y\r\n") {
  std::string sent;
  for (int i = 0; i < 256; ++i) sent += command;
  return sent;
}

// At a few cuts: every one of them would take minutes.
std::vector<std::string> heard(const Conversation& talk) {
  std::vector<std::string> whole = listen(talk, {}).events;
  for (const Split split :
       {Split{Split::Kind::every, 1}, Split{Split::Kind::every, 7}, Split{Split::Kind::random, 0, 1}})
    EXPECT_EQ(listen(talk, split).events, whole) << split.text();
  return whole;
}

// Its exchange ended, and every later command was taken for a line of it.
TEST(Untracked, AuthenticateEndsWithItsAnswer) {
  for (const char* exchange : {"eA==\r\n", "*\r\n", "\r\n", "eA==\r\neA==\r\n"}) {
    for (const char* answer : {"OK", "NO", "BAD"}) {
      Conversation talk = greeted();
      talk.client(full_table() + "u AUTHENTICATE X\r\n").server("+ \r\n").client(exchange);
      talk.server("u " + std::string(answer) + " x\r\n").client("v CHECK\r\n");
      EXPECT_THAT(heard(talk), Contains("started CHECK")) << exchange << answer;
    }
  }
}

TEST(Untracked, IdleEndsWithItsAnswer) {
  Conversation talk = logged_in();
  talk.client(full_table() + "u IDLE\r\nx\r\n").server("u BAD x\r\n").client("v CHECK\r\n");
  EXPECT_THAT(heard(talk), Contains("started CHECK"));
}

// Else a healthy session would end as one that never logs in.
TEST(Untracked, LoginLogsIn) {
  for (const char* login : {"u LOGIN a b\r\n", "u AUTHENTICATE PLAIN AGEAYg==\r\n"}) {
    Conversation talk = greeted();
    talk.client(full_table() + login);
    EXPECT_THAT(heard(Conversation(talk).server("u NO x\r\n")), Not(Contains("authenticated")));
    EXPECT_THAT(heard(Conversation(talk).server("u OK x\r\n")),
                AllOf(Contains("authenticated"), Contains("state not_authenticated -> authenticated")));
  }
  Conversation talk = greeted();
  talk.client(full_table() + "u AUTHENTICATE PLAIN\r\n").server("+ \r\n").client("AGEAYg==\r\n").server("u OK x\r\n");
  EXPECT_THAT(heard(talk), Contains("authenticated"));
}

// Else whoever sends 256 commands before his attempts would try passwords that nobody hears of.
TEST(Untracked, LoginTakesThePlaceOfAnother) {
  Conversation talk = greeted();
  talk.client(full_table("t NOOP\r\n") + "u LOGIN a b\r\nv AUTHENTICATE XOAUTH2 eA==\r\n");
  std::string answers;
  for (int i = 0; i < 256; ++i) answers += "t OK x\r\n";
  talk.server(answers + "u NO x\r\nv OK x\r\nextra OK x\r\n");
  EXPECT_THAT(listen(talk, {}).logins, ElementsAre("LOGIN_COMMAND rejected none", "XOAUTH2 success none"));
  const std::vector<std::string> events = heard(talk);
  EXPECT_EQ(std::count(events.begin(), events.end(), "ended NOOP untracked"), 2);
  EXPECT_EQ(std::count(events.begin(), events.end(), "ended NOOP OK"), 254);
  EXPECT_EQ(std::count(events.begin(), events.end(), "anomaly upstream unmatched_tag"), 1);
  EXPECT_THAT(events, Contains("authenticated"));
}

TEST(Untracked, EachLoginIsAnAttempt) {
  Conversation talk = greeted();
  talk.client(full_table() + "u LOGIN a b\r\nv AUTHENTICATE XOAUTH2 eA==\r\n");
  const std::vector<std::string> logins = listen(talk, {}).logins;
  EXPECT_EQ(logins.size(), 258U);
  EXPECT_EQ(std::count(logins.begin(), logins.end(), "LOGIN_COMMAND aborted none"), 257);
}

TEST(Untracked, LoginsAndCompressThatGoOpaqueAreTold) {
  Conversation talk = greeted();
  talk.client("a LOGIN a b\r\nb COMPRESS DEFLATE\r\nc STARTTLS\r\n").server("c OK x\r\n");
  EXPECT_THAT(hear(talk).logins, ElementsAre("LOGIN_COMMAND aborted none"));
  EXPECT_THAT(events_of(talk), Contains("compress aborted"));
}

// Where more follows it, which answer is its own is not known: it may have logged in.
TEST(Untracked, LoginMayHaveBeenAcceptedUnseen) {
  EventLog log;
  imap::TagPool pool(1);
  imap::TrackerContext context{&pool, nullptr, 7};
  imap::SessionTracker tracker(log, context);
  std::string greeting = "* OK x\r\n";
  tracker.server(greeting, {});
  tracker.client(full_table(), {});
  EXPECT_FALSE(tracker.may_have_logged_in());
  tracker.client(std::string("u LOGIN a b\r\nv SELECT x\r\n"), {});
  std::string answers = "u OK x\r\n* 1 EXISTS\r\nv OK x\r\n";
  tracker.server(answers, {});
  EXPECT_TRUE(tracker.may_have_logged_in());
  EXPECT_THAT(log.lines, Not(Contains("anomaly upstream data_before_auth")));
}

TEST(Untracked, StarttlsAcceptedByTheServerIsOpaque) {
  Conversation talk = greeted();
  talk.client(full_table() + "u STARTTLS\r\n").server("u OK go\r\n\x16\x03");
  EXPECT_THAT(heard(talk), Contains("opaque upstream_starttls"));
}

}  // namespace
}  // namespace imapmeter::test
