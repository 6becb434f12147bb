#include "proxy/proxy_protocol.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace imapmeter::proxy {
namespace {

using namespace std::string_literals;
using Status = ProxyHeader::Status;

const std::string signature = "\r\n\r\n\0\r\nQUIT\n"s;
const std::string ipv4_addresses = "\xc0\0\2\1\xc6\x33\x64\2\x04\xd2\x03\xe1"s;  // 192.0.2.1:1234, 198.51.100.2:993
const std::string ipv6_addresses =
    "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2\x04\xd2\x03\xe1"s;

std::string v2(unsigned char command, unsigned char family, const std::string& block) {
  return signature + static_cast<char>(command) + static_cast<char>(family) + static_cast<char>(block.size() >> 8U) +
         static_cast<char>(block.size() & 0xffU) + block;
}

ProxyHeader parse(const std::string& octets) { return parse_proxy_header(octets); }

std::string shown(const ProxyHeader& header) {
  if (header.status == Status::malformed) return "malformed";
  if (header.status == Status::need_more) return "need more";
  return header.proxied ? to_string(header.source) + " to " + to_string(header.destination) : "the connection's own";
}

struct Example {
  std::string header;
  std::string shown;
};

// Complete headers, alone and before what belongs to TLS or IMAP; every shorter beginning needs more.
const std::vector<Example> good = {
    {"PROXY TCP4 192.0.2.1 198.51.100.2 1234 993\r\n", "192.0.2.1:1234 to 198.51.100.2:993"},
    {"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255:65535 to 255.255.255.255:65535"},
    {"PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", "0.0.0.0:0 to 0.0.0.0:0"},
    {"PROXY TCP6 2001:db8::1 2001:DB8::2 1234 993\r\n", "[2001:db8::1]:1234 to [2001:db8::2]:993"},
    {"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
     "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535 to [ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
    {"PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n", "192.0.2.1:1 to [::1]:2"},
    {"PROXY UNKNOWN\r\n", "the connection's own"},
    {"PROXY UNKNOWN whatever \r\r it says\r\n", "the connection's own"},
    {"PROXY UNKNOWN " + std::string(longest_proxy_header_v1 - 16, 'x') + "\r\n", "the connection's own"},
    {v2(0x21, 0x11, ipv4_addresses), "192.0.2.1:1234 to 198.51.100.2:993"},
    {v2(0x21, 0x21, ipv6_addresses), "[2001:db8::1]:1234 to [2001:db8::2]:993"},
    {v2(0x21, 0x11, ipv4_addresses + "\x04\0\3pad\xe0\0\0"s), "192.0.2.1:1234 to 198.51.100.2:993"},
    {v2(0x21, 0x11, ipv4_addresses + std::string(2036, '\xff')), "192.0.2.1:1234 to 198.51.100.2:993"},
    {v2(0x20, 0x00, ""), "the connection's own"},
    {v2(0x20, 0x11, ipv4_addresses), "the connection's own"},
    {v2(0x20, 0xff, "whatever"), "the connection's own"},
    {v2(0x21, 0x00, ""), "the connection's own"},
    {v2(0x21, 0x00, "skipped"), "the connection's own"},
    {v2(0x21, 0x12, ipv4_addresses), "the connection's own"},
    {v2(0x21, 0x10, ipv4_addresses), "the connection's own"},
    {v2(0x21, 0x22, ipv6_addresses), "the connection's own"},
    {v2(0x21, 0x31, std::string(216, '/')), "the connection's own"},
};

TEST(ProxyProtocol, ReadsBothVersionsAtEverySplit) {
  for (const Example& each : good) {
    SCOPED_TRACE(testing::PrintToString(each.header));
    for (std::size_t size = 0; size < each.header.size(); ++size)
      ASSERT_EQ(shown(parse(each.header.substr(0, size))), "need more") << size;
    for (const std::string& after : {""s, "\x16\3\1"s, "a LOGIN u p\r\n"s, each.header}) {
      const ProxyHeader header = parse(each.header + after);
      EXPECT_EQ(shown(header), each.shown);
      EXPECT_EQ(header.octets, each.header.size());
    }
  }
}

// Each is malformed with its last octet, and before it still the beginning of a header.
TEST(ProxyProtocol, IsMalformedAtTheFirstOctetThatDiffers) {
  const std::vector<std::string> bad = {
      "\x16",     // TLS
      "a",        // IMAP
      "*",        //
      "\n",       //
      "\0"s,      //
      "PA",       //
      "PROXX",    //
      "PROXY\r",  //
      "PROXY\t",  //
      "proxy"s.substr(0, 1),
      "\r\r",
      "\r\n\r\n\1"s,
      "\r\n\r\n\0\r\nQUIT\r"s,
      signature + "\x11",  // version 1 in the form of 2
      signature + "\x31",
      signature + "\x01",
      signature + "\x22",  // a command that nobody has defined
      signature + "\x2f",
      signature + "\x21\x41",  // a family, a transport that nobody has defined
      signature + "\x21\x13",
      signature + "\x21\xf1",
      signature + "\x21\x11\0\x0b"s,  // no room for the addresses
      signature + "\x21\x21\0\x23"s,
      signature + "\x21\x12\0\x0b"s,
      signature + "\x21\x31\0\xd7"s,
      signature + "\x21\x11\x08\x01"s,  // beyond the limit
      signature + "\x20\x00\xff\xff"s,
      "PROXY UNKNOWN " + std::string(longest_proxy_header_v1 - 14, 'x'),
      "PROXY TCP4 " + std::string(longest_proxy_header_v1 - 11, '\n'),
      "PROXY UNKNOWN " + std::string(longest_proxy_header_v1 - 15, 'x') + "\r",
  };
  for (const std::string& each : bad) {
    SCOPED_TRACE(testing::PrintToString(each));
    EXPECT_EQ(shown(parse(each.substr(0, each.size() - 1))), "need more");
    EXPECT_EQ(shown(parse(each)), "malformed");
    EXPECT_EQ(shown(parse(each + "\r\n")), "malformed");
  }
}

TEST(ProxyProtocol, RefusesLinesThatAreNotExact) {
  for (const std::string& line : {
           "PROXY \r\n"s,
           "PROXY TCP4\r\n"s,
           "PROXY TCP4 \r\n"s,
           "PROXY TCP4 192.0.2.1 198.51.100.2 1234\r\n"s,
           "PROXY TCP4 192.0.2.1 198.51.100.2 1234 \r\n"s,
           "PROXY TCP4 192.0.2.1 198.51.100.2 1234 993 \r\n"s,
           "PROXY TCP4 192.0.2.1 198.51.100.2 1234 993 1\r\n"s,
           "PROXY TCP4  192.0.2.1 198.51.100.2 1234 993\r\n"s,
           "PROXY  TCP4 192.0.2.1 198.51.100.2 1234 993\r\n"s,
           "PROXY TCP4 192.0.2.1  198.51.100.2 1234 993\r\n"s,
           "PROXY TCP4 192.0.2.1\t198.51.100.2 1234 993\r\n"s,
           "PROXY TCP4 192.0.2.1 198.51.100.2 1234 993\n\r\n"s,
           "PROXY TCP4 192.0.2.1 198.51.100.2 1234 993\r\r\n"s,
           "PROXY TCP4 192.0.2.1\0 198.51.100.2 1234 993\r\n"s,
           "PROXY TCP4 192.0.2.1 198.51.100.2 1234\0 993\r\n"s,
           "PROXY TCP4 192.0.2.01 198.51.100.2 1234 993\r\n"s,
           "PROXY TCP4 192.0.2 198.51.100.2 1234 993\r\n"s,
           "PROXY TCP4 192.0.2.256 198.51.100.2 1234 993\r\n"s,
           "PROXY TCP4 192.0.2.1 example.org 1234 993\r\n"s,
           "PROXY TCP4 192.0.2.1 198.51.100.2 01234 993\r\n"s,
           "PROXY TCP4 192.0.2.1 198.51.100.2 1234 65536\r\n"s,
           "PROXY TCP4 192.0.2.1 198.51.100.2 -1 993\r\n"s,
           "PROXY TCP4 192.0.2.1 198.51.100.2 +1 993\r\n"s,
           "PROXY TCP4 192.0.2.1 198.51.100.2 0x1 993\r\n"s,
           "PROXY TCP4 192.0.2.1 198.51.100.2 imap 993\r\n"s,
           "PROXY TCP4 2001:db8::1 2001:db8::2 1234 993\r\n"s,
           "PROXY TCP6 192.0.2.1 198.51.100.2 1234 993\r\n"s,
           "PROXY TCP6 fe80::1%lo ::1 1234 993\r\n"s,
           "PROXY TCP6 :::1 ::1 1234 993\r\n"s,
           "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ::1 1234 993\r\n"s,
           "PROXY TCP5 192.0.2.1 198.51.100.2 1234 993\r\n"s,
           "PROXY tcp4 192.0.2.1 198.51.100.2 1234 993\r\n"s,
           "PROXY UDP4 192.0.2.1 198.51.100.2 1234 993\r\n"s,
           "PROXY UNKNOWNX\r\n"s,
           "PROXY UNKNOW\r\n"s,
       }) {
    EXPECT_EQ(shown(parse(line)), "malformed") << testing::PrintToString(line);
  }
}

const IpEndpoint ipv4 = parse("PROXY TCP4 192.0.2.1 198.51.100.2 1234 993\r\n").source;
const IpEndpoint ipv4_server = parse("PROXY TCP4 192.0.2.1 198.51.100.2 1234 993\r\n").destination;
const IpEndpoint ipv6 = parse("PROXY TCP6 2001:db8::1 2001:db8::2 1234 993\r\n").source;
const IpEndpoint ipv6_server = parse("PROXY TCP6 2001:db8::1 2001:db8::2 1234 993\r\n").destination;

std::string composed(const ProxyHeaderText& text) { return {text.octets().begin(), text.octets().end()}; }

TEST(ProxyProtocol, SendsBothAddresses) {
  EXPECT_EQ(composed(proxy_header(ipv4, ipv4_server, {})), v2(0x21, 0x11, ipv4_addresses));
  EXPECT_EQ(composed(proxy_header(ipv6, ipv6_server, {})), v2(0x21, 0x21, ipv6_addresses));
}

TEST(ProxyProtocol, SendsTheClientsTls) {
  EXPECT_EQ(composed(proxy_header(ipv4, ipv4_server, {"TLSv1.3", "TLS_AES_128_GCM_SHA256"})),
            v2(0x21, 0x11, ipv4_addresses + "\x20\0\x28\1\0\0\0\1\x21\0\7TLSv1.3\x23\0\x16TLS_AES_128_GCM_SHA256"s));
}

TEST(ProxyProtocol, SendsLocalForWhoHasNoAddress) {
  EXPECT_EQ(composed(proxy_header({}, ipv4_server, {"TLSv1.3", "x"})), v2(0x20, 0, ""));
  EXPECT_EQ(composed(local_proxy_header()), v2(0x20, 0, ""));
}

TEST(ProxyProtocol, ReadsWhatItSends) {
  const std::string longest_name(300, 'x');
  for (const IpEndpoint& source : {ipv4, ipv6}) {
    for (const IpEndpoint& destination : {ipv4_server, ipv6_server}) {
      for (const ProxiedTls& tls :
           {ProxiedTls{}, {"TLSv1.2", "ECDHE-ECDSA-CHACHA20-POLY1305"}, {longest_name, longest_name}}) {
        const std::string octets = composed(proxy_header(source, destination, tls));
        const ProxyHeader header = parse(octets);
        EXPECT_EQ(header.octets, octets.size());
        EXPECT_EQ(header.source, source);
        EXPECT_EQ(header.destination, destination);
      }
    }
  }
}

}  // namespace
}  // namespace imapmeter::proxy
