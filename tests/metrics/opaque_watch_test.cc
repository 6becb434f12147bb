#include "metrics/opaque_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace imapmeter::metrics {
namespace {

using imap::OpaqueReason;
using std::chrono::minutes;
using testing::HasSubstr;
using testing::IsEmpty;

Snapshot sessions(std::uint64_t accepted, std::uint64_t opaque, OpaqueReason reason = OpaqueReason::multiplex) {
  Snapshot snapshot;
  ListenerSnapshot& listener = snapshot.listeners.emplace_back();
  listener.name = "mail";
  listener.totals.accepted = accepted;
  listener.totals.opaque[at(reason)] = opaque;
  return snapshot;
}

TEST(OpaqueWatch, NamesTheRemedyOnceAWindow) {
  OpaqueWatch watch;
  EXPECT_THAT(watch.look(sessions(0, 0), {}), IsEmpty());
  const auto told = watch.look(sessions(199, 20), imap::TimePoint(minutes(1)));
  ASSERT_EQ(told.size(), 1U);
  EXPECT_THAT(told[0], HasSubstr("listener mail: 20 of 199 sessions can no longer be read (multiplex)"));
  EXPECT_THAT(told[0], HasSubstr("trusted_networks"));
  EXPECT_THAT(watch.look(sessions(400, 100), imap::TimePoint(minutes(59))), IsEmpty());
  EXPECT_THAT(watch.look(sessions(400, 100), imap::TimePoint(minutes(60))), IsEmpty());
  EXPECT_THAT(watch.look(sessions(500, 119), imap::TimePoint(minutes(61))), IsEmpty()) << "19 in this window";
  EXPECT_EQ(watch.look(sessions(500, 120), imap::TimePoint(minutes(62))).size(), 1U);
}

TEST(OpaqueWatch, IsSilentUnlessItIsMoreThanATenth) {
  OpaqueWatch watch;
  watch.look(sessions(1000, 500), {});
  EXPECT_THAT(watch.look(sessions(1200, 520), imap::TimePoint(minutes(1))), IsEmpty()) << "a tenth";
  EXPECT_THAT(watch.look(sessions(1019, 519), imap::TimePoint(minutes(2))), IsEmpty()) << "too few";
  EXPECT_EQ(watch.look(sessions(1200, 521), imap::TimePoint(minutes(3))).size(), 1U);
}

TEST(OpaqueWatch, KnowsARemedyForEachReasonButTheOperatorsOwn) {
  for (std::size_t i = 0; i < imap::opaque_reason_count; ++i) {
    const auto reason = static_cast<OpaqueReason>(i);
    OpaqueWatch watch;
    watch.look(sessions(0, 0, reason), {});
    EXPECT_EQ(watch.look(sessions(100, 100, reason), {}).size(), reason == OpaqueReason::disabled ? 0U : 1U);
  }
}

}  // namespace
}  // namespace imapmeter::metrics
