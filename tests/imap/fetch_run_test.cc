// FETCH responses that are read together tell what they tell one by one.
#include "proxy/imap/fetch_run.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/imap/hearing.h"

namespace imapmeter::test {
namespace {

imap::FetchRun run_of(const std::string& octets) { return imap::FetchReader(octets).take(octets); }

const std::string plain = "* 7 FETCH (UID 9 FLAGS (\\Seen))\r\n";

TEST(FetchRun, TakesWhatTellsNothingElse) {
  for (const char* text : {"* 4294967295 FETCH (UID 1)\r\n", "* 1 FETCH \r\n", "* 1 FETCH (X {3}\r\nabc)\r\n",
                           "* 1 FETCH (X {0}\r\n Y \"a\\\"b{5}\" {4}\r\n\r\n\r\n)\r\n", "* 1 FETCH (X \"}\"})x\r\n"}) {
    const std::string response = text;
    const imap::FetchRun run = run_of(plain + response + plain);
    EXPECT_EQ(run.responses, 3U) << response;
    EXPECT_EQ(run.taken, 2 * plain.size() + response.size()) << response;
  }
  const imap::FetchRun run = run_of("* 1 FETCH (X {3}\r\nabc Y {2}\r\nab)\r\n* 1 FETCH (Z)\r\n");
  EXPECT_EQ(run.responses, 2U);
  EXPECT_EQ(run.literals, 5U);
  EXPECT_EQ(run.octets, 17U + 7U + 2U + 1U + 15U) << "as the scanner counts: of the parts only the last has its LF";
  EXPECT_EQ(run.announced, 2U);
  EXPECT_EQ(run_of(plain).announced, 0U);
}

TEST(FetchRun, EndsInFrontOfWhatTheScannerHasToSee) {
  for (const std::string& response : {
           std::string("* 1 FETCH (UID 1)\n"),            // bare LF
           std::string("* 1 FETCH (X\0)\r\n", 16),        // NUL
           std::string("* 1 FETCH (X \0\n)\r\n", 18),     // NUL
           std::string("* 1 FETCH (X {3+}\r\nabc)\r\n"),  // `+`
           std::string("* 1 FETCH (X }\r\n"),             // no marker
           std::string("* 1 FETCH (X {}\r\n"),
           std::string("* 1 FETCH (X {1234567890}\r\n"),
           std::string("* 1 FETCH (X {3}\nabc)\r\n"),
           std::string("* 1 FETCH (X {3}\r\nabcd)\r\n"),     // misfit
           std::string("* 1 FETCH (X {3}\r\nabc\r\n)\r\n"),  // may be one
           std::string("* 1 FETCH (X \"a {3}\r\nabc)\r\n"),  // a quote is open
           std::string("* 12345678901 FETCH (UID 1)\r\n"),
           std::string("* 1 fetch (UID 1)\r\n"),
           std::string("* 1 FETCHED (UID 1)\r\n"),
           std::string("* 1 FETCH\r\n"),
           std::string("*  1 FETCH (UID 1)\r\n"),
           std::string("* FETCH (UID 1)\r\n"),
           std::string("* OK x\r\n"),
           std::string("a OK x\r\n"),
           std::string("\r\n"),
       }) {
    const imap::FetchRun run = run_of(plain + response + plain);
    EXPECT_EQ(run.taken, plain.size()) << response;
    EXPECT_EQ(run.responses, 1U) << response;
  }
  const std::string whole = plain + "* 1 FETCH (X {3}\r\nabc)\r\n";
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_EQ(run_of(whole.substr(0, size)).taken, size < plain.size() ? 0 : plain.size()) << size;
}

TEST(FetchRun, EndsWithAMessageAndWhereItIsLong) {
  const std::string message = "* 1 FETCH (BODY[] {3}\r\nabc)\r\n";
  const imap::FetchRun run = run_of(plain + message + plain);
  EXPECT_EQ(run.responses, 2U);
  EXPECT_TRUE(run.message);
  std::string many;
  for (int i = 0; i < 300; ++i) many += plain;
  EXPECT_EQ(run_of(many).responses, imap::FetchRun::most_responses);
}

// Nothing is heard that is not heard when they come octet by octet, and nothing less.
TEST(FetchRun, TellsWhatTheScannerTells) {
  std::string many;
  for (int i = 0; i < 20; ++i) {
    many += plain + "* 1 FETCH (X {3}\r\nabc Y \"}\" {2}\r\n\n\n)\r\n" + plain + "* 1 FETCH (BODY[] {2}\r\nab)\r\n";
    many += i % 3 == 0 ? "* 2 EXISTS\r\n" : "* 1 FETCH (X {1+}\r\na)\r\n";
    many += i % 5 == 0 ? "* 1 FETCH (\n" : "* 1 FETCH (Y {0}\r\n)\r\n";
  }
  const Heard heard = hear(logged_in().client("a FETCH 1:* X\r\n").server(many + "a OK x\r\n"));
  EXPECT_EQ(std::count(heard.data.begin(), heard.data.end(), "FETCH"), 20 * 6 - 7);
  EXPECT_EQ(std::count(heard.data.begin(), heard.data.end(), "fetched 1"), 20);
}

}  // namespace
}  // namespace imapmeter::test
