// FAULTS B15, C13: what is granted, what is refused, and that all is given back.
#include "proxy/limits.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

namespace imapmeter::proxy {
namespace {

using std::chrono::milliseconds;
using TimePoint = Limits::TimePoint;

constexpr TimePoint now{std::chrono::hours(1)};

IpEndpoint ipv4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
  return {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d}, 4711, true};
}
IpEndpoint ipv6(std::array<std::uint8_t, 16> address) { return {address, 4711, true}; }

TEST(NetworkTable, CountsEachNetworkByItself) {
  NetworkTable table;
  EXPECT_TRUE(table.take(ipv4(192, 0, 2, 1), 2));
  EXPECT_TRUE(table.take(ipv4(192, 0, 2, 255), 2));
  EXPECT_FALSE(table.take(ipv4(192, 0, 2, 7), 2));
  EXPECT_TRUE(table.take(ipv4(192, 0, 3, 7), 2));
  EXPECT_EQ(table.size(), 2U);
  table.give_back(ipv4(192, 0, 2, 1));
  EXPECT_TRUE(table.take(ipv4(192, 0, 2, 7), 2));
}

TEST(NetworkTable, AnIpv6NetworkIsA48) {
  NetworkTable table;
  EXPECT_TRUE(table.take(ipv6({0x20, 1, 0xd, 0xb8, 0, 1, 0, 0, 1}), 1));
  EXPECT_FALSE(table.take(ipv6({0x20, 1, 0xd, 0xb8, 0, 1, 0xff, 0xff, 2}), 1));
  EXPECT_TRUE(table.take(ipv6({0x20, 1, 0xd, 0xb8, 0, 2}), 1));
  // ::/48 is neither 0.0.0.0/24 nor "no address".
  EXPECT_TRUE(table.take(ipv6({}), 1));
  EXPECT_TRUE(table.take(ipv4(0, 0, 0, 0), 1));
  EXPECT_TRUE(table.take({}, 1));
}

TEST(NetworkTable, WhoHasNoAddressIsOneNetwork) {
  NetworkTable table;
  EXPECT_TRUE(table.take({}, 1));
  EXPECT_FALSE(table.take({}, 1));
}

TEST(NetworkTable, KeepsNothingOfANetworkWithoutSessions) {
  NetworkTable table;
  for (std::uint8_t i = 0; i < 200; ++i) table.take(ipv4(10, 0, i, 1), 1);
  EXPECT_EQ(table.size(), 200U);
  for (std::uint8_t i = 0; i < 200; ++i) table.give_back(ipv4(10, 0, i, 1));
  EXPECT_EQ(table.size(), 0U);
}

TEST(NetworkTable, IsExactWhateverThreadsDo) {
  NetworkTable table;
  std::atomic<int> granted{0};
  const auto work = [&](std::uint8_t seed) {
    std::mt19937 random(seed);
    for (int i = 0; i < 20'000; ++i) {
      const IpEndpoint client = ipv4(10, 0, static_cast<std::uint8_t>(random() % 8), seed);
      if (!table.take(client, 1)) continue;
      ++granted;
      table.give_back(client);
    }
  };
  std::thread one(work, 1);
  std::thread two(work, 2);
  one.join();
  two.join();
  EXPECT_GT(granted, 20'000);
  EXPECT_EQ(table.size(), 0U);
}

TEST(RateLimit, GrantsItsRateAndASecondsWorthAtOnce) {
  RateLimit rate(10);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(rate.take(now)) << i;
  EXPECT_FALSE(rate.take(now));
  EXPECT_FALSE(rate.take(now + milliseconds(99)));
  EXPECT_TRUE(rate.take(now + milliseconds(100)));
  EXPECT_FALSE(rate.take(now + milliseconds(101)));
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(rate.take(now + std::chrono::minutes(1))) << i;
  EXPECT_FALSE(rate.take(now + std::chrono::minutes(1)));
}

TEST(RateLimit, OnePerSecond) {
  RateLimit rate(1);
  EXPECT_TRUE(rate.take(now));
  EXPECT_FALSE(rate.take(now + milliseconds(999)));
  EXPECT_TRUE(rate.take(now + milliseconds(1000)));
}

TEST(MemoryWatch, IsShortFrom95PercentUntilBelow90) {
  MemoryWatch memory(1000);
  memory.look(949);
  EXPECT_FALSE(memory.is_short());
  memory.look(950);
  EXPECT_TRUE(memory.is_short());
  memory.look(900);
  EXPECT_TRUE(memory.is_short());
  memory.look(899);
  EXPECT_FALSE(memory.is_short());
  memory.look(949);
  EXPECT_FALSE(memory.is_short());
}

TEST(MemoryWatch, WithoutALimitIsNeverShort) {
  MemoryWatch memory(0);
  memory.look(UINT64_MAX);
  EXPECT_FALSE(memory.is_short());
}

class LimitsTest : public testing::Test {
 protected:
  LimitsTest() { config_.memory = 64 << 20; }
  Limits& limits() {
    if (!limits_) limits_.emplace(config_, std::vector<bool>{true, false, true}, 2);
    return *limits_;
  }
  config::Limits config_;

 private:
  std::optional<Limits> limits_;
};

const IpEndpoint somebody = ipv4(192, 0, 2, 1);

TEST_F(LimitsTest, WithoutLimitsAllIsGranted) {
  Slots slots;
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(limits().admit_connection(slots), std::nullopt);
    EXPECT_EQ(limits().admit_client(slots, 0, somebody, now), std::nullopt);
    EXPECT_EQ(limits().admit_upstream(slots, 1), std::nullopt);
  }
  EXPECT_FALSE(slots.session || slots.network || slots.handshake || slots.upstream);
}

TEST_F(LimitsTest, SessionsInAll) {
  config_.sessions = 2;
  std::array<Slots, 3> slots;
  EXPECT_EQ(limits().admit_connection(slots[0]), std::nullopt);
  EXPECT_EQ(limits().admit_connection(slots[1]), std::nullopt);
  EXPECT_EQ(limits().admit_connection(slots[2]), CloseReason::limit_global);
  limits().release(slots[2], 0, 0, somebody);  // held nothing: gives nothing back
  EXPECT_EQ(limits().admit_connection(slots[2]), CloseReason::limit_global);
  limits().release(slots[0], 0, 0, somebody);
  limits().release(slots[0], 0, 0, somebody);  // once is enough
  EXPECT_EQ(limits().admit_connection(slots[2]), std::nullopt);
  EXPECT_EQ(limits().admit_connection(slots[0]), CloseReason::limit_global);
}

TEST_F(LimitsTest, SessionsOfANetwork) {
  config_.sessions_per_network = 1;
  Slots one;
  Slots two;
  EXPECT_EQ(limits().admit_client(one, 0, somebody, now), std::nullopt);
  EXPECT_EQ(limits().admit_client(two, 1, ipv4(192, 0, 2, 9), now), CloseReason::limit_per_ip);
  EXPECT_EQ(limits().admit_client(two, 1, ipv4(192, 0, 3, 9), now), std::nullopt);
  limits().release(one, 0, 0, somebody);
  EXPECT_EQ(limits().admit_client(one, 0, ipv4(192, 0, 2, 9), now), std::nullopt);
}

TEST_F(LimitsTest, SessionsOfAnUpstream) {
  config_.sessions_per_upstream = 1;
  Slots one;
  Slots two;
  EXPECT_EQ(limits().admit_upstream(one, 0), std::nullopt);
  EXPECT_EQ(limits().admit_upstream(two, 0), CloseReason::limit_per_upstream);
  EXPECT_EQ(limits().admit_upstream(two, 1), std::nullopt);
  limits().release(one, 0, 0, somebody);
  EXPECT_EQ(limits().admit_upstream(one, 0), std::nullopt);
}

TEST_F(LimitsTest, HandshakesAtOnceOfATlsListener) {
  config_.handshakes = 1;
  std::array<Slots, 4> slots;
  EXPECT_EQ(limits().admit_client(slots[0], 0, somebody, now), std::nullopt);
  EXPECT_EQ(limits().admit_client(slots[1], 0, somebody, now), CloseReason::limit_handshakes);
  EXPECT_EQ(limits().admit_client(slots[1], 1, somebody, now), std::nullopt) << "a plain listener has no handshakes";
  EXPECT_EQ(limits().admit_client(slots[2], 2, somebody, now), std::nullopt) << "another listener";
  limits().end_handshake(slots[0], 0);
  limits().end_handshake(slots[0], 0);
  EXPECT_EQ(limits().admit_client(slots[3], 0, somebody, now), std::nullopt);
  EXPECT_EQ(limits().admit_client(slots[0], 0, somebody, now), CloseReason::limit_handshakes);
}

TEST_F(LimitsTest, HandshakesPerSecondOfATlsListener) {
  config_.handshakes_per_second = 2;
  config_.handshakes = 2;
  std::array<Slots, 3> slots;
  EXPECT_EQ(limits().admit_client(slots[0], 0, somebody, now), std::nullopt);
  EXPECT_EQ(limits().admit_client(slots[1], 0, somebody, now), std::nullopt);
  // What another limit refuses uses up none of the rate.
  EXPECT_EQ(limits().admit_client(slots[2], 0, somebody, now + milliseconds(500)), CloseReason::limit_handshakes);
  limits().end_handshake(slots[0], 0);
  EXPECT_EQ(limits().admit_client(slots[2], 0, somebody, now + milliseconds(500)), std::nullopt);
  limits().end_handshake(slots[1], 0);
  EXPECT_EQ(limits().admit_client(slots[0], 0, somebody, now + milliseconds(500)), CloseReason::limit_rate);
  limits().release(slots[0], 0, 0, somebody);
  EXPECT_EQ(limits().admit_client(slots[0], 0, somebody, now + milliseconds(1000)), std::nullopt);
}

TEST_F(LimitsTest, NewSessionsWithoutMemory) {
  Slots slots;
  limits().memory.look(64 << 20);
  EXPECT_EQ(limits().admit_connection(slots), CloseReason::limit_memory);
  limits().memory.look(32 << 20);
  EXPECT_EQ(limits().admit_connection(slots), std::nullopt);
}

class MemoryOfSystem : public testing::Test {
 protected:
  MemoryOfSystem() { std::filesystem::create_directories(root_ / "system.slice/imapmeter.service"); }
  ~MemoryOfSystem() override { std::filesystem::remove_all(root_); }
  void write(const std::string& path, const std::string& text) { std::ofstream(root_ / path) << text << '\n'; }
  std::uint64_t limit() { return memory_limit_of_system(root_, root_ / "membership"); }
  std::filesystem::path root_ = std::filesystem::temp_directory_path() / ("limits_test." + std::to_string(getpid()));
};

TEST_F(MemoryOfSystem, IsTheLowestOfTheCgroupAndThoseAboveIt) {
  write("membership", "0::/system.slice/imapmeter.service");
  EXPECT_EQ(limit(), 0U);
  write("system.slice/imapmeter.service/memory.max", "max");
  EXPECT_EQ(limit(), 0U);
  write("memory.max", "3000000");
  EXPECT_EQ(limit(), 3000000U);
  write("system.slice/memory.max", "1000000");
  EXPECT_EQ(limit(), 1000000U);
  write("system.slice/imapmeter.service/memory.max", "2000000");
  EXPECT_EQ(limit(), 1000000U);
}

// In a container the cgroup of the process is its root.
TEST_F(MemoryOfSystem, IsThatOfTheRootInANamespace) {
  write("membership", "1:name=systemd:/\n0::/");
  write("memory.max", "3000000");
  EXPECT_EQ(limit(), 3000000U);
}

TEST_F(MemoryOfSystem, ThisProcessIsResident) {
  EXPECT_GT(resident_memory(), 1U << 20);
  EXPECT_LT(resident_memory(), std::uint64_t{16} << 30);
}

}  // namespace
}  // namespace imapmeter::proxy
