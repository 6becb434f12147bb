#include "proxy/imap/deflate_tap.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "tests/support/deflate.h"

namespace imapmeter::test {
namespace {

using imap::Direction;
using imap::Inflation;

constexpr Direction up = Direction::client_to_server;
constexpr Direction down = Direction::server_to_client;

struct Inflated {
  std::string text;
  std::string ends;  // F for each flush and what ended it: E ended, X failed; with the length of `text` at that point
  std::size_t taken = 0;
  friend bool operator==(const Inflated&, const Inflated&) = default;
};

// `sizes`: how many octets come at a time.
Inflated inflate(imap::Inflater& tap, Direction direction, std::string_view wire, auto&& size) {
  Inflated result;
  while (!wire.empty()) {
    std::string_view piece = wire.substr(0, size(wire.size()));
    wire.remove_prefix(piece.size());
    imap::Inflater::Step step;
    do {
      step = tap.inflate(direction, piece);
      EXPECT_LE(step.out.size(), imap::inflated_at_once);
      EXPECT_TRUE(step.taken > 0 || !step.out.empty() || piece.empty() || step.state == Inflation::failed);
      piece.remove_prefix(step.taken);
      result.taken += step.taken;
      result.text.append(step.out.data(), step.out.size());
      if (step.state == Inflation::flushed) result.ends += " F" + std::to_string(result.text.size());
      if (step.state == Inflation::ended) result.ends += " E" + std::to_string(result.text.size());
      if (step.state == Inflation::failed) result.ends += " X";
      if (step.state == Inflation::ended || step.state == Inflation::failed) return result;
    } while (!piece.empty() || step.state == Inflation::full);
  }
  return result;
}

Inflated inflate(imap::Inflater& tap, Direction direction, std::string_view wire) {
  return inflate(tap, direction, wire, [](std::size_t left) { return left; });
}

// Whole, octet by octet, cut once everywhere, at random: always the same.
Inflated inflated(const std::string& wire) {
  imap::InflatedSessions sessions(1);
  imap::DeflateTaps taps(sessions);
  const auto tap = taps.make();
  Inflated whole = inflate(*tap, up, wire);
  const auto again = [&](auto&& size, const std::string& how) {
    tap->start(up);
    EXPECT_EQ(inflate(*tap, up, wire, size), whole) << how;
  };
  again([](std::size_t) { return 1U; }, "octet by octet");
  for (std::size_t at = 1; at < std::min<std::size_t>(wire.size(), 2000); ++at) {
    again([&](std::size_t left) { return left == wire.size() ? at : left; }, "cut at " + std::to_string(at));
  }
  std::minstd_rand dice(1);
  for (int i = 0; i < 20; ++i) {
    again([&](std::size_t left) { return std::min<std::size_t>(1 + dice() % 300, left); }, "at random");
  }
  return whole;
}

std::string noise(std::size_t octets) {
  std::minstd_rand dice(7);
  std::string text;
  while (text.size() < octets) text += static_cast<char>(dice() >> 8U);
  return text;
}

TEST(DeflateTap, GivesWhatWasDeflatedAtAnyCut) {
  const std::string lines = "* 1 FETCH (FLAGS (\\Seen) UID 4)\r\n* 2 FETCH (FLAGS () UID 7)\r\na OK done\r\n";
  std::string all = lines;
  all.append(noise(200)).append(lines).append("* BYE\r\n");
  for (const int level : {0, 1, 6, 9}) {
    for (const int strategy : {Z_DEFAULT_STRATEGY, Z_HUFFMAN_ONLY, Z_RLE, Z_FIXED, Z_FILTERED}) {
      Deflater deflater(level, strategy);
      std::string wire = deflater(lines);
      wire += deflater(noise(200));
      wire += deflater(lines);
      wire += deflater.end("* BYE\r\n");
      const Inflated result = inflated(wire);
      EXPECT_EQ(result.text, all) << level << " " << strategy;
      EXPECT_EQ(result.ends, " F72 F272 F344 E351") << level << " " << strategy;
    }
  }
}

TEST(DeflateTap, TellsEveryFlushAndNothingElse) {
  const std::string mark("\x00\x00\xff\xff", 4);
  Deflater deflater(0);  // stored: the text is on the wire as it is
  std::string wire = deflater(mark + "a" + mark);
  wire += deflater(mark, Z_PARTIAL_FLUSH);
  wire += deflater("b", Z_FULL_FLUSH);
  const Inflated result = inflated(wire);
  EXPECT_EQ(result.text, mark + "a" + mark + mark + "b");
  EXPECT_EQ(result.ends, " F9 F14");
}

TEST(DeflateTap, TwoFlushesInARowAreTwo) {
  Deflater deflater;
  const std::string empty("\x00\x00\x00\xff\xff", 5);
  std::string wire = deflater("a") + empty + empty;
  wire += deflater("b");
  EXPECT_EQ(inflated(wire).ends, " F1 F1 F1 F2");
}

TEST(DeflateTap, OctetsBehindTheEndAreNotTaken) {
  Deflater deflater;
  const std::string wire = deflater.end("a UNAUTHENTICATE\r\n");
  const Inflated result = inflated(wire + "b NOOP\r\n");
  EXPECT_EQ(result.ends, " E18");
  EXPECT_EQ(result.taken, wire.size());
}

TEST(DeflateTap, OctetsBehindAFlushAreNotTaken) {
  imap::InflatedSessions sessions(1);
  imap::DeflateTaps taps(sessions);
  const auto tap = taps.make();
  Deflater deflater;
  const std::string wire = deflater("a UNAUTHENTICATE\r\n");
  const std::string all = wire + "b NOOP\r\n";
  std::size_t taken = 0;
  imap::Inflater::Step step;
  while (step.state == Inflation::more && taken < all.size()) {
    step = tap->inflate(up, std::string_view(all).substr(taken));
    taken += step.taken;
  }
  EXPECT_EQ(step.state, Inflation::flushed);
  EXPECT_EQ(taken, wire.size());
}

TEST(DeflateTap, FailsWhereItIsNoDeflate) {
  EXPECT_EQ(inflated("a OK done\r\n").ends, " X");
  // a header of zlib is none of deflate's: Gmail cuts such clients off
  EXPECT_EQ(inflated("\x78\x9c" + Deflater()("a NOOP\r\n")).ends, " X");
  std::string wire = Deflater(0)("hello");
  wire[3] ^= 1;  // the complement of the length
  EXPECT_EQ(inflated(wire).ends, " X");
}

TEST(DeflateTap, StaysFailed) {
  imap::InflatedSessions sessions(1);
  imap::DeflateTaps taps(sessions);
  const auto tap = taps.make();
  EXPECT_EQ(tap->inflate(up, std::string_view("\x07")).state, Inflation::failed);
  EXPECT_EQ(tap->inflate(up, Deflater()("text")).state, Inflation::failed);
  tap->start(up);
  EXPECT_EQ(inflate(*tap, up, Deflater()("text")).text, "text");
}

TEST(DeflateTap, DirectionsAreStreamsOfTheirOwn) {
  imap::InflatedSessions sessions(1);
  imap::DeflateTaps taps(sessions);
  const auto tap = taps.make();
  Deflater client(1);
  Deflater server(9);
  for (int i = 0; i < 20; ++i) {
    const std::string command = std::to_string(i) + " UID FETCH 1:* (FLAGS)\r\n";
    const std::string answer = std::to_string(i) + " OK\r\n";
    EXPECT_EQ(inflate(*tap, up, client(command)).text, command);
    EXPECT_EQ(inflate(*tap, down, server(answer)).text, answer);
  }
  tap->start(down);
  EXPECT_EQ(inflate(*tap, down, Deflater()("a OK")).text, "a OK");
  EXPECT_EQ(inflate(*tap, up, client("x NOOP\r\n")).text, "x NOOP\r\n");
}

TEST(DeflateTap, LongHistoryAndManySteps) {
  imap::InflatedSessions sessions(1);
  imap::DeflateTaps taps(sessions);
  const auto tap = taps.make();
  Deflater deflater(9);
  const std::string text = noise(32000);
  std::string all;
  for (int i = 0; i < 30; ++i) {
    all += text + std::to_string(i);
    EXPECT_EQ(inflate(*tap, down, deflater(text + std::to_string(i))).text, text + std::to_string(i));
  }
}

TEST(DeflateTap, ZerosComeOutPieceByPiece) {
  imap::InflatedSessions sessions(1);
  imap::DeflateTaps taps(sessions);
  const auto tap = taps.make();
  const std::string wire = Deflater(9)(std::string(10 << 20, '\0'));
  ASSERT_LT(wire.size(), 11000U);
  const Inflated result = inflate(*tap, down, wire);
  EXPECT_EQ(result.text.size(), std::size_t{10} << 20);
  EXPECT_EQ(result.ends, " F10485760");
}

TEST(DeflateTap, NoMoreThanMayBe) {
  imap::InflatedSessions sessions(2);
  imap::DeflateTaps taps(sessions);
  imap::DeflateTaps other_worker(sessions);
  auto one = taps.make();
  auto two = other_worker.make();
  ASSERT_TRUE(one && two);
  EXPECT_EQ(taps.make(), nullptr);
  EXPECT_EQ(other_worker.make(), nullptr);
  one.reset();
  EXPECT_EQ(sessions.count, 1U);
  EXPECT_NE(other_worker.make(), nullptr);
  EXPECT_EQ(sessions.count, 1U);
}

TEST(DeflateTap, WhatWasGivenOutCanBeWiped) {
  imap::InflatedSessions sessions(1);
  imap::DeflateTaps taps(sessions);
  const auto tap = taps.make();
  const imap::Inflater::Step step = tap->inflate(up, Deflater()("a LOGIN user secret\r\n"));
  ASSERT_EQ(step.out.size(), 21U);
  tap->wipe();
  EXPECT_EQ(std::string(step.out.data(), step.out.size()), std::string(21, '\0'));
}

}  // namespace
}  // namespace imapmeter::test
