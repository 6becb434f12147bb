#include "metrics/session_table.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace imapmeter::metrics {
namespace {

using nlohmann::json;

TEST(SessionTable, SaysWhatIsKnownOfASession) {
  proxy::OpenSession session;
  session.id = (std::uint64_t{3} << proxy::session_id_worker_shift) | 42;
  session.server = 1;
  session.state = imap::SessionState::selected;
  session.age = std::chrono::milliseconds{1500};
  session.client_software = imap::ClientSoftware::thunderbird;
  session.tls = proxy::TlsVersion::tls1_3;
  session.client_text = "192.0.2.0/24";
  session.octets = {10, 2000};
  session.commands = {5, 2, 1, 0, 0};
  const SkeletonNames names{"default", {"a:143", "b:143"}};
  const json answer = json::parse(sessions_json({7, {session}}, {&names}));
  EXPECT_EQ(answer.at("total"), 7);
  EXPECT_EQ(answer.at("shown"), 1);
  EXPECT_EQ(answer.at("sessions").at(0), json({{"id", "3-42"},
                                               {"listener", "default"},
                                               {"server", "b:143"},
                                               {"state", "selected"},
                                               {"seconds", 1.5},
                                               {"software", name(imap::ClientSoftware::thunderbird)},
                                               {"tls", "TLSv1.3"},
                                               {"client", "192.0.2.0/24"},
                                               {"bytes_to_server", 10},
                                               {"bytes_to_client", 2000},
                                               {"commands", 8},
                                               {"no", 2},
                                               {"bad", 1}}));
}

TEST(SessionTable, ASessionWithoutAServerHasNone) {
  const SkeletonNames names{"default", {"a:143"}};
  const json answer = json::parse(sessions_json({1, {proxy::OpenSession{}}}, {&names}));
  EXPECT_EQ(answer.at("sessions").at(0).at("server"), nullptr);
}

}  // namespace
}  // namespace imapmeter::metrics
