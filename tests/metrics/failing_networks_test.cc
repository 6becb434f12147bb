#include "metrics/failing_networks.h"

#include <gtest/gtest.h>

namespace imapmeter::metrics {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

std::size_t failing(std::initializer_list<const FailingNetworks*> tables, imap::TimePoint now) {
  FailingNetworks::Merged merged;
  for (const auto* each : tables) each->merge_into(merged);
  return FailingNetworks::count(merged, now);
}

TEST(FailingNetworks, CountsEachNetworkOnce) {
  FailingNetworks table;
  EXPECT_EQ(failing({&table}, {}), 0U);
  for (const std::uint64_t network : {1U, 2U, 2U, 3U}) table.note(network, false, {});
  EXPECT_EQ(failing({&table}, {}), 3U);
}

TEST(FailingNetworks, ForgivesANetworkThatSucceeds) {
  FailingNetworks table;
  table.note(1, false, {});
  table.note(2, false, {});
  table.note(2, true, {});
  table.note(3, true, {});
  table.note(3, false, imap::TimePoint(minutes(1)));
  EXPECT_EQ(failing({&table}, imap::TimePoint(minutes(2))), 1U);
  table.note(3, false, imap::TimePoint(minutes(16)));
  EXPECT_EQ(failing({&table}, imap::TimePoint(minutes(17))), 1U) << "1 is forgotten; the success of 3 is too old";
}

TEST(FailingNetworks, ForgetsAfterAWhile) {
  FailingNetworks table;
  const imap::TimePoint then(hours(1000));
  table.note(1, false, then);
  EXPECT_EQ(failing({&table}, then + failing_networks_window), 1U);
  EXPECT_EQ(failing({&table}, then + failing_networks_window + seconds(1)), 0U);
}

// A scrape looks at the clock first and at the tables then: such a network was none.
TEST(FailingNetworks, WhatIsNotedDuringAScrapeIsNotOld) {
  FailingNetworks table;
  const imap::TimePoint now(hours(1000));
  table.note(1, false, now + seconds(1));
  EXPECT_EQ(failing({&table}, now), 1U);
  table.note(1, true, now + seconds(1));
  EXPECT_EQ(failing({&table}, now), 0U);
}

TEST(FailingNetworks, JoinsTheTablesOfWorkers) {
  FailingNetworks first;
  FailingNetworks second;
  first.note(1, false, {});
  second.note(1, false, {});
  first.note(2, false, {});
  second.note(2, true, {});
  EXPECT_EQ(failing({&first, &second}, {}), 1U);
}

TEST(FailingNetworks, IsBoundedAndKeepsTheLatest) {
  FailingNetworks table;
  for (std::uint64_t network = 1; network <= 100'000; ++network)
    table.note(network, false, imap::TimePoint(seconds(network / 1000)));
  const imap::TimePoint now(seconds(100));
  EXPECT_LE(failing({&table}, now), FailingNetworks::places);
  EXPECT_GE(failing({&table}, now), FailingNetworks::places * 9 / 10);
  FailingNetworks::Merged merged;
  table.merge_into(merged);
  EXPECT_TRUE(merged.contains(100'000));
  EXPECT_FALSE(merged.contains(1));
}

}  // namespace
}  // namespace imapmeter::metrics
