#include "metrics/descriptor_reserve.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace imapmeter::metrics {
namespace {

bool is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

bool is_null_device(int fd) {
  struct stat info {};
  struct stat null {};
  return fstat(fd, &info) == 0 && stat("/dev/null", &null) == 0 && info.st_rdev == null.st_rdev;
}

TEST(DescriptorReserve, GivesWhatItHasAndNoMore) {
  DescriptorReserve reserve(2);
  EXPECT_EQ(reserve.size(), 2U);
  EXPECT_TRUE(reserve.give());
  EXPECT_TRUE(reserve.give());
  EXPECT_FALSE(reserve.give());
  reserve.refill();
  EXPECT_EQ(reserve.size(), 2U);
}

// The number goes from the connection to the reserve in one step: a relay thread that waits for one cannot take it.
TEST(DescriptorReserve, TakesTheNumberItself) {
  DescriptorReserve reserve(1);
  const int fd = open("/", O_RDONLY | O_CLOEXEC);
  ASSERT_TRUE(reserve.give());
  reserve.take(fd);
  EXPECT_EQ(reserve.size(), 1U);
  EXPECT_TRUE(is_null_device(fd));
  EXPECT_NE(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
}

TEST(DescriptorReserve, ClosesWhatItDoesNotNeed) {
  DescriptorReserve reserve(1);
  const int fd = open("/", O_RDONLY | O_CLOEXEC);
  reserve.take(fd);
  EXPECT_EQ(reserve.size(), 1U);
  EXPECT_FALSE(is_open(fd));
}

TEST(DescriptorReserve, ClosesAllAtItsEnd) {
  const int before = open("/dev/null", O_RDONLY | O_CLOEXEC);
  close(before);
  { const DescriptorReserve reserve(4); }
  const int after = open("/dev/null", O_RDONLY | O_CLOEXEC);
  close(after);
  EXPECT_EQ(after, before);
}

TEST(DescriptorReserve, TakesWhatItCanGet) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlimit tight{static_cast<rlim_t>(open("/dev/null", O_RDONLY | O_CLOEXEC)), limit.rlim_max};
  setrlimit(RLIMIT_NOFILE, &tight);
  DescriptorReserve reserve(4);
  EXPECT_EQ(reserve.size(), 0U);
  EXPECT_FALSE(reserve.give());
  setrlimit(RLIMIT_NOFILE, &limit);
  close(static_cast<int>(tight.rlim_cur));
  reserve.refill();
  EXPECT_EQ(reserve.size(), 4U);
}

}  // namespace
}  // namespace imapmeter::metrics
