// The words of a server's lists, at every split.
#include "proxy/imap/capability_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/imap/hearing.h"

namespace imapmeter::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> heard(const Conversation& talk) { return hear(talk).capabilities; }
imap::CapabilitySet set_of(const std::string& words) {
  return hear(Conversation().server("* OK [CAPABILITY " + words + "] x\r\n")).capability_sets.at(0);
}

TEST(CapabilitySet, KnowsItsWordsInAnyCaseAndOrder) {
  EXPECT_THAT(heard(Conversation().server("* OK [CAPABILITY imap4rev1 Idle AUTH=PLAIN] x\r\n")),
              ElementsAre("before: AUTH=PLAIN IDLE IMAP4REV1"));
  EXPECT_EQ(set_of("IDLE XA XB"), set_of("xb idle XA"));
  EXPECT_NE(set_of("IDLE XA"), set_of("IDLE XB"));
  EXPECT_NE(set_of("IDLE"), set_of("IDLE X"));
  EXPECT_EQ(set_of("IDLE").others, 0U);
  EXPECT_TRUE(std::is_sorted(imap::capability_words.begin(), imap::capability_words.end()));
}

TEST(CapabilitySet, TellsValuesApartWithoutTellingThem) {
  EXPECT_THAT(heard(Conversation().server("* OK [CAPABILITY APPENDLIMIT=35882577 RIGHTS=texk] x\r\n")),
              ElementsAre("before: APPENDLIMIT= RIGHTS= other"));
  EXPECT_NE(set_of("APPENDLIMIT=1"), set_of("APPENDLIMIT=2"));
  EXPECT_EQ(set_of("APPENDLIMIT=1"), set_of("appendlimit=1"));
  EXPECT_NE(set_of("APPENDLIMIT"), set_of("APPENDLIMIT="));
}

TEST(CapabilitySet, OfAnAnswerToALoginIsOneAfterLogin) {
  EXPECT_THAT(heard(greeted()
                        .client("a CAPABILITY\r\n")
                        .server("* CAPABILITY IMAP4rev1 STARTTLS\r\na OK x\r\n")
                        .client("b LOGIN u p\r\n")
                        .server("b OK [CAPABILITY IMAP4rev1 MOVE] x\r\n* CAPABILITY MOVE\r\n")),
              ElementsAre("before: IMAP4REV1 STARTTLS", "after: IMAP4REV1 MOVE", "after: MOVE"));
  EXPECT_THAT(heard(greeted().client("b LOGIN u p\r\n").server("b NO [CAPABILITY IDLE] x\r\n")),
              ElementsAre("before: IDLE"));
  EXPECT_THAT(heard(Conversation().server("* PREAUTH [CAPABILITY IDLE] x\r\n")), ElementsAre("after: IDLE"));
}

// Gmail's `* CAPABILITY` in front of its OK was a change of what it can do before login.
TEST(CapabilitySet, AsDataOfALoginIsOneAfterLogin) {
  for (const char* login : {"b LOGIN u p\r\n", "b AUTHENTICATE XOAUTH2 eA==\r\n"}) {
    EXPECT_THAT(heard(greeted().client(login).server("* CAPABILITY IDLE\r\nb OK x\r\n")), ElementsAre("after: IDLE"));
    EXPECT_THAT(heard(greeted().client("a CAPABILITY\r\n" + std::string(login)).server("* CAPABILITY IDLE\r\n")),
                ElementsAre("before: IDLE"));
    EXPECT_THAT(heard(Conversation().client(login).server("* OK [CAPABILITY IDLE] x\r\n")),
                ElementsAre("before: IDLE"));
  }
}

TEST(CapabilitySet, IsNoneWithoutItsLineEndOrAnywhereElse) {
  EXPECT_THAT(heard(greeted().server("* CAPABILITY IMAP4rev1")), IsEmpty());
  EXPECT_THAT(heard(greeted().server("* 1 FETCH (X {22}\r\n* CAPABILITY IMAP4rev1)\r\n")), IsEmpty());
  EXPECT_THAT(heard(greeted().server("* OK [ALERT] CAPABILITY IDLE\r\n")), IsEmpty());
}

TEST(CapabilitySet, EndsWhereTheListEnds) {
  EXPECT_THAT(heard(greeted().server("* CAPABILITY IDLE (MOVE) QUOTA\r\n")), ElementsAre("before: IDLE"));
  EXPECT_THAT(heard(greeted().server("* CAPABILITY IDLE  MOVE\r\n")), ElementsAre("before: IDLE MOVE"));
}

// What is taken out for the client is in the set all the same.
TEST(CapabilitySet, IsUnfiltered) {
  const imap::CapabilityRules rules{.enabled = true, .strip_starttls = true};
  EXPECT_THAT(hear(greeted().server("* CAPABILITY IDLE STARTTLS AUTH=SCRAM-SHA-1-PLUS ID\r\n"), rules).capabilities,
              ElementsAre("before: AUTH=SCRAM-SHA-1-PLUS ID IDLE STARTTLS"));
}

}  // namespace
}  // namespace imapmeter::test
