#include "metrics/skeletons.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "metrics/admin_server.h"
#include "metrics/why.h"
#include "tests/metrics/drive.h"

namespace imapmeter::metrics {
namespace {

proxy::SessionFacts facts_of(std::uint64_t id, imap::Outcome outcome) {
  proxy::SessionFacts facts;
  facts.id = (std::uint64_t{3} << proxy::session_id_worker_shift) + id;
  facts.server = 1;
  facts.outcome = outcome;
  facts.flight.command_started(std::chrono::milliseconds(10),
                               {imap::Command::login, 41, imap::Mechanism::login_command});
  return facts;
}

void end(Metrics& metrics, std::uint64_t id, imap::Outcome outcome) {
  const proxy::SessionFacts facts = facts_of(id, outcome);
  metrics.shard(0, 0).on_closed({proxy::CloseReason::upstream_eof, proxy::Phase::login, imap::SessionState::logout,
                                 std::chrono::milliseconds(12'310), &facts});
}

TEST(Skeletons, KeepsWhatEndedBadly) {
  Metrics metrics(one_listener(), 1, build());
  end(metrics, 1, imap::Outcome::good);
  end(metrics, 2, imap::Outcome::cut);
  const auto kept = metrics.skeletons().all();
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0]->id, "3-2");
  EXPECT_EQ(kept[0]->server, "[2001:db8::1]:1993");
  EXPECT_EQ(kept[0]->events.size(), 1U);
}

TEST(Skeletons, KeepsTheLastFiveHundred) {
  Metrics metrics(one_listener(), 1, build());
  for (std::uint64_t id = 0; id < Skeletons::kept + 10; ++id) end(metrics, id, imap::Outcome::cut);
  const auto kept = metrics.skeletons().all();
  ASSERT_EQ(kept.size(), Skeletons::kept);
  EXPECT_EQ(kept.front()->id, "3-509");
  EXPECT_EQ(kept.back()->id, "3-10");
}

TEST(Skeletons, AreJson) {
  Metrics metrics(one_listener(), 1, build());
  end(metrics, 2, imap::Outcome::cut);
  const auto read = nlohmann::json::parse(skeletons_json(metrics.skeletons().all()));
  const auto& one = read.at("skeletons").at(0);
  EXPECT_EQ(one.at("id"), "3-2");
  EXPECT_EQ(one.at("outcome"), "cut");
  EXPECT_EQ(one.at("reason"), "upstream_eof");
  EXPECT_EQ(one.at("duration_ms"), 12'310);
  EXPECT_EQ(one.at("events_forgotten"), 0);
  EXPECT_EQ(one.at("events").at(0), "+0.010 C LOGIN 41 B");
}

TEST(Why, AsksTheRunningOne) {
  Metrics metrics(one_listener(), 1, build());
  AdminServer server("", "127.0.0.1:0", metrics, [] { return true; });
  server.start();
  EXPECT_EQ(why(server.admin_address(), ""), "no session has ended badly\n");
  end(metrics, 2, imap::Outcome::cut);
  end(metrics, 5, imap::Outcome::login_rejected);
  EXPECT_EQ(why(server.admin_address(), "3-2"),
            "session 3-2 of listener default, server [2001:db8::1]:1993, client software none\n"
            "outcome cut, closed upstream_eof in phase login after 12.310 s, 0 events forgotten\n"
            "+0.010 C LOGIN 41 B\n");
  const std::string all = why(server.admin_address(), "");
  EXPECT_LT(all.find("session 3-5 "), all.find("session 3-2 "));
  EXPECT_THROW(why(server.admin_address(), "9-9"), std::runtime_error);
  const std::string address = server.admin_address();
  server.stop();
  EXPECT_THROW(why(address, "3-2"), std::runtime_error);
}

}  // namespace
}  // namespace imapmeter::metrics
