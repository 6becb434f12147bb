// Attempts to log in: mechanism, result, code. METRICS.md, auth_attempts_total.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/imap/hearing.h"

namespace imapmeter::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// At every split; "MECHANISM result CODE".
std::vector<std::string> logins(const Conversation& talk) { return hear(talk).logins; }

TEST(Login, HasItsAnswer) {
  const std::vector<std::pair<std::string, std::string>> answers = {
      {"OK x", "success none"},
      {"ok [CAPABILITY A B] x", "success CAPABILITY"},
      {"NO x", "rejected none"},
      {"NO", "rejected none"},
      {"NO [AUTHENTICATIONFAILED] x", "rejected AUTHENTICATIONFAILED"},
      {"NO [AUTHORIZATIONFAILED] x", "rejected AUTHORIZATIONFAILED"},
      {"NO [EXPIRED] x", "rejected EXPIRED"},
      {"no [unavailable] x", "temporary UNAVAILABLE"},
      {"NO [INUSE] x", "temporary INUSE"},
      {"NO [LIMIT] x", "temporary LIMIT"},
      {"NO [SERVERBUG] x", "temporary SERVERBUG"},
      {"NO [CONTACTADMIN] x", "temporary CONTACTADMIN"},
      {"NO [PRIVACYREQUIRED] x", "policy PRIVACYREQUIRED"},
      {"NO [ALERT] x", "other_no ALERT"},
      {"NO [WEBALERT u] x", "other_no other"},
      {"BAD x", "bad none"},
      {"BAD [UNAVAILABLE] x", "bad UNAVAILABLE"},
  };
  for (const auto& [answer, expected] : answers)
    EXPECT_THAT(logins(greeted().client("a login u p\r\n").server("a " + answer + "\r\n")),
                ElementsAre("LOGIN_COMMAND " + expected))
        << answer;
}

TEST(Login, NamesItsMechanism) {
  const std::vector<std::pair<std::string, std::string>> mechanisms = {
      {"PLAIN", "PLAIN"},
      {"plain", "PLAIN"},
      {"LOGIN", "LOGIN"},
      {"XOAUTH2", "XOAUTH2"},
      {"OAUTHBEARER", "OAUTHBEARER"},
      {"CRAM-MD5", "CRAM-MD5"},
      {"DIGEST-MD5", "DIGEST-MD5"},
      {"NTLM", "NTLM"},
      {"GSSAPI", "GSSAPI"},
      {"GSS-SPNEGO", "GSS-SPNEGO"},
      {"EXTERNAL", "EXTERNAL"},
      {"ANONYMOUS", "ANONYMOUS"},
      {"SCRAM-SHA-1", "SCRAM-SHA-1"},
      {"SCRAM-SHA-256", "SCRAM-SHA-256"},
      {"SCRAM-SHA-1-PLUS", "SCRAM-PLUS"},
      {"SCRAM-SHA3-512-plus", "SCRAM-PLUS"},
      {"GS2-KRB5-PLUS", "SCRAM-PLUS"},
      {"X--PLUS", "SCRAM-PLUS"},
      {"SCRAM-SHA-512", "other"},
      {"PLAINX", "other"},
      {"PLAI", "other"},
      {"X-PLUSX", "other"},
      {"LOGIN_COMMAND", "other"},
      {"SCRAM-PLU", "other"},
      {"other", "other"},
      {"\"PLAIN\"", "other"},
      {"", "other"},
  };
  for (const auto& [mechanism, label] : mechanisms) {
    for (const char* initial : {"", " ", " =", " dXNlcg=="})
      EXPECT_THAT(logins(greeted().client("a AUTHENTICATE " + mechanism + initial + "\r\n").server("a NO x\r\n")),
                  ElementsAre(label + " rejected none"))
          << mechanism << initial;
  }
  EXPECT_THAT(logins(greeted().client("a AUTHENTICATE\r\n").server("a BAD x\r\n")), ElementsAre("other bad none"));
}

TEST(Login, GoesThroughEveryFormOfLogin) {
  for (const char* line : {"a LOGIN u p\r\n", "a LOGIN \"u\" \"p\\\"q\"\r\n", "a LOGIN {1+}\r\nu {1+}\r\np\r\n"})
    EXPECT_THAT(logins(greeted().client(line).server("a OK x\r\n")), ElementsAre("LOGIN_COMMAND success none")) << line;
  EXPECT_THAT(logins(greeted()
                         .client("a LOGIN {1}\r\n")
                         .server("+ x\r\n")
                         .client("u {1}\r\n")
                         .server("+ x\r\n")
                         .client("p\r\n")
                         .server("a NO [EXPIRED] x\r\n")),
              ElementsAre("LOGIN_COMMAND rejected EXPIRED"));
  EXPECT_THAT(logins(greeted().client("a LOGIN {9}\r\n").server("a NO x\r\n")),
              ElementsAre("LOGIN_COMMAND rejected none"));
}

TEST(Login, IsCancelledByAStar) {
  const auto exchange = [](const std::string& line, const std::string& answer) {
    return logins(greeted().client("a AUTHENTICATE PLAIN\r\n").server("+ \r\n").client(line).server(answer));
  };
  EXPECT_THAT(exchange("*\r\n", "a BAD x\r\n"), ElementsAre("PLAIN cancelled none"));
  EXPECT_THAT(exchange("*\r\n", "a NO [AUTHENTICATIONFAILED] x\r\n"),
              ElementsAre("PLAIN cancelled AUTHENTICATIONFAILED"));
  EXPECT_THAT(exchange("*\n", "a BAD x\r\n"), ElementsAre("PLAIN cancelled none"));
  EXPECT_THAT(exchange("*\r\n", "a OK x\r\n"), ElementsAre("PLAIN success none"));
  for (const char* line : {"* \r\n", "**\r\n", "*x\r\n", "=\r\n", "\r\n", " *\r\n"})
    EXPECT_THAT(exchange(line, "a BAD x\r\n"), ElementsAre("PLAIN bad none")) << line;
  EXPECT_THAT(logins(greeted()
                         .client("a AUTHENTICATE X\r\n")
                         .server("+ \r\n")
                         .client("*\r\n")
                         .server("+ \r\n")
                         .client("eA==\r\n")
                         .server("a NO x\r\n")),
              ElementsAre("other rejected none"))
      << "the last line decides";
}

// RFC 7888 section 4: `{n+}` counts at the end of every line. Where the mechanism stands it went by unseen, and the
// commands behind its octets were taken for SASL.
TEST(Login, MechanismAsALiteralIsALiteral) {
  const std::string answered = "a BAD x\r\n";
  EXPECT_THAT(events_of(greeted().client("a AUTHENTICATE {5+}\r\nPLAIN\r\n").server(answered).client("b NOOP\r\n")),
              ElementsAre("started AUTHENTICATE", "literal client 5", "status tagged BAD none (BAD)",
                          "ended AUTHENTICATE BAD", "started NOOP", "ended NOOP aborted"));
  EXPECT_THAT(events_of(greeted().client("a AUTHENTICATE {5}\r\n").server(answered).client("b NOOP\r\n")),
              ElementsAre("started AUTHENTICATE", "status tagged BAD none (BAD)", "ended AUTHENTICATE BAD",
                          "started NOOP", "ended NOOP aborted"));
  EXPECT_THAT(events_of(greeted().client("a AUTHENTICATE X{4+}\r\n*\r\nx\r\n").server(answered)),
              ElementsAre("started AUTHENTICATE", "literal client 4", "status tagged BAD none (BAD)",
                          "ended AUTHENTICATE BAD"));
  EXPECT_THAT(logins(greeted().client("a AUTHENTICATE PLAIN{1+}\r\nx\r\n").server(answered)),
              ElementsAre("other bad none"));
  EXPECT_THAT(events_of(greeted().client(std::string("a AUTHENTICATE PL\0AIN\r\n", 23))),
              ElementsAre("anomaly client nul_octet", "started AUTHENTICATE", "ended AUTHENTICATE aborted"));
}

TEST(Login, IsAbortedWithoutAnAnswer) {
  EXPECT_THAT(logins(greeted().client("a AUTHENTICATE PLAIN\r\n").server("+ \r\n")), ElementsAre("PLAIN aborted none"));
  EXPECT_THAT(logins(greeted().client("a LOGIN u p\r\n").server("* BYE x\r\n")),
              ElementsAre("LOGIN_COMMAND aborted none"));
}

TEST(Login, IsNoneOfAPreauthGreeting) {
  EXPECT_THAT(logins(Conversation().server("* PREAUTH x\r\n").client("a NOOP\r\n").server("a OK x\r\n")), IsEmpty());
}

}  // namespace
}  // namespace imapmeter::test
