#include "proxy/log.h"

#include <gtest/gtest.h>

namespace imapmeter::proxy {
namespace {

using std::chrono::seconds;

TEST(LogLimiter, OneLineOfAClassInTenSecondsAndTheRestCounted) {
  LogLimiter limiter;
  const std::chrono::steady_clock::time_point start{seconds(100)};
  std::uint64_t left_out = 99;
  EXPECT_TRUE(limiter.allow(LogClass::upstream_connect, start, left_out));
  EXPECT_EQ(left_out, 0U);
  for (int i = 0; i < 500; ++i) EXPECT_FALSE(limiter.allow(LogClass::upstream_connect, start + seconds(9), left_out));
  EXPECT_TRUE(limiter.allow(LogClass::client_handshake, start + seconds(9), left_out)) << "another class";
  EXPECT_TRUE(limiter.allow(LogClass::upstream_connect, start + seconds(10), left_out));
  EXPECT_EQ(left_out, 500U);
}

}  // namespace
}  // namespace imapmeter::proxy
