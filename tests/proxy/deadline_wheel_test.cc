#include "proxy/deadline_wheel.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace imapmeter::proxy {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const TimePoint start{seconds(1000)};

TEST(DeadlineWheel, FiresWithinOneTick) {
  DeadlineWheel wheel(start);
  Deadline deadline;
  wheel.arm(deadline, start + milliseconds(105));
  EXPECT_EQ(wheel.take_due(start + milliseconds(104)), nullptr);
  EXPECT_EQ(wheel.take_due(start + milliseconds(105) + DeadlineWheel::tick), &deadline);
  EXPECT_FALSE(deadline.armed());
  EXPECT_EQ(wheel.take_due(start + seconds(5)), nullptr);
}

TEST(DeadlineWheel, NeverEarlyWithinItsReach) {
  std::mt19937 random(7);
  for (int round = 0; round < 1000; ++round) {
    DeadlineWheel wheel(start);
    Deadline deadline;
    const auto at = start + std::chrono::microseconds(random() % 20'000'000);
    wheel.arm(deadline, at);
    const auto due = wheel.next_due();
    ASSERT_TRUE(due);
    EXPECT_GE(*due + std::chrono::nanoseconds(1), at);
    EXPECT_LE(*due, at + 2 * DeadlineWheel::tick);
    EXPECT_EQ(wheel.take_due(*due), &deadline);
  }
}

TEST(DeadlineWheel, FarDeadlinesFireEarlySoThatTheirOwnerLooksAgain) {
  DeadlineWheel wheel(start);
  Deadline deadline;
  wheel.arm(deadline, start + std::chrono::hours(1));
  EXPECT_EQ(wheel.take_due(start + seconds(19)), nullptr);
  EXPECT_EQ(wheel.take_due(start + seconds(21)), &deadline);
}

TEST(DeadlineWheel, CancelledAndMovedDeadlinesDoNotFire) {
  DeadlineWheel wheel(start);
  Deadline cancelled;
  Deadline moved;
  wheel.arm(cancelled, start + seconds(1));
  wheel.arm(moved, start + seconds(1));
  wheel.cancel(cancelled);
  wheel.arm(moved, start + seconds(3));
  EXPECT_EQ(wheel.take_due(start + seconds(2)), nullptr);
  EXPECT_EQ(wheel.take_due(start + seconds(4)), &moved);
  EXPECT_FALSE(wheel.next_due());
}

TEST(DeadlineWheel, OneSlotHoldsMany) {
  DeadlineWheel wheel(start);
  std::vector<Deadline> many(1000);
  for (Deadline& each : many) wheel.arm(each, start + seconds(1));
  std::size_t fired = 0;
  while (wheel.take_due(start + seconds(2)) != nullptr) ++fired;
  EXPECT_EQ(fired, many.size());
}

// A session that could not act on its deadline armed it again, in the past: the worker's turn never ended.
TEST(DeadlineWheel, ADeadlineArmedInThePastComesInALaterTurn) {
  DeadlineWheel wheel(start);
  Deadline deadline;
  const TimePoint now = start + seconds(5);
  wheel.arm(deadline, start + seconds(1));
  int fired = 0;
  while (wheel.take_due(now) != nullptr) {
    ASSERT_LT(++fired, 10);
    wheel.arm(deadline, start);
  }
  EXPECT_EQ(fired, 1);
  EXPECT_EQ(wheel.take_due(now + 2 * DeadlineWheel::tick), &deadline);
}

// A turn that came 100 ms late saw a deadline beyond the wheel's reach again and again: its worker never ended the
// turn.
TEST(DeadlineWheel, ALateTurnSeesAFarDeadlineOnce) {
  for (const auto late : {milliseconds(20), milliseconds(100), milliseconds(30'000)}) {
    DeadlineWheel wheel(start);
    Deadline deadline;
    wheel.arm(deadline, start + std::chrono::hours(1));
    const TimePoint now = start + DeadlineWheel::slots * DeadlineWheel::tick + late;
    int fired = 0;
    while (wheel.take_due(now) != nullptr) {
      ASSERT_LT(++fired, 10) << late.count();
      wheel.arm(deadline, now + std::chrono::hours(1));
    }
    EXPECT_EQ(fired, 1) << late.count();
    EXPECT_EQ(wheel.take_due(now + seconds(19)), nullptr) << late.count();
    EXPECT_EQ(wheel.take_due(now + seconds(21)), &deadline) << late.count();
  }
}

TEST(DeadlineWheel, WhatWasNotTakenYetCanBeCancelledAndIsDueAtOnce) {
  DeadlineWheel wheel(start);
  Deadline first;
  Deadline second;
  wheel.arm(first, start + seconds(1));
  wheel.arm(second, start + seconds(1));
  EXPECT_EQ(wheel.take_due(start + seconds(2)), &first);
  EXPECT_TRUE(wheel.next_due() && *wheel.next_due() <= start + seconds(2));
  wheel.cancel(second);
  EXPECT_EQ(wheel.take_due(start + seconds(2)), nullptr);
}

TEST(DeadlineWheel, SurvivesALongSleep) {
  DeadlineWheel wheel(start);
  Deadline deadline;
  wheel.arm(deadline, start + seconds(2));
  EXPECT_EQ(wheel.take_due(start + std::chrono::hours(48)), &deadline);
  EXPECT_EQ(wheel.take_due(start + std::chrono::hours(48)), nullptr);
  wheel.arm(deadline, start + std::chrono::hours(48) + seconds(1));
  EXPECT_EQ(wheel.take_due(start + std::chrono::hours(48)), nullptr);
  EXPECT_EQ(wheel.take_due(start + std::chrono::hours(48) + seconds(2)), &deadline);
}

}  // namespace
}  // namespace imapmeter::proxy
