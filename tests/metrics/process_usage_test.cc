#include "metrics/process_usage.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <filesystem>
#include <iterator>
#include <vector>

namespace imapmeter::metrics {
namespace {

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

TEST(ProcessReader, SaysWhatTheSystemSays) {
  ProcessReader reader;
  const auto usage = reader.read();
  ASSERT_TRUE(usage);
  EXPECT_GT(usage->resident_bytes, 1e6);
  EXPECT_GT(usage->virtual_bytes, usage->resident_bytes);
  EXPECT_LE(usage->start_time_seconds, static_cast<double>(time(nullptr)) + 1);
  EXPECT_GT(usage->start_time_seconds, static_cast<double>(time(nullptr)) - 3600);
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  EXPECT_EQ(usage->max_fds, static_cast<double>(limit.rlim_cur));
}

TEST(ProcessReader, FollowsTheProcess) {
  ProcessReader reader;
  const auto before = reader.read();
  const int fd = open("/dev/null", O_RDONLY);
  while (cpu_seconds() < before->cpu_seconds + 0.1) {
  }
  const auto after = reader.read();
  close(fd);
  EXPECT_EQ(after->open_fds, before->open_fds + 1);
  EXPECT_NEAR(after->cpu_seconds, cpu_seconds(), 0.05);
  EXPECT_EQ(after->start_time_seconds, before->start_time_seconds);
}

TEST(ProcessReader, CountsTheDescriptorsThatAreListed) {
  ProcessReader reader;
  const std::filesystem::directory_iterator listed("/proc/self/fd");
  const auto usage = reader.read();
  EXPECT_EQ(usage->open_fds, static_cast<double>(std::distance(begin(listed), end(listed))));
}

// FAULTS C1.
TEST(ProcessReader, NeedsNoDescriptorToLookAgain) {
  ProcessReader reader;
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlimit tight{64, limit.rlim_max};
  setrlimit(RLIMIT_NOFILE, &tight);
  std::vector<int> taken;
  for (int fd = 0; (fd = open("/dev/null", O_RDONLY)) >= 0;) taken.push_back(fd);
  const auto usage = reader.read();
  for (const int fd : taken) close(fd);
  setrlimit(RLIMIT_NOFILE, &limit);
  ASSERT_TRUE(usage);
  EXPECT_GE(usage->open_fds, 64);
  EXPECT_EQ(usage->max_fds, 64);
}

}  // namespace
}  // namespace imapmeter::metrics
