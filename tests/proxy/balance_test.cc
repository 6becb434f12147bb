#include "proxy/balance.h"

#include <gtest/gtest.h>

#include <vector>

namespace imapmeter::proxy {
namespace {

using config::Balance;

struct Servers {
  explicit Servers(std::vector<std::uint32_t> sessions) : states(sessions.size()) {
    for (std::size_t i = 0; i < sessions.size(); ++i) states[i].sessions = sessions[i];
  }
  Servers& down(std::size_t number) {
    states[number].up = false;
    return *this;
  }
  std::size_t choose(Balance balance, ServerSet tried = 0, std::size_t turn = 0) const {
    return choose_server(balance, states, tried, turn);
  }
  std::vector<ServerState> states;
};

TEST(Balance, LeastSessionsWin) {
  const Servers servers({5, 3, 4});
  for (std::size_t turn = 0; turn < 4; ++turn) EXPECT_EQ(servers.choose(Balance::least_sessions, 0, turn), 1U);
}

TEST(Balance, TiesTakeTurns) {
  const Servers servers({2, 1, 1});
  EXPECT_EQ(servers.choose(Balance::least_sessions, 0, 0), 1U);
  EXPECT_EQ(servers.choose(Balance::least_sessions, 0, 1), 1U);
  EXPECT_EQ(servers.choose(Balance::least_sessions, 0, 2), 2U);
  EXPECT_EQ(servers.choose(Balance::least_sessions, 0, 3), 1U);
}

TEST(Balance, SessionsThatStayAreSpreadEvenly) {
  Servers servers({0, 0, 0});
  for (std::size_t turn = 0; turn < 40; ++turn)
    ++servers.states[servers.choose(Balance::least_sessions, 0, turn)].sessions;
  EXPECT_EQ(servers.states[0].sessions, 14U);
  EXPECT_EQ(servers.states[1].sessions, 13U);
  EXPECT_EQ(servers.states[2].sessions, 13U);
}

TEST(Balance, FailoverGoesByTheOrderWhateverTheSessions) {
  Servers servers({9, 0, 0});
  for (std::size_t turn = 0; turn < 3; ++turn) EXPECT_EQ(servers.choose(Balance::failover, 0, turn), 0U);
  servers.down(0);
  for (std::size_t turn = 0; turn < 3; ++turn) EXPECT_EQ(servers.choose(Balance::failover, 0, turn), 1U);
}

TEST(Balance, WhatIsDownComesLast) {
  Servers servers({0, 7, 8});
  servers.down(0);
  EXPECT_EQ(servers.choose(Balance::least_sessions), 1U);
  EXPECT_EQ(servers.choose(Balance::least_sessions, 0b010), 2U);
  EXPECT_EQ(servers.choose(Balance::least_sessions, 0b110), 0U);
}

TEST(Balance, WhereAllAreDownTheyAreTriedAsIfAllWereUp) {
  Servers servers({2, 1, 3});
  servers.down(0).down(1).down(2);
  EXPECT_EQ(servers.choose(Balance::least_sessions), 1U);
  EXPECT_EQ(servers.choose(Balance::failover), 0U);
}

TEST(Balance, NoneIsLeft) {
  const Servers servers({0, 0});
  EXPECT_EQ(servers.choose(Balance::least_sessions, 0b11), 2U);
  EXPECT_EQ(servers.choose(Balance::failover, 0b11), 2U);
}

TEST(Balance, AsManyAsThereMayBe) {
  const Servers servers(std::vector<std::uint32_t>(config::most_servers, 0));
  EXPECT_EQ(servers.choose(Balance::least_sessions, ~ServerSet{0} >> 1), config::most_servers - 1);
  EXPECT_EQ(servers.choose(Balance::failover, ~ServerSet{0}), config::most_servers);
}

}  // namespace
}  // namespace imapmeter::proxy
