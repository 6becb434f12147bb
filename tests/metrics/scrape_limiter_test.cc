#include "metrics/scrape_limiter.h"

#include <gtest/gtest.h>

#include <string>

namespace imapmeter::metrics {
namespace {

using namespace std::chrono_literals;
const imap::TimePoint start = imap::TimePoint{} + 1h;

TEST(ScrapeLimiter, ABurstOfTenPassesAndTheEleventhDoesNot) {
  ScrapeLimiter limiter(10);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(limiter.allow("192.0.2.1", start));
  EXPECT_FALSE(limiter.allow("192.0.2.1", start));
  EXPECT_FALSE(limiter.allow("192.0.2.1", start + 99ms));
  EXPECT_TRUE(limiter.allow("192.0.2.1", start + 100ms + 1us));
}

TEST(ScrapeLimiter, TenPerSecondPassForEver) {
  ScrapeLimiter limiter(10);
  for (int i = 0; i < 600; ++i) EXPECT_TRUE(limiter.allow("192.0.2.1", start + 100ms * i)) << i;
}

TEST(ScrapeLimiter, TwentyPerSecondPassHalfTheTime) {
  ScrapeLimiter limiter(10);
  int passed = 0;
  for (int i = 0; i < 1200; ++i) passed += limiter.allow("192.0.2.1", start + 50ms * i) ? 1 : 0;
  EXPECT_NEAR(passed, 600, 11);
}

TEST(ScrapeLimiter, AddressesDoNotShare) {
  ScrapeLimiter limiter(1);
  EXPECT_TRUE(limiter.allow("192.0.2.1", start));
  EXPECT_FALSE(limiter.allow("192.0.2.1", start));
  EXPECT_TRUE(limiter.allow("192.0.2.2", start));
}

TEST(ScrapeLimiter, ForgetsTheAddressSeenLongestAgo) {
  ScrapeLimiter limiter(1);
  EXPECT_TRUE(limiter.allow("first", start));
  for (std::size_t i = 1; i < ScrapeLimiter::remembered_addresses; ++i) {
    EXPECT_TRUE(limiter.allow(std::to_string(i), start + 1ms));
  }
  EXPECT_FALSE(limiter.allow("first", start + 2ms));  // still remembered, and seen again
  EXPECT_TRUE(limiter.allow("one more", start + 3ms));
  EXPECT_FALSE(limiter.allow("first", start + 3ms));
  EXPECT_TRUE(limiter.allow("1", start + 3ms));  // forgotten for "one more"
}

}  // namespace
}  // namespace imapmeter::metrics
