// Untagged data, messages, and what providers hide in texts. METRICS.md, untagged_data_total, messages_total,
// provider_signals_total.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/imap/hearing.h"

namespace imapmeter::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// At every split: keywords, "fetched N", "appended N", signals, in their order.
std::vector<std::string> heard(const Conversation& talk) { return hear(talk).data; }
std::vector<std::string> of_server(const std::string& octets) { return heard(logged_in().server(octets)); }

TEST(Data, IsCountedByItsKeyword) {
  const std::vector<std::pair<std::string, std::string>> lines = {
      {"CAPABILITY IMAP4rev1", "CAPABILITY"},
      {"ENABLED CONDSTORE", "ENABLED"},
      {"FLAGS (\\Seen)", "FLAGS"},
      {"LIST () \"/\" x", "LIST"},
      {"LSUB () \"/\" x", "LSUB"},
      {"SEARCH 1 2", "SEARCH"},
      {"SEARCH", "SEARCH"},
      {"search ", "SEARCH"},
      {"ESEARCH (TAG \"x\")", "ESEARCH"},
      {"STATUS x (UNSEEN 3)", "STATUS"},
      {"VANISHED (EARLIER) 1:5", "VANISHED"},
      {"5 EXISTS", "EXISTS"},
      {"0 RECENT", "RECENT"},
      {"44 expunge", "EXPUNGE"},
      {"4294967295 FETCH (UID 1)", "FETCH"},
      {"1 FETCH", "FETCH"},
      {"5 UIDFETCH (FLAGS ())", "other"},
      {"5 EXISTSX", "other"},
      {"5 EXIST", "other"},
      {"5", "other"},
      {"5 ", "other"},
      {"5x EXISTS", "other"},
      {"5  EXISTS", "other"},
      {"EXISTS", "other"},
      {"FETCH (UID 1)", "other"},
      {"5 LIST () x", "other"},
      {"LISTX", "other"},
      {"ID NIL", "other"},
      {"XLIST () x", "other"},
      {"NAMESPACE NIL NIL NIL", "other"},
      {"5 OK x", "other"},
      {"OKAY", "other"},
  };
  for (const auto& [line, keyword] : lines) EXPECT_THAT(of_server("* " + line + "\r\n"), ElementsAre(keyword)) << line;
}

TEST(Data, IsNoStatusNoContinuationAndNothingWithoutItsEnd) {
  for (const char* text : {"* OK x\r\n", "+ 5 EXISTS\r\n", "x OK x\r\n", "* 5 EXISTS", "garbage\r\n", "\r\n",
                           "*  5 EXISTS\r\n", "*5 EXISTS\r\n"})
    EXPECT_THAT(of_server(text), IsEmpty()) << text;
}

TEST(Data, IsOneResponseWhateverItsLiterals) {
  EXPECT_THAT(of_server("* LIST () \"/\" {3}\r\na\nb\r\n* 1 FETCH (X {0}\r\n Y {2}\r\n* )\r\n"),
              ElementsAre("LIST", "FETCH"));
}

TEST(Messages, AreFetchedWholeOrInParts) {
  for (const char* item : {"BODY[]", "body[]", "BODY[] ", "BODY[1.2]", "BODY[TEXT]", "BODY[1.TEXT]", "BODY[]<0>",
                           "BODY[]<0> ", "BINARY[1] ~", "BINARY[1]<0> ~", "RFC822 ", "RFC822.TEXT ", "rfc822.text ",
                           "UID 5 RFC822 ", "BODY[HEADER] {1}\r\nx BODY[TEXT] ", "X[12{1]"})
    EXPECT_THAT(of_server(std::string("* 1 FETCH (") + item + "{3}\r\nabc)\r\n"), ElementsAre("FETCH", "fetched 1"))
        << item;
  EXPECT_THAT(of_server("* 1 FETCH (BODY[1] {1}\r\na BODY[2] {1}\r\nb)\r\n* 2 FETCH (BODY[] {1}\r\n))\r\n"),
              ElementsAre("FETCH", "fetched 1", "FETCH", "fetched 1"))
      << "once per response";
  EXPECT_THAT(of_server("* 1 FETCH (BODY[] {00000000000000000000000000000003}\r\nabc)\r\n"),
              ElementsAre("FETCH", "fetched 1"));
}

TEST(Messages, AreNotHeadersFieldsOrOtherStrings) {
  for (const char* item :
       {"BODY[HEADER] ", "BODY[header]<0> ", "BODY[1.MIME] ", "BODY[1.HEADER] ", "BODY[HEADER.FIELDS (TO)] ",
        "BODY[HEADER.FIELDS.NOT (A B)] ", "RFC822.HEADER ", "XRFC822 ", "RFC822X ", "BODY[]<5> ", "BODY[]<00> ",
        "ENVELOPE (", "PREVIEW ", "X-GM-LABELS (\"[Gmail]\" ", "BODY[]  ", "BODY[] NIL X "})
    EXPECT_THAT(of_server(std::string("* 1 FETCH (") + item + "{3}\r\nabc)\r\n"), ElementsAre("FETCH")) << item;
  EXPECT_THAT(of_server("* 1 FETCH (BODY[] {0}\r\n)\r\n"), ElementsAre("FETCH")) << "empty";
  EXPECT_THAT(of_server("* 1 FETCH (BODY[] \"abc\")\r\n"), ElementsAre("FETCH")) << "quoted";
  EXPECT_THAT(of_server("* 1 FETCH (BODY[] {3}\r\nab"), IsEmpty()) << "interrupted";
  EXPECT_THAT(of_server("* LIST () BODY[] {3}\r\nabc\r\n"), ElementsAre("LIST"));
}

std::vector<std::string> appending(const std::string& octets, const std::string& answer = "a OK x\r\n") {
  return heard(logged_in().client(octets).server(answer));
}

TEST(Messages, AreAppended) {
  EXPECT_THAT(appending("a APPEND x {3+}\r\nabc\r\n"), ElementsAre("appended 1"));
  EXPECT_THAT(appending("a append \"x {1}\" (\\Seen) \"date\" {3+}\r\nabc\r\n"), ElementsAre("appended 1"));
  EXPECT_THAT(appending("a APPEND {1+}\r\nx {3+}\r\nabc\r\n"), ElementsAre("appended 1")) << "the mailbox is a literal";
  EXPECT_THAT(appending("a APPEND {1+}\r\nx (\\Seen) ~{3+}\r\nabc\r\n"), ElementsAre("appended 1")) << "RFC 3516";
  EXPECT_THAT(appending("a APPEND x {1+}\r\na (\\Seen) {1+}\r\nb {1+}\r\nc\r\n"), ElementsAre("appended 3"))
      << "RFC 3502";
  EXPECT_THAT(appending("a APPEND x UTF8 (~{3+}\r\nabc)\r\n"), ElementsAre("appended 1")) << "RFC 9755";
  EXPECT_THAT(appending("a APPEND x CATENATE (TEXT {1+}\r\na URL \"/y\" TEXT {1+}\r\nb)\r\n"),
              ElementsAre("appended 1"))
      << "RFC 4469";
  EXPECT_THAT(appending("a APPEND x CATENATE (TEXT {1+}\r\na) CATENATE (TEXT {1+}\r\nb TEXT {1+}\r\nc)\r\n"),
              ElementsAre("appended 2"));
}

TEST(Messages, AreNotAppendedByWhatFails) {
  EXPECT_THAT(appending("a APPEND x {3+}\r\nabc\r\n", "a NO x\r\n"), IsEmpty());
  EXPECT_THAT(appending("a APPEND {3+}\r\nabc\r\n"), IsEmpty()) << "only a mailbox";
  EXPECT_THAT(appending("a APPEND x {0+}\r\n\r\n"), IsEmpty());
  EXPECT_THAT(appending("a APPEND x CATENATE (URL \"/y\")\r\n"), IsEmpty());
  EXPECT_THAT(appending("a REPLACE 5 x {3+}\r\nabc\r\n"), IsEmpty());
}

TEST(Messages, AreAppendedByPipelinedCommands) {
  EXPECT_THAT(heard(logged_in()
                        .client("a APPEND x {1+}\r\na {1+}\r\nb\r\nb NOOP\r\nc APPEND x {1+}\r\nc\r\n")
                        .server("c OK x\r\nb OK x\r\na OK x\r\n")),
              ElementsAre("appended 1", "appended 2"));
}

TEST(ProviderSignals, AreHiddenInTexts) {
  const std::vector<std::pair<std::string, std::string>> lines = {
      {"* BYE [ALERT] Too many simultaneous connections. (Failure)", "too_many_connections"},
      {"x NO [LIMIT] Maximum number of connections from user+IP exceeded", "too_many_connections"},
      {"* BYE Error: Too many connections", "too_many_connections"},
      {"x NO [OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)", "throttled"},
      {"x BAD Request is throttled. Suggested Backoff Time: 299961 milliseconds", "throttled"},
      {"x NO [THROTTLED] later", "throttled"},
      {"x NO [LIMIT] LOGIN Rate limit hit.", "throttled"},
      {"x NO [OVERQUOTA] full", "quota"},
      {"* NO [overquota]", "quota"},
      {"x NO Quota exceeded (mailbox for user is full)", "quota"},
  };
  for (const auto& [line, signal] : lines) EXPECT_THAT(of_server(line + "\r\n"), ElementsAre(signal)) << line;
}

TEST(ProviderSignals, AreNotInWhatIsNoRefusal) {
  for (const char* line :
       {"* OK [OVERQUOTA] quota throttled", "x OK throttled", "* QUOTA \"\" (STORAGE 1 2)", "+ throttled", "x NO no",
        "x NO [LIMIT] no", "x BAD User is authenticated but not connected."})
    for (const std::string& said : of_server(std::string(line) + "\r\n"))
      EXPECT_TRUE(said == "other") << line << ": " << said;
}

TEST(ProviderSignals, AreReadToTheirBound) {
  const std::string head = "x NO ";
  EXPECT_THAT(of_server(head + std::string(251, 'x') + "QUOTA\r\n"), ElementsAre("quota"));
  EXPECT_THAT(of_server(head + std::string(252, 'x') + "QUOTA\r\n"), IsEmpty());
}

TEST(ProviderSignals, ALoginThatSeemedToSucceed) {
  const std::string answer = "BAD User is authenticated but not connected.\r\n";
  EXPECT_THAT(heard(logged_in().client("a SELECT x\r\n").server("a " + answer)),
              ElementsAre("authenticated_not_connected"));
  EXPECT_THAT(heard(logged_in().client("a SELECT x\r\nb NOOP\r\n").server("a " + answer + "b " + answer)),
              ElementsAre("authenticated_not_connected"))
      << "the next command";
  EXPECT_THAT(heard(logged_in().client("a NOOP\r\nb NOOP\r\n").server("a OK x\r\nb " + answer)), IsEmpty());
  EXPECT_THAT(heard(greeted().client("a SELECT x\r\n").server("a " + answer)), IsEmpty());
}

}  // namespace
}  // namespace imapmeter::test
