#include "config/scalars.h"

#include <gtest/gtest.h>

namespace imapmeter::config {
namespace {

using namespace std::chrono_literals;

TEST(Scalars, UnsignedIsDecimalAndInRange) {
  EXPECT_EQ(parse_unsigned("0", 64), 0U);
  EXPECT_EQ(parse_unsigned("64", 64), 64U);
  for (const char* text :
       {"65", "", "-1", "+1", " 1", "1 ", "1.0", "0x10", "one", "4294967296", "99999999999999999999"}) {
    EXPECT_EQ(parse_unsigned(text, 64), std::nullopt) << text;
  }
  EXPECT_EQ(parse_unsigned("0143", 65535), std::nullopt);  // octal to YAML 1.1, decimal to YAML 1.2
}

TEST(Scalars, DurationsHaveAUnit) {
  EXPECT_EQ(parse_duration("500ms"), 500ms);
  EXPECT_EQ(parse_duration("10s"), 10s);
  EXPECT_EQ(parse_duration("30min"), 30min);
  EXPECT_EQ(parse_duration("2h"), 2h);
  EXPECT_EQ(parse_duration("0s"), 0ms);
  for (const char* text : {"10", "s", "", "10 s", "1.5s", "-1s", "10S", "10m", "1h30min", "10000000000h", "010s"}) {
    EXPECT_EQ(parse_duration(text), std::nullopt) << text;
  }
}

TEST(Scalars, DurationsPrintAsTheyParse) {
  for (const char* text : {"1ms", "1500ms", "10s", "90s", "30min", "90min", "2h", "168h"}) {
    EXPECT_EQ(to_string(*parse_duration(text)), text);
  }
  EXPECT_EQ(to_string(120s), "2min");
  EXPECT_EQ(to_string(0ms), "0ms");
}

TEST(Scalars, Urls) {
  for (const char* text :
       {"imaps://127.0.0.1:993", "imap://mail.example.org:143", "imaps://[::1]:0", "imap://a_b:65535"}) {
    ASSERT_TRUE(parse_url(text)) << text;
    EXPECT_EQ(to_string(*parse_url(text)), text);
  }
  EXPECT_EQ(parse_url("imaps://h:1")->tls, Tls::implicit);
  EXPECT_EQ(parse_url("imap://h:1")->tls, Tls::none);
  EXPECT_EQ(parse_url("imap+starttls://h:1")->tls, Tls::starttls);
  EXPECT_EQ(parse_url("imaps://[::1]:993")->address, (Address{"::1", 993}));
  for (const char* text : {"",
                           "imaps://",
                           "h:1",
                           "imaps:/h:1",
                           "IMAPS://h:1",
                           "pop3://h:1",
                           "imaps://h",
                           "imaps://h:",
                           "imaps://:1",
                           "imaps://h:1/",
                           "imaps://h:65536",
                           "imaps://h:0143",
                           "imaps://h:-1",
                           "imaps://u@h:1",
                           "imaps://h h:1",
                           "imaps://::1:993",
                           "imaps://[::1:993",
                           "imaps://[h]:1",
                           "imaps://[]:1",
                           "imaps://127.0.0.256:1",
                           "imaps://1.2.3:1",
                           "imaps://\xc3\xa9:1",
                           "imaps://h:1 "}) {
    EXPECT_FALSE(parse_url(text)) << text;
  }
}

TEST(Scalars, Addresses) {
  EXPECT_EQ(parse_address("127.0.0.1:19143"), (Address{"127.0.0.1", 19143}));
  EXPECT_EQ(to_string(Address{"2001:db8::1", 993}), "[2001:db8::1]:993");
  EXPECT_FALSE(parse_address("19143"));
}

TEST(Scalars, Loopback) {
  for (const char* host : {"127.0.0.1", "127.255.0.1", "::1", "localhost"}) EXPECT_TRUE(is_loopback(host)) << host;
  for (const char* host :
       {"128.0.0.1", "0.0.0.0", "::", "::2", "127.example.org", "localhost.example.org", "127.0.0.1.example.org", ""}) {
    EXPECT_FALSE(is_loopback(host)) << host;
  }
}

TEST(Scalars, UnixSockets) {
  const auto url = parse_url("imap://unix:/run/imap");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->address, (Address{.path = "/run/imap"}));
  EXPECT_EQ(to_string(*url), "imap://unix:/run/imap");
  EXPECT_TRUE(is_loopback(url->address));
  EXPECT_TRUE(parse_url("imaps://unix:/" + std::string(106, 'a')));
  EXPECT_FALSE(parse_url("imaps://unix:/" + std::string(107, 'a')));
  EXPECT_FALSE(parse_url("imap://unix:run/imap"));
}

TEST(Scalars, NetworksPrintAsTheyParse) {
  for (const char* text : {"10.0.0.0/8", "0.0.0.0/0", "192.0.2.1/32", "2001:db8::/32", "::/0", "::1/128"}) {
    const auto network = parse_network(text);
    ASSERT_TRUE(network) << text;
    EXPECT_EQ(to_string(*network), text);
  }
  EXPECT_EQ(parse_network("192.0.2.1"), parse_network("192.0.2.1/32"));
  for (const char* text : {"", "/8", "10.0.0.0/33", "10.0.0.1/8", "::1/127", "::/129", "10.0.0.0/", "h/8", "10.0/8"})
    EXPECT_FALSE(parse_network(text)) << text;
}

TEST(Scalars, SizesPrintAsTheyParse) {
  for (const char* text : {"0", "1", "1KiB", "1536KiB", "256MiB", "3GiB"})
    EXPECT_EQ(size_to_string(*parse_size(text)), text);
  EXPECT_EQ(parse_size("1GiB"), std::uint64_t{1} << 30);
  for (const char* text : {"", "1MB", "1 MiB", "-1", "1.5GiB", "MiB", "01"}) EXPECT_FALSE(parse_size(text)) << text;
}

TEST(Scalars, Switches) {
  EXPECT_EQ(parse_on_off("on"), true);
  EXPECT_EQ(parse_on_off("off"), false);
  for (const char* text : {"true", "false", "yes", ""}) EXPECT_FALSE(parse_on_off(text)) << text;
  EXPECT_EQ(parse_duration_or_none("none"), std::chrono::milliseconds(0));
  EXPECT_EQ(parse_duration_or_none("2s"), std::chrono::milliseconds(2000));
}

TEST(Scalars, TruthIsSpeltOneWay) {
  EXPECT_EQ(parse_bool("true"), true);
  EXPECT_EQ(parse_bool("false"), false);
  for (const char* text : {"yes", "no", "on", "off", "True", "FALSE", "1", ""})
    EXPECT_EQ(parse_bool(text), std::nullopt) << text;
}

TEST(Scalars, SelfSigned) {
  EXPECT_TRUE(parse_self_signed("true")->on);
  EXPECT_FALSE(parse_self_signed("false")->on);
  EXPECT_EQ(parse_self_signed("/var/lib/imapmeter")->dir, "/var/lib/imapmeter");
  for (const char* text : {"yes", "no", "on", "off", "True", ""}) EXPECT_FALSE(parse_self_signed(text)) << text;
}

TEST(Scalars, EnumsPrintAsTheyParse) {
  for (const char* text : {"auto", "pass"}) EXPECT_EQ(name(*parse_capabilities(text)), text);
  for (const char* text : {"trace", "debug", "info", "warn", "error", "off"})
    EXPECT_EQ(name(*parse_log_level(text)), text);
  for (const char* text : {"least_sessions", "failover"}) EXPECT_EQ(name(*parse_balance(text)), text);
  for (const char* text : {"off", "truncated", "hashed", "clear"}) EXPECT_EQ(name(*parse_client_address(text)), text);
  EXPECT_EQ(parse_capabilities("auto"), Capabilities::auto_);
  EXPECT_EQ(parse_log_level("off"), LogLevel::off);
  EXPECT_FALSE(parse_capabilities("Auto"));
  EXPECT_FALSE(parse_log_level("warning"));
}

TEST(Scalars, AMismatchIsOnePrintableLine) {
  const std::string text = mismatch("x", "a\nb\x1b[1m\r" + std::string(1000, 'z'));
  EXPECT_EQ(text.find_first_of("\n\r\x1b"), std::string::npos);
  EXPECT_LT(text.size(), 120U);
  EXPECT_EQ(mismatch("true or false", "yes"), "expected true or false, got \"yes\"");
}

}  // namespace
}  // namespace imapmeter::config
