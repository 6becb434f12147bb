// Which program a client says it is. docs/session-log.md, "Programs"; RFC 2971.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>
#include <string>

#include "tests/imap/hearing.h"

namespace imapmeter::test {
namespace {

// Says it, at every split, before anyone has logged in.
std::string software(const std::string& commands) {
  return std::string(name(hear(greeted().client(commands)).client_software));
}

std::string named(const std::string& value) { return software("a ID (\"name\" \"" + value + "\")\r\n"); }

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

// The table of the document: the word of the log -> names.
std::multimap<std::string, std::string> documented() {
  std::ifstream file(IMAPMETER_SOURCE_DIR "/docs/session-log.md");
  std::multimap<std::string, std::string> found;
  bool inside = false;
  const std::regex word("`([^`]+)`");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("#")) inside = line == "### Programs";
    if (!inside || !line.starts_with("| `")) continue;
    const std::size_t middle = line.find(" | ");
    const std::string left = line.substr(0, middle);
    const std::string right = line.substr(middle);
    for (std::sregex_iterator label(left.begin(), left.end(), word); label != std::sregex_iterator(); ++label) {
      if (right.find('`') == std::string::npos) found.emplace((*label)[1], (*label)[1]);
      for (std::sregex_iterator each(right.begin(), right.end(), word); each != std::sregex_iterator(); ++each)
        if ((*each)[1] != "name") found.emplace((*label)[1], (*each)[1]);
    }
  }
  return found;
}

TEST(ClientSoftware, EveryDocumentedNameAndNoneThatIsLonger) {
  const auto table = documented();
  for (std::size_t i = 2; i < imap::client_software_count; ++i)
    EXPECT_TRUE(table.contains(std::string(name(static_cast<imap::ClientSoftware>(i))))) << i;
  for (const auto& [label, written] : table) {
    if (label == "client_software") continue;
    for (const std::string& value : {written, lower(written), written + " 1.0", written + "/2", written + "_x"})
      EXPECT_EQ(named(value), label) << value;
    for (const std::string& value : {written + "x", written + "9", written + "\xc3\xa9"})
      EXPECT_NE(named(value), label) << value;
    for (const std::string& value : {"x" + written, " " + written}) EXPECT_EQ(named(value), "other") << value;
  }
}

TEST(ClientSoftware, TheLongestWordWins) {
  EXPECT_EQ(named("Outlook-iOS/2.0"), "outlook_mobile");
  EXPECT_EQ(named("Outlook-iOSx"), "outlook");
  EXPECT_EQ(named("Sparky"), "other");
  EXPECT_EQ(named("Outlook for Windows"), "outlook");
  EXPECT_EQ(named("com.apple.mail"), "apple_mail_macos");
  EXPECT_EQ(named("com.apple.email.maild"), "apple_mail_ios");
  EXPECT_EQ(named("com.apple"), "other");
}

TEST(ClientSoftware, NoneWithoutAnId) {
  EXPECT_EQ(software("a NOOP\r\nb LOGIN \"name\" \"Spark\"\r\nID (\"name\" \"Spark\")\r\n"), "none");
  EXPECT_EQ(software("a IDX (\"name\" \"Spark\")\r\n"), "none");
  EXPECT_EQ(software("a AUTHENTICATE PLAIN\r\nb ID (\"name\" \"Spark\")\r\n"), "none") << "a SASL line";
}

TEST(ClientSoftware, OtherWithoutAName) {
  for (const char* arguments : {"", " NIL", " ()", " (\"name\" NIL)", " (\"os\" \"Spark\")", " (\"NAMES\" \"Spark\")",
                                " (\"nam\" \"Spark\")", " (\"os\" \"name\" \"Spark\" \"x\")", " (\"name\" Spark)",
                                " (name \"Spark\")", " (\"name\" \"\")", " (\"name\""})
    EXPECT_EQ(software("a ID" + std::string(arguments) + "\r\n"), "other") << arguments;
}

TEST(ClientSoftware, TheFirstNameDecides) {
  EXPECT_EQ(software("a ID (\"version\" \"21B101\" \"os\" \"iOS\" \"name\" \"iPhone Mail\" \"os-version\" \"17\")\r\n"),
            "apple_mail_ios");
  EXPECT_EQ(software("a id (\"NaMe\" \"Spark\" \"name\" \"Outlook\")\r\n"), "spark");
  EXPECT_EQ(software("a ID (\"name\" \"Spark\")\r\nb ID (\"name\" \"Outlook\")\r\n"), "spark");
  EXPECT_EQ(software("a ID (\"name\" \"nobody\")\r\nb ID (\"name\" \"Outlook\")\r\n"), "other");
  EXPECT_EQ(software("a ID NIL\r\nb ID (\"name\" NIL \"name\" \"Outlook\")\r\n"), "outlook");
  EXPECT_EQ(software("a ID (\"a\" NIL \"b\" \"\" \"name\" \"Spark\")\r\n"), "spark") << "an empty value is one";
}

TEST(ClientSoftware, EscapesAreTakenOff) {
  EXPECT_EQ(named("Sp\\ark"), "spark");
  EXPECT_EQ(named("Spark\\\" 1"), "spark");
  EXPECT_EQ(named("Spark\\\\"), "spark");
  EXPECT_EQ(software("a ID (\"os\" \"a\\\"b\" \"name\" \"Spark\")\r\n"), "spark");
}

TEST(ClientSoftware, Literals) {
  EXPECT_EQ(software("a ID ({4+}\r\nname {5+}\r\nSpark)\r\n"), "spark");
  EXPECT_EQ(software("a ID ({4+}\r\nname {7+}\r\nSpark 1)\r\n"), "spark");
  EXPECT_EQ(software("a ID ({4+}\r\nname {6+}\r\nSparky)\r\n"), "other");
  EXPECT_EQ(software("a ID ({0+}\r\n {0+}\r\n \"name\" {5+}\r\nSpark)\r\n"), "spark");
  EXPECT_EQ(software("a ID (\"os\" {6+}\r\n\"na\r\n\" \"name\" {5+}\r\nSpark)\r\n"), "spark")
      << "octets are only octets";
  EXPECT_EQ(software("a ID (\"name\" {7+}\r\nOutlook {9+}\r\n x y z a )\r\n"), "outlook");
  EXPECT_EQ(software("a ID (\"name\" {0+}\r\n)\r\nb ID (\"name\" \"Spark\")\r\n"), "other") << "an empty name is one";
}

TEST(ClientSoftware, SynchronizingLiterals) {
  const auto answered = [](const std::string& answer, const std::string& then) {
    return std::string(
        name(hear(greeted().client("a ID (\"name\" {5}\r\n").server(answer).client(then)).client_software));
  };
  EXPECT_EQ(answered("+ go\r\n", "Spark)\r\n"), "spark");
  EXPECT_EQ(answered("a BAD no\r\n", "Spark)\r\n"), "other");
  EXPECT_EQ(answered("a BAD no\r\n", "b ID (\"name\" \"Outlook\")\r\n"), "outlook");
}

TEST(ClientSoftware, MalformedIsNoName) {
  EXPECT_EQ(software("a ID (\"name\" \"Spark\r\n\"b NOOP \"name\" \"Outlook\")\r\n"), "other");
  EXPECT_EQ(software("a ID (\"name\" \"x{5+}\r\nSpark\")\r\n"), "other") << "a literal in an open quote";
  EXPECT_EQ(software("a ID (\"name\" {5\r\nb ID (\"name\" \"Spark\")\r\n"), "spark") << "no marker: the line has ended";
  EXPECT_EQ(software("a ID (\"name\" ~{5+}\r\nSpark)\r\n"), "other") << "a literal8 is no string";
  EXPECT_EQ(software("a ID \"name\" \"Spark\"\r\n"), "spark") << "without parentheses, as some write";
}

TEST(ClientSoftware, NotReadWhereNothingIsRead) {
  EXPECT_EQ(std::string(name(hear(Conversation()
                                      .server("* OK \x01" + std::string(1, '\0') + "\r\n")
                                      .client("a ID (\"name\" \"Spark\")\r\n"))
                                 .client_software)),
            "none");
}

TEST(ClientSoftware, WhateverElseIsInAnId) {
  std::string all;
  for (int c = 1; c < 256; ++c)
    if (c != '"' && c != '\\' && c != '\r' && c != '\n') all += static_cast<char>(c);
  EXPECT_EQ(software("a ID (\"x\" \"" + all + "\" \"name\" \"Spark\")\r\n"), "spark");
  EXPECT_EQ(named(all), "other");
  EXPECT_EQ(named(std::string(300, 'x')), "other");
  EXPECT_EQ(named("Spark " + std::string(300, 'x')), "spark");
}

}  // namespace
}  // namespace imapmeter::test
