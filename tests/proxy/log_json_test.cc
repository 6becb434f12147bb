#include "proxy/log_json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace imapmeter::proxy {
namespace {

std::string parsed(const std::string& escaped) {
  return nlohmann::json::parse("\"" + escaped + "\"").get<std::string>();
}

bool one_line(std::string_view text) {
  for (const char c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
  return text.find("\xc2\x85") == text.npos && text.find("\xe2\x80\xa8") == text.npos &&
         text.find("\xe2\x80\xa9") == text.npos;
}

TEST(LogJson, B13_EveryOctetBesideEveryOtherGivesOneLineOfValidJson) {
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      const std::string text = {'a', static_cast<char>(first), static_cast<char>(second), 'z'};
      const std::string escaped = json_escape(text);
      ASSERT_TRUE(one_line(escaped)) << first << " " << second;
      const std::string read = parsed(escaped);  // throws where it is no JSON or no UTF-8
      if (first < 0x80 && second < 0x80) {
        ASSERT_EQ(read, text);
      }
    }
  }
}

TEST(LogJson, TextStaysReadable) {
  EXPECT_EQ(json_escape("upstream mail: 127.0.0.1:143"), "upstream mail: 127.0.0.1:143");
  EXPECT_EQ(json_escape("gr\u00f6\u00dfe \u20ac \U0001f4e7"), "gr\u00f6\u00dfe \u20ac \U0001f4e7");
  EXPECT_EQ(json_escape(""), "");
}

TEST(LogJson, WhatIsEscaped) {
  EXPECT_EQ(json_escape(R"("\)"), R"(\"\\)");
  EXPECT_EQ(json_escape(std::string_view("\0\r\n\x1b\x7f", 5)), R"(\u0000\u000d\u000a\u001b\u007f)");
  EXPECT_EQ(json_escape("\u0085\u2028\u2029"), R"(\u0085\u2028\u2029)") << "line ends to some readers";
}

// Shortest form, no surrogates, nothing above U+10FFFF, nothing cut short.
TEST(LogJson, WhatIsNoUtf8IsReplacedOctetByOctet) {
  const std::string bad = R"(\ufffd)";
  EXPECT_EQ(json_escape("\xff"), bad);
  EXPECT_EQ(json_escape("\xc0\x80"), bad + bad);
  EXPECT_EQ(json_escape("\xe0\x80\x80"), bad + bad + bad);
  EXPECT_EQ(json_escape("\xed\xa0\x80"), bad + bad + bad);
  EXPECT_EQ(json_escape("\xf4\x90\x80\x80"), bad + bad + bad + bad);
  EXPECT_EQ(json_escape("a\xe2\x82"), "a" + bad + bad) << "cut off";
  EXPECT_EQ(json_escape("\xe2\x82z"), bad + bad + "z");
  EXPECT_EQ(json_escape("\xf0\x8f\xbf\xbf"), bad + bad + bad + bad);
}

}  // namespace
}  // namespace imapmeter::proxy
