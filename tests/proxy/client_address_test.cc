#include "proxy/client_address.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

namespace imapmeter::proxy {
namespace {

using config::ClientAddress;

IpEndpoint v4(const char* text, std::uint16_t port = 1) {
  SocketAddress address;
  auto* to = reinterpret_cast<sockaddr_in*>(&address.storage);
  to->sin_family = AF_INET;
  to->sin_port = htons(port);
  inet_pton(AF_INET, text, &to->sin_addr);
  return ip_endpoint(address);
}

IpEndpoint v6(const char* text) {
  SocketAddress address;
  auto* to = reinterpret_cast<sockaddr_in6*>(&address.storage);
  to->sin6_family = AF_INET6;
  inet_pton(AF_INET6, text, &to->sin6_addr);
  return ip_endpoint(address);
}

TEST(ClientAddressText, Off) {
  const ClientAddressText text(ClientAddress::off);
  EXPECT_EQ(text(v4("192.0.2.7")), "");
  EXPECT_EQ(text(IpEndpoint{}), "");
}

TEST(ClientAddressText, TruncatedIsTheNetwork) {
  const ClientAddressText text(ClientAddress::truncated);
  EXPECT_EQ(text(v4("192.0.2.255")), "192.0.2.0/24");
  EXPECT_EQ(text(v6("2001:db8:1:ffff:2::3")), "2001:db8:1::/48");
  EXPECT_EQ(text(v6("::ffff:192.0.2.255")), "192.0.2.0/24");
  EXPECT_EQ(text(IpEndpoint{}), "unix");
}

TEST(ClientAddressText, ClearIsTheAddressWithoutItsPort) {
  const ClientAddressText text(ClientAddress::clear);
  EXPECT_EQ(text(v4("192.0.2.7", 40000)), "192.0.2.7");
  EXPECT_EQ(text(v6("2001:db8::7")), "2001:db8::7");
  EXPECT_EQ(text(IpEndpoint{}), "unix");
}

TEST(ClientAddressText, HashedIsTheSameForOneAddressInOneProcess) {
  const ClientAddressText text(ClientAddress::hashed);
  EXPECT_THAT(text(v4("192.0.2.7")), testing::MatchesRegex("[0-9a-f]{16}"));
  EXPECT_EQ(text(v4("192.0.2.7", 1)), text(v4("192.0.2.7", 2)));
  EXPECT_NE(text(v4("192.0.2.7")), text(v4("192.0.2.8")));
  EXPECT_NE(text(v4("192.0.2.7")), ClientAddressText(ClientAddress::hashed)(v4("192.0.2.7"))) << "another key";
  EXPECT_EQ(text(IpEndpoint{}), "unix");
}

}  // namespace
}  // namespace imapmeter::proxy
