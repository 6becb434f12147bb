#include "proxy/pump.h"

#include <gtest/gtest.h>
#include <sys/epoll.h>

#include <random>

#include "tests/proxy/peers.h"

namespace imapmeter::proxy {
namespace {

using imap::Direction;
using test::read_all;
using test::socket_pair;

struct CountingTap : Tap {
  std::span<char> observe(Direction, std::span<char> octets) noexcept override {
    largest = std::max(largest, octets.size());
    return octets;
  }
  void moved(Direction, std::size_t octets) noexcept override { total += octets; }
  void timed(Direction, std::chrono::nanoseconds delay) noexcept override {
    ++samples;
    longest = std::max(longest, delay);
  }
  std::size_t largest = 0;
  std::size_t total = 0;
  std::size_t samples = 0;
  std::chrono::nanoseconds longest{};
};

class Pump : public testing::Test {
 protected:
  Pump() {
    auto [from, source] = socket_pair();
    auto [to, sink] = socket_pair();
    source_ = std::move(source);
    sink_ = std::move(sink);
    from_.open(std::move(from), buffers_);
    to_.open(std::move(to), buffers_);
  }
  Pumped run(Direction direction = Direction::server_to_client) {
    from_.on_events(EPOLLIN);
    to_.on_events(EPOLLOUT);
    return pump(flow_, direction, from_, to_, buffers_, tap_);
  }

  ThreadBuffers buffers_;
  Fd source_;
  Fd sink_;
  Leg from_;
  Leg to_;
  Flow flow_;
  CountingTap tap_;
};

TEST_F(Pump, MovesWhatIsThere) {
  test::write_all(source_.get(), "* OK ready\r\n");
  EXPECT_EQ(run(), Pumped::idle);
  EXPECT_EQ(read_all(sink_.get()), "* OK ready\r\n");
  EXPECT_EQ(tap_.total, 12U);
}

TEST_F(Pump, DoesNotReadWhileTheSinkIsFull) {
  const std::string block(64 * 1024, 'b');
  Pumped last = Pumped::idle;
  while (last != Pumped::blocked) {
    ASSERT_TRUE(write(source_.get(), block.data(), block.size()) > 0 || errno == EAGAIN);
    last = run();
  }
  const std::size_t moved = tap_.total;
  EXPECT_EQ(run(), Pumped::blocked);
  EXPECT_EQ(tap_.total, moved) << "read on although nothing had been taken";
  EXPECT_EQ(flow_.quantum, min_quantum);
  EXPECT_LE(to_.unsent(), max_quantum);
}

TEST_F(Pump, OneTurnIn64IsTimed) {
  const auto start = std::chrono::steady_clock::now();
  for (int turn = 0; turn < 640; ++turn) {
    run();  // nothing to read: no sample
    test::write_all(source_.get(), "* 1 EXISTS\r\n");
    run();
    read_all(sink_.get());
  }
  EXPECT_GE(tap_.samples, 9U);
  EXPECT_LE(tap_.samples, 10U);
  EXPECT_GT(tap_.longest.count(), 0);
  EXPECT_LT(tap_.longest, std::chrono::steady_clock::now() - start);
}

TEST_F(Pump, WhatAFullSinkDoesNotTakeIsNotTimed) {
  const std::string block(8 * 1024, 'b');
  std::size_t turns = 0;
  for (;;) {
    buffers_.turns = {};
    test::write_all(source_.get(), block);
    if (run() == Pumped::blocked) break;
    ++turns;
  }
  EXPECT_EQ(tap_.samples, turns);
}

TEST_F(Pump, EveryOctetArrivesInOrderThroughASlowSink) {
  std::mt19937 random(42);
  std::string all(4 << 20, '\0');
  for (char& octet : all) octet = static_cast<char>(random());
  std::size_t sent = 0;
  std::string received;
  while (received.size() < all.size()) {
    if (sent < all.size()) {
      const ssize_t took =
          write(source_.get(), all.data() + sent, std::min<std::size_t>(all.size() - sent, 1 + random() % 65536));
      if (took > 0) sent += static_cast<std::size_t>(took);
    }
    run();
    std::string some(1 + random() % 65536, '\0');
    const ssize_t got = read(sink_.get(), some.data(), some.size());
    if (got > 0) received.append(some, 0, static_cast<std::size_t>(got));
  }
  EXPECT_TRUE(received == all);
  EXPECT_EQ(tap_.total, all.size());
}

TEST_F(Pump, TheClientIsReadInSmallSteps) {
  const std::string block(100 * 1024, 'c');
  while (tap_.total < (1U << 20)) {
    ASSERT_TRUE(write(source_.get(), block.data(), block.size()) > 0 || errno == EAGAIN);
    run(Direction::client_to_server);
    read_all(sink_.get());
  }
  EXPECT_LE(tap_.largest, min_quantum);
}

// Each of its reads may come out a thousand times as large.
TEST_F(Pump, ACompressedSessionIsReadInSmallStepsOneATurn) {
  flow_.quantum = max_quantum;
  flow_.compressed = true;
  test::write_all(source_.get(), std::string(5 * min_quantum, 'z'));
  for (std::size_t turn = 1; turn <= 5; ++turn) {
    EXPECT_EQ(run(), Pumped::more);
    EXPECT_EQ(tap_.total, turn * min_quantum);
    read_all(sink_.get());
  }
  EXPECT_EQ(run(), Pumped::idle);
  EXPECT_EQ(tap_.largest, min_quantum);
}

TEST_F(Pump, ClientOctetsAreCleansedFromTheBuffer) {
  test::write_all(source_.get(), "a LOGIN user canary-password\r\n");
  run(Direction::client_to_server);
  EXPECT_EQ(read_all(sink_.get()), "a LOGIN user canary-password\r\n");
  const std::string_view buffer(buffers_.plain.get(), 4096);
  EXPECT_EQ(buffer.find("canary"), std::string_view::npos);
}

TEST_F(Pump, TheEndIsToldAfterTheLastOctets) {
  test::write_all(source_.get(), "last");
  source_.reset();
  from_.on_events(EPOLLRDHUP);
  EXPECT_EQ(run(), Pumped::idle);
  EXPECT_EQ(flow_.end, Io::eof);
  EXPECT_EQ(read_all(sink_.get()), "last");
}

TEST_F(Pump, WhatComesForASinkThatIsGoneIsDropped) {
  sink_.reset();
  test::write_all(source_.get(), "x");
  run();
  EXPECT_TRUE(flow_.discard);
  test::write_all(source_.get(), "y");
  EXPECT_EQ(run(), Pumped::idle);
  EXPECT_EQ(tap_.total, 0U);
}

}  // namespace
}  // namespace imapmeter::proxy
