#include "proxy/log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "proxy/line_writer.h"
#include "proxy/net.h"

namespace imapmeter::proxy {
namespace {

using config::LogLevel;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

TEST(LogLimiter, OneLineOfAClassInTenSecondsAndTheRestCounted) {
  LogLimiter limiter;
  const Clock::time_point start{seconds(100)};
  std::uint64_t left_out = 99;
  EXPECT_TRUE(limiter.allow(LogClass::upstream_connect, start, left_out));
  EXPECT_EQ(left_out, 0U);
  for (int i = 0; i < 500; ++i) EXPECT_FALSE(limiter.allow(LogClass::upstream_connect, start + seconds(9), left_out));
  EXPECT_TRUE(limiter.allow(LogClass::client_handshake, start + seconds(9), left_out)) << "another class";
  EXPECT_TRUE(limiter.allow(LogClass::upstream_connect, start + seconds(10), left_out));
  EXPECT_EQ(left_out, 500U);
}

TEST(LineRate, G11_FiftyLinesInEachSecond) {
  LineRate rate;
  const auto allowed = [&rate](Clock::time_point at, int asked) {
    int lines = 0;
    for (int i = 0; i < asked; ++i) lines += rate.allow(at) ? 1 : 0;
    return lines;
  };
  const Clock::time_point start{seconds(100)};
  EXPECT_EQ(allowed(start, 49), 49);
  EXPECT_EQ(allowed(start + milliseconds(999), 1000), 1);
  EXPECT_EQ(allowed(start + seconds(1), 1000), 50);
  EXPECT_EQ(allowed(start + milliseconds(999), 10), 0) << "a clock that was read before the second ended";
  EXPECT_EQ(allowed(start + seconds(3600), 1000), 50);
}

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) std::abort();
    reader = Fd(ends[0]);
    writer = Fd(ends[1]);
  }
  std::string read_all() {
    writer.reset();
    std::string text;
    std::array<char, 65536> some{};
    for (ssize_t n = 0; (n = read(reader.get(), some.data(), some.size())) > 0;)
      text.append(some.data(), static_cast<std::size_t>(n));
    return text;
  }
  Fd reader, writer;
};

TEST(LineWriter, C11_WhatTheSystemRefusesIsToldAndNotTriedAgain) {
  std::signal(SIGPIPE, SIG_IGN);
  Pipe pipe;
  LineWriter writer(pipe.writer.get());
  EXPECT_TRUE(writer.write("one\n"));
  pipe.reader.reset();
  EXPECT_FALSE(writer.write("two\n")) << "EPIPE";
  EXPECT_FALSE(LineWriter(-1).write("three\n")) << "closed";
  const Fd full(open("/dev/full", O_WRONLY | O_CLOEXEC));
  EXPECT_FALSE(LineWriter(full.get()).write("four\n")) << "ENOSPC";
}

TEST(LineWriter, C11_ANonBlockingPipeIsWaitedFor) {
  Pipe pipe;
  fcntl(pipe.writer.get(), F_SETFL, O_NONBLOCK);
  std::string seen;
  const std::string line = std::string(99999, 'x') + "\n";
  std::thread writing([&] {
    LineWriter writer(pipe.writer.get());
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(writer.write(line));
    pipe.writer.reset();
  });
  std::array<char, 65536> some{};
  for (ssize_t n = 0; (n = read(pipe.reader.get(), some.data(), some.size())) > 0;)
    seen.append(some.data(), static_cast<std::size_t>(n));
  writing.join();
  EXPECT_EQ(seen, line + line + line);
}

// A file may grow to 64 octets, as on a disk that is full in the middle of a line and has room again later.
TEST(LineWriter, C11_ALineCutShortDoesNotSwallowTheNext) {
  std::string path = testing::TempDir() + "log-XXXXXX";
  Fd file(mkstemp(path.data()));
  unlink(path.c_str());
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  LineWriter writer(file.get());
  const rlimit small{64, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  EXPECT_FALSE(writer.write(std::string(99, 'a') + "\n"));
  EXPECT_FALSE(writer.write("lost\n"));
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_TRUE(writer.write("next\n"));
  std::array<char, 256> some{};
  const ssize_t size = pread(file.get(), some.data(), some.size(), 0);
  EXPECT_EQ(std::string_view(some.data(), static_cast<std::size_t>(size)), std::string(64, 'a') + "\nnext\n");
}

// The log of this process, into a pipe in the place of stderr.
class LogToPipe : public testing::Test {
 protected:
  void SetUp() override {
    stderr_ = Fd(dup(STDERR_FILENO));
    dup2(pipe_.writer.get(), STDERR_FILENO);
    before_ = log_lines_dropped();
  }
  void TearDown() override { restore(); }
  void restore() {
    if (stderr_) dup2(stderr_.get(), STDERR_FILENO);
    stderr_.reset();
  }
  std::vector<nlohmann::json> records() {
    stop_log();
    restore();
    std::vector<nlohmann::json> all;
    std::istringstream text(pipe_.read_all());
    for (std::string line; std::getline(text, line);) all.push_back(nlohmann::json::parse(line));
    return all;
  }
  std::uint64_t dropped() const { return log_lines_dropped() - before_; }

  Pipe pipe_;

 private:
  Fd stderr_;
  std::uint64_t before_ = 0;
};

TEST_F(LogToPipe, ARecordIsOneLineOfJson) {
  start_log(LogLevel::info);
  log_warning("upstream {}: \"{}\"", "mail", "a\nb");
  log_record(LogLevel::info, R"("event":"session","id":"0-1")");
  log_line(LogLevel::debug, "below the level");
  const auto all = records();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0]["level"], "warn");
  EXPECT_EQ(all[0]["message"], "upstream mail: \"a\nb\"");
  EXPECT_EQ(all[1]["level"], "info");
  EXPECT_EQ(all[1]["event"], "session");
  EXPECT_THAT(all[1]["time"].get<std::string>(),
              testing::MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{3}Z"));
  EXPECT_EQ(dropped(), 0U);
}

TEST_F(LogToPipe, C11_APipeThatNobodyReadsBlocksNobodyAndEveryLineIsWrittenOrCounted) {
  constexpr int lines = 30000;
  start_log(LogLevel::info);
  for (int i = 0; i < lines; ++i) log_info("line {}", i);
  EXPECT_GT(dropped(), 0U);
  std::size_t written = 0;
  std::thread reading([&] {
    std::array<char, 65536> some{};
    for (ssize_t n = 0; (n = read(pipe_.reader.get(), some.data(), some.size())) > 0;)
      written += static_cast<std::size_t>(std::count(some.begin(), some.begin() + n, '\n'));
  });
  const std::uint64_t lost = dropped();
  stop_log();
  restore();
  pipe_.writer.reset();
  reading.join();
  EXPECT_EQ(written + lost, static_cast<std::size_t>(lines));
}

TEST_F(LogToPipe, C11_WhatTheSystemRefusesIsCounted) {
  std::signal(SIGPIPE, SIG_IGN);
  start_log(LogLevel::info);
  pipe_.reader.reset();
  for (int i = 0; i < 5; ++i) log_info("line {}", i);
  stop_log();
  EXPECT_EQ(dropped(), 5U);
}

TEST_F(LogToPipe, WhatALimitLeavesOutIsCounted) {
  start_log(LogLevel::info);
  for (int i = 0; i < 7; ++i) log_limited(LogClass::internal, "again");
  EXPECT_EQ(records().size(), 1U);
  EXPECT_EQ(dropped(), 6U);
}

TEST_F(LogToPipe, WhatTheLevelLeavesOutIsNotDropped) {
  start_log(LogLevel::error);
  for (int i = 0; i < 7; ++i) log_limited(LogClass::internal, "again");
  log_info("line");
  EXPECT_TRUE(records().empty());
  EXPECT_EQ(dropped(), 0U);
}

}  // namespace
}  // namespace imapmeter::proxy
