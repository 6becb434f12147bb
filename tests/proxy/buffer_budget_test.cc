#include "proxy/buffer_budget.h"

#include <gtest/gtest.h>

#include "proxy/pump.h"
#include "tests/proxy/peers.h"

namespace imapmeter::proxy {
namespace {

constexpr std::uint64_t mib = 1 << 20;

TEST(BufferBudget, LendsUpToItsShareAndNotAnOctetMore) {
  BufferBudget budget(8 * mib);
  EXPECT_TRUE(budget.take(8 * mib - 1));
  EXPECT_FALSE(budget.take(2));
  EXPECT_TRUE(budget.take(1));
  EXPECT_FALSE(budget.take(1));
  EXPECT_EQ(budget.lent(), 8 * mib);
  budget.give_back(8 * mib);
  EXPECT_EQ(budget.lent(), 0U);
}

// Above a half 16 KiB, in the last eighth 4 KiB: both sides of each step.
TEST(BufferBudget, ReadsLessTheFullerItIs) {
  BufferBudget budget(8 * mib);
  budget.take(4 * mib);
  EXPECT_EQ(budget.largest_quantum(), max_quantum);
  budget.take(1);
  EXPECT_EQ(budget.largest_quantum(), min_quantum);
  budget.take(3 * mib - 1);
  EXPECT_EQ(budget.largest_quantum(), min_quantum);
  budget.take(1);
  EXPECT_EQ(budget.largest_quantum(), scarce_quantum);
  budget.take(mib - 1);
  EXPECT_EQ(budget.largest_quantum(), scarce_quantum);
  budget.give_back(4 * mib);
  EXPECT_EQ(budget.largest_quantum(), max_quantum);
}

TEST(BufferBudget, ASmallShareIsNotFilledByAFewLargeReads) {
  BufferBudget budget(mib - 1);
  EXPECT_EQ(budget.largest_quantum(), min_quantum);
}

// Sessions of one thread whose clients read nothing, while their server sends without end.
class Sessions {
 public:
  struct One final : Tap {
    std::span<char> observe(imap::Direction, std::span<char> octets) noexcept override {
      largest = std::max(largest, octets.size());
      return octets;
    }
    void moved(imap::Direction, std::size_t octets) noexcept override { moved_octets += octets; }
    void timed(imap::Direction, std::chrono::nanoseconds) noexcept override {}
    Fd server, client;
    Leg from, to;
    Flow flow;
    std::size_t largest = 0;
    std::size_t moved_octets = 0;
  };

  explicit Sessions(std::uint64_t share) : buffers(share) {}

  One& add() {
    One& one = *all_.emplace_back(std::make_unique<One>());
    auto [from, server] = test::socket_pair();
    auto [to, client] = test::socket_pair();
    one.server = std::move(server);
    one.client = std::move(client);
    one.from.open(std::move(from), buffers);
    one.to.open(std::move(to), buffers);
    return one;
  }
  // The server sends until nothing more is taken.
  void fill(One& one) {
    const std::string block(64 * 1024, 's');
    do {
      while (write(one.server.get(), block.data(), block.size()) > 0) continue;
      one.from.on_events(EPOLLIN);
    } while (run(one) != Pumped::blocked && !one.to.starved());
  }
  Pumped run(One& one) { return pump(one.flow, imap::Direction::server_to_client, one.from, one.to, buffers, one); }
  std::size_t kept() const {
    std::size_t octets = 0;
    for (const auto& one : all_) octets += one->to.unsent();
    return octets;
  }

  ThreadBuffers buffers;

 private:
  std::vector<std::unique_ptr<One>> all_;
};

// G8: whatever the number of sessions, what is kept stays within the share; who finds no room ends, and no other.
TEST(BufferBudget, ManyFullSessionsStayWithinTheShare) {
  Sessions sessions(2 * mib);
  std::size_t starved = 0;
  std::vector<Sessions::One*> alive;
  for (int i = 0; i < 400; ++i) {
    Sessions::One& one = sessions.add();
    sessions.fill(one);
    if (one.to.starved()) {
      ++starved;
      EXPECT_FALSE(one.to.blocked());
    } else {
      alive.push_back(&one);
    }
    ASSERT_LE(sessions.buffers.budget.lent(), 2 * mib);
    ASSERT_EQ(sessions.buffers.budget.lent(), sessions.kept());
  }
  EXPECT_GT(alive.size(), 100U);
  EXPECT_GT(starved, 0U);
  EXPECT_LE(alive.back()->largest, scarce_quantum);

  // Room comes back with the first that reads, and the next ones are served as before.
  for (int i = 0; i < 100; ++i) {
    test::read_all(alive[static_cast<std::size_t>(i)]->client.get());
    alive[static_cast<std::size_t>(i)]->to.on_events(EPOLLOUT);
    EXPECT_EQ(alive[static_cast<std::size_t>(i)]->to.flush(), Io::ok);
  }
  Sessions::One& late = sessions.add();
  sessions.fill(late);
  EXPECT_FALSE(late.to.starved());
}

// I1: of what could not be kept the peer has an exact prefix.
TEST(BufferBudget, WhoFindsNoRoomHasGotAPrefix) {
  Sessions sessions(0);
  Sessions::One& one = sessions.add();
  std::string sent(4 * mib, '\0');
  for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>(i * 2654435761U >> 13);
  std::size_t at = 0;
  while (!one.to.starved()) {
    const ssize_t took = write(one.server.get(), sent.data() + at, sent.size() - at);
    if (took > 0) at += static_cast<std::size_t>(took);
    one.from.on_events(EPOLLIN);
    sessions.run(one);
  }
  const std::string got = test::read_all(one.client.get());
  EXPECT_GT(got.size(), 0U);
  EXPECT_EQ(got, sent.substr(0, got.size()));
  EXPECT_EQ(sessions.buffers.budget.lent(), 0U);
}

TEST(BufferBudget, AClosedLegGivesBackWhatItKept) {
  Sessions sessions(2 * mib);
  Sessions::One& one = sessions.add();
  sessions.fill(one);
  EXPECT_GT(sessions.buffers.budget.lent(), 0U);
  one.to.close();
  EXPECT_EQ(sessions.buffers.budget.lent(), 0U);
}

}  // namespace
}  // namespace imapmeter::proxy
