#include "metrics/top.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "metrics/session_table.h"
#include "metrics/status_json.h"
#include "tests/metrics/drive.h"

namespace imapmeter::metrics {
namespace {

// Of the API itself, so that the two cannot part.
TopAnswers answers() {
  Metrics metrics(one_listener(), 1, build());
  drive_imap(metrics.shard(0, 0));
  proxy::OpenSessions open;
  open.total = 1;
  proxy::OpenSession& session = open.shown.emplace_back();
  session.id = 42;
  session.state = imap::SessionState::idle;
  metrics.set_open_sessions([open] { return open; });
  metrics.step(metrics.snapshot());
  return {verdict_json(metrics.verdict()), status_json(metrics.snapshot(), true), metrics.open_sessions()};
}

TEST(Top, ShowsVerdictListenerServersAndSessions) {
  const std::string picture = top_picture(answers(), {200, 1000});
  EXPECT_TRUE(picture.starts_with("Since ")) << picture;
  for (const char* text : {"LISTENER default -> dovecot", "UNSOLICITED ", "SERVER of dovecot", "mail.example.org:993",
                           "SESSION (1 open)", "0-42", "idle", "failures   client: "})
    EXPECT_NE(picture.find(text), std::string::npos) << text << " in\n" << picture;
}

TEST(Top, FitsTheTerminal) {
  const std::string picture = top_picture(answers(), {40, 10});
  EXPECT_EQ(std::count(picture.begin(), picture.end(), '\n'), 9);
  std::size_t longest = 0;
  std::size_t length = 0;
  for (const char c : picture) {
    length = c == '\n' ? 0 : length + 1;
    longest = std::max(longest, length);
  }
  EXPECT_LE(longest, 40U);
}

TEST(Top, RefusesWhatIsNoAnswer) { EXPECT_THROW(top_picture({"{}", "{}", "{}"}, {}), nlohmann::json::exception); }

}  // namespace
}  // namespace imapmeter::metrics
