#include "proxy/heap_trim.h"

#include <gtest/gtest.h>

namespace imapmeter::proxy {
namespace {

TEST(HeapTrimTest, IsDueWhenHalfOfManySessionsHaveEnded) {
  HeapTrim trim;
  EXPECT_FALSE(trim.is_due(100, 0));
  EXPECT_FALSE(trim.is_due(51, 0));
  EXPECT_TRUE(trim.is_due(50, 0));
  EXPECT_FALSE(trim.is_due(20, 0)) << "fewer than 100 were open since";
}

TEST(HeapTrimTest, IsNotDueForFewSessions) {
  HeapTrim trim;
  EXPECT_FALSE(trim.is_due(99, 0));
  EXPECT_FALSE(trim.is_due(0, 0));
}

// It was asked twice in each look, and only the second answer counted.
TEST(HeapTrimTest, IsDueOnceWhenManyFallSilentInOneLook) {
  HeapTrim trim;
  EXPECT_FALSE(trim.is_due(64, 15));
  EXPECT_TRUE(trim.is_due(64, 64));
  for (int look = 0; look < 10; ++look) EXPECT_FALSE(trim.is_due(64, 64)) << look;
}

TEST(HeapTrimTest, SilenceIsAReasonAtEachThirdLookAtMost) {
  HeapTrim trim;
  EXPECT_TRUE(trim.is_due(64, 16));
  EXPECT_FALSE(trim.is_due(64, 80));
  EXPECT_FALSE(trim.is_due(64, 81));
  EXPECT_TRUE(trim.is_due(64, 81)) << "those that fell silent meanwhile are not forgotten";
}

TEST(HeapTrimTest, ManyEndsAreAReasonAlsoSoonAfterSilence) {
  HeapTrim trim;
  EXPECT_TRUE(trim.is_due(200, 16));
  EXPECT_TRUE(trim.is_due(100, 16));
}

}  // namespace
}  // namespace imapmeter::proxy
