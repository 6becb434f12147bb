// Data responses that are read together tell what they tell one by one.
#include "proxy/imap/data_run.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <string_view>

#include "tests/imap/hearing.h"

namespace imapmeter::test {
namespace {

imap::DataRun run_of(const std::string& octets) { return imap::DataReader(octets).take(octets); }

std::string joined(std::initializer_list<std::string_view> parts) {
  std::string all;
  for (const std::string_view part : parts) all += part;
  return all;
}

const std::string plain = "* 7 FETCH (UID 9 FLAGS (\\Seen))\r\n";

TEST(DataRun, TakesWhatTellsNothingElse) {
  for (const char* text : {"* 4294967295 FETCH (UID 1)\r\n", "* 1 FETCH \r\n", "* 1 FETCH (X {3}\r\nabc)\r\n",
                           "* 1 FETCH (X {0}\r\n Y \"a\\\"b{5}\" {4}\r\n\r\n\r\n)\r\n", "* 1 FETCH (X \"}\"})x\r\n",
                           "* 1 FETCH (X ({1}\r\na) Y)\r\n", "* 1 FETCH (X ({1}\r\na)\r)\r\n"}) {
    const std::string response = text;
    const imap::DataRun run = run_of(joined({plain, response, plain}));
    EXPECT_EQ(run.responses, 3U) << response;
    EXPECT_EQ(run.taken, 2 * plain.size() + response.size()) << response;
  }
  const imap::DataRun run = run_of("* 1 FETCH (X {3}\r\nabc Y {2}\r\nab)\r\n* 1 FETCH (Z)\r\n");
  EXPECT_EQ(run.responses, 2U);
  EXPECT_EQ(run.literals, 5U);
  EXPECT_EQ(run.octets, 17U + 7U + 2U + 1U + 15U) << "as the scanner counts: of the parts only the last has its LF";
  EXPECT_EQ(run.announced, 2U);
  EXPECT_EQ(run_of(plain).announced, 0U);
}

TEST(DataRun, EndsInFrontOfWhatTheScannerHasToSee) {
  for (const std::string& response : {
           std::string("* 1 FETCH (UID 1)\n"),            // bare LF
           std::string("* 1 FETCH (X\0)\r\n", 16),        // NUL
           std::string("* 1 FETCH (X \0\n)\r\n", 18),     // NUL
           std::string("* 1 FETCH (X {3+}\r\nabc)\r\n"),  // `+`
           std::string("* 1 FETCH (X }\r\n"),             // no marker
           std::string("* 1 FETCH (X {}\r\n"),
           std::string("* 1 FETCH (X {1234567890}\r\n"),
           std::string("* 1 FETCH (X {3}\nabc)\r\n"),
           std::string("* 1 FETCH (X {3}\r\nabcd)\r\n"),          // misfit
           std::string("* 1 FETCH (X {3}\r\nabc\r\n)\r\n"),       // may be one
           std::string("* 1 FETCH (X \"a {3}\r\nabc)\r\n"),       // a quote is open
           std::string("* 1 FETCH (X \"a\" \" {3}\r\nabc)\r\n"),  // the second one
           std::string("* 1 FETCH (X \"a\\\" {3}\r\nabc)\r\n"),   // behind an escape
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
    const imap::DataRun run = run_of(joined({plain, response, plain}));
    EXPECT_EQ(run.taken, plain.size()) << response;
    EXPECT_EQ(run.responses, 1U) << response;
  }
  const std::string whole = plain + "* 1 FETCH (X {3}\r\nabc)\r\n";
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_EQ(run_of(whole.substr(0, size)).taken, size < plain.size() ? 0 : plain.size()) << size;
}

TEST(DataRun, TakesNumbersOfOneKeyword) {
  for (const std::string keyword : {"EXISTS", "EXPUNGE", "RECENT"}) {
    const std::string line = joined({"* 17 ", keyword, "\r\n"});
    imap::DataRun run = run_of(joined({line, line, plain}));
    EXPECT_EQ(run.taken, 2 * line.size()) << keyword;
    EXPECT_EQ(run.responses, 2U) << keyword;
    EXPECT_EQ(name(run.keyword), keyword);
    EXPECT_EQ(run.octets, 2 * line.size()) << keyword;
    run = run_of(joined({plain, line}));
    EXPECT_EQ(run.taken, plain.size()) << keyword;
    for (const std::string odd : {" \r\n", "\n", "\r\r\n", "S\r\n", "\r"})
      EXPECT_EQ(run_of(joined({"* 17 ", keyword, odd, plain})).taken, 0U) << keyword << odd;
  }
}

TEST(DataRun, TakesPartsBehindALiteral) {
  const auto parts_of = [](const std::string& octets) { return imap::DataReader(octets).take_parts(octets); };
  const std::string parts = " Y {0}\r\n BODY[1] {3}\r\nabc Z {2}\r\nab";
  for (const std::string rest :
       {"", ")\r\n", " {3}\r\nab", "x {0}\r\n", " \"a {0}\r\n", " {1+}\r\na", " {0}\n ", " "}) {
    const imap::DataRun run = parts_of(joined({parts, rest}));
    EXPECT_EQ(run.taken, parts.size()) << rest;
    EXPECT_EQ(run.announced, 3U) << rest;
    EXPECT_EQ(run.literals, 5U) << rest;
    EXPECT_EQ(run.octets, parts.size() - 5 - 3) << rest;
    EXPECT_TRUE(run.message) << rest;
    EXPECT_EQ(run.responses, 0U) << rest;
  }
  EXPECT_FALSE(parts_of(" BODY[HEADER] {3}\r\nabc").message);
  EXPECT_FALSE(parts_of(" BODY[] {0}\r\n").message);
}

TEST(DataRun, EndsWithAMessageAndWhereItIsLong) {
  const std::string message = "* 1 FETCH (BODY[] {3}\r\nabc)\r\n";
  const imap::DataRun run = run_of(plain + message + plain);
  EXPECT_EQ(run.responses, 2U);
  EXPECT_TRUE(run.message);
  std::string many;
  for (int i = 0; i < 300; ++i) many += plain;
  EXPECT_EQ(run_of(many).responses, imap::DataRun::most_responses);
}

// Nothing is heard that is not heard when they come octet by octet, and nothing less.
TEST(DataRun, TellsWhatTheScannerTells) {
  std::string many;
  for (int i = 0; i < 20; ++i) {
    many +=
        joined({plain, "* 1 FETCH (X {3}\r\nabc Y \"}\" {2}\r\n\n\n)\r\n", plain, "* 1 FETCH (BODY[] {2}\r\nab)\r\n"});
    many += i % 3 == 0 ? "* 2 EXISTS\r\n" : "* 1 FETCH (X {1+}\r\na)\r\n";
    many += "* 1 FETCH (A {0}\r\n B {2}\r\nab C {0}\r\n D {1+}\r\nx BODY[2] {1}\r\ny E {3}\r\nabc)\r\n";
    many += "* 1 FETCH (X \"a\\\\\" \"\\\"\" \\Z {1}\r\nx \"b\" {2}\r\n\"a)\r\n";
    many += i % 5 == 0 ? "* 1 FETCH (\n" : "* 1 FETCH (Y {0}\r\n)\r\n";
  }
  const Heard heard = hear(logged_in().client("a FETCH 1:* X\r\n").server(many + "a OK x\r\n"));
  EXPECT_EQ(std::count(heard.data.begin(), heard.data.end(), "FETCH"), 20 * 8 - 7);
  EXPECT_EQ(std::count(heard.data.begin(), heard.data.end(), "fetched 1"), 40);
}

}  // namespace
}  // namespace imapmeter::test
