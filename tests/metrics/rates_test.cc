#include "metrics/rates.h"

#include <gtest/gtest.h>

#include <cmath>
#include <thread>

namespace imapmeter::metrics {
namespace {

using imap::Condition;
using namespace std::chrono_literals;

const imap::TimePoint start = imap::TimePoint{} + 1000h;
constexpr std::size_t no = 0;
constexpr std::size_t bad = 1;
constexpr std::size_t bye = 2;

TEST(Rates, OneEventIsOneOverTheWindowAndDecays) {
  Rates rates;
  rates.count(Condition::no, start);
  EXPECT_DOUBLE_EQ(rates.at(start)[no][0], 1.0 / 60);
  EXPECT_DOUBLE_EQ(rates.at(start)[no][1], 1.0 / 300);
  EXPECT_DOUBLE_EQ(rates.at(start)[no][2], 1.0 / 900);

  const RateValues later = rates.at(start + 60s);
  EXPECT_DOUBLE_EQ(later[no][0], std::exp(-1.0) / 60);
  EXPECT_DOUBLE_EQ(later[no][1], std::exp(-0.2) / 300);
  EXPECT_DOUBLE_EQ(later[no][2], std::exp(-60.0 / 900) / 900);
}

TEST(Rates, ALookChangesNothing) {
  Rates rates;
  rates.count(Condition::bye, start);
  const double direct = rates.at(start + 600s)[bye][1];
  for (int i = 0; i < 600; ++i) rates.at(start + std::chrono::seconds{i});
  EXPECT_EQ(rates.at(start + 600s)[bye][1], direct);
}

TEST(Rates, EventsDecayBetweenEachOther) {
  Rates rates;
  rates.count(Condition::bad, start);
  rates.count(Condition::bad, start + 30s);
  EXPECT_DOUBLE_EQ(rates.at(start + 30s)[bad][0], (std::exp(-0.5) + 1) / 60);
}

// 5 per second for two hours, and each window says 5 (a step of 0.2 s is 1/600 of the shortest window).
TEST(Rates, ASteadyStreamSettlesAtItsRate) {
  Rates rates;
  auto now = start;
  for (int i = 0; i < 5 * 7200; ++i) rates.count(Condition::no, now += 200ms);
  for (std::size_t w = 0; w < rate_windows.size(); ++w) EXPECT_NEAR(rates.at(now)[no][w], 5.0, 0.02);
}

// A million within a second are what a steady stream of a million is, whatever lies between two of them.
TEST(Rates, AFloodSettlesAtItsRate) {
  Rates rates;
  auto now = start;
  double expected = 0;
  for (int i = 0; i < 1'000'000; ++i) {
    rates.count(Condition::bye, now += 1us);
    expected = expected * std::exp(-1e-6 / 60) + 1.0 / 60;
  }
  EXPECT_NEAR(rates.at(now)[bye][0] / expected, 1.0, 2e-5);
}

TEST(Rates, KeepsTheConditionsApart) {
  Rates rates;
  rates.count(Condition::no, start);
  rates.count(Condition::bad, start);
  rates.count(Condition::bad, start);
  EXPECT_DOUBLE_EQ(rates.at(start)[no][0], 1.0 / 60);
  EXPECT_DOUBLE_EQ(rates.at(start)[bad][0], 2.0 / 60);
  EXPECT_EQ(rates.at(start)[bye][0], 0);
}

TEST(Rates, OkAndPreauthAreNotRated) {
  Rates rates;
  rates.count(Condition::ok, start);
  rates.count(Condition::preauth, start);
  EXPECT_EQ(rates.at(start), RateValues{});
}

TEST(Rates, ATimeBeforeTheLastEventDoesNotGrow) {
  Rates rates;
  rates.count(Condition::no, start);
  EXPECT_DOUBLE_EQ(rates.at(start - 60s)[no][0], 1.0 / 60);
}

TEST(Rates, OfTwoWritersAddUp) {
  Rates one;
  Rates two;
  Rates both;
  one.count(Condition::no, start);
  both.count(Condition::no, start);
  two.count(Condition::no, start + 7s);
  both.count(Condition::no, start + 7s);
  RateValues sum{};
  add(sum, one.at(start + 10s));
  add(sum, two.at(start + 10s));
  for (std::size_t w = 0; w < rate_windows.size(); ++w) {
    EXPECT_NEAR(sum[no][w], both.at(start + 10s)[no][w], 1e-15);
  }
}

// At one moment each window holds the number of events: a torn read would show two different numbers.
TEST(Rates, AReaderNeverSeesHalfAnEvent) {
  constexpr int events = 200'000;
  Rates rates;
  std::thread writer([&rates] {
    for (int i = 0; i < events; ++i) rates.count(Condition::no, start);
  });
  long seen = 0;
  while (seen < events) {
    const auto values = rates.at(start)[no];
    seen = std::lround(values[0] * 60);
    if (std::lround(values[1] * 300) != seen || std::lround(values[2] * 900) != seen) {
      ADD_FAILURE() << "torn at " << seen;
      break;
    }
  }
  writer.join();
  EXPECT_EQ(std::lround(rates.at(start)[no][2] * 900), events);
}

}  // namespace
}  // namespace imapmeter::metrics
