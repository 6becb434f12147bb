// What the two HTTP listeners serve, and to whom.
#include "metrics/admin_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/metrics/drive.h"
#include "tests/support/exposition.h"
#include "tests/support/http_client.h"

namespace imapmeter::metrics {
namespace {

using test::http;
using test::http_get;
using test::HttpAnswer;
using testing::HasSubstr;

constexpr std::array operator_pages = {"/",
                                       "/chart.js",
                                       "/console/console.css",
                                       "/api/v1/status",
                                       "/api/v1/verdict",
                                       "/api/v1/history",
                                       "/api/v1/sessions",
                                       "/api/v1/events",
                                       "/api/v1/skeletons"};

class AdminServerTest : public testing::Test {
 protected:
  void start(const std::string& metrics_address = "127.0.0.1:0", const std::string& admin_address = "127.0.0.1:0") {
    server_ = std::make_unique<AdminServer>(metrics_address, admin_address, metrics_, [this] { return ready_.load(); });
    server_->start();
  }
  const std::string& open() const { return server_->metrics_address(); }
  const std::string& admin() const { return server_->admin_address(); }

  Metrics metrics_{one_listener(), 1, build()};
  std::atomic<bool> ready_{true};
  std::unique_ptr<AdminServer> server_;
};

std::string socket_path() { return testing::TempDir() + "imapmeter_admin_" + std::to_string(getpid()) + ".sock"; }

std::string refusal(const std::string& metrics_address, const std::string& admin_address, const Metrics& metrics) {
  try {
    const AdminServer server(metrics_address, admin_address, metrics, [] { return true; });
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

TEST_F(AdminServerTest, ServesTheNumbersOnBoth) {
  start();
  metrics_.shard(0, 0).on_accepted();
  for (const std::string& address : {open(), admin()}) {
    const HttpAnswer answer = http_get(address, "/metrics");
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.field("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
    EXPECT_EQ(answer.field("Content-Length"), std::to_string(answer.body.size()));
    EXPECT_EQ(answer.field("Cache-Control"), "no-store");
    EXPECT_EQ(answer.field("X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(answer.field("Connection"), "close");
    EXPECT_EQ(answer.field("Content-Encoding"), "");
    EXPECT_EQ(test::parse_exposition(answer.body).value("imapmeter_sessions_accepted_total", {{"listener", "default"}}),
              1);
  }
  EXPECT_EQ(http_get(open(), "/metrics?x=y").status, 200);
}

TEST_F(AdminServerTest, CompressesOnRequest) {
  start();
  const HttpAnswer plain = http_get(open(), "/metrics");
  const HttpAnswer packed = http_get(open(), "/metrics", "Accept-Encoding: deflate, gzip\r\n");
  EXPECT_EQ(packed.status, 200);
  EXPECT_EQ(packed.field("Content-Encoding"), "gzip");
  EXPECT_EQ(packed.field("Content-Length"), std::to_string(packed.body.size()));
  EXPECT_TRUE(packed.body.starts_with("\x1f\x8b"));
  EXPECT_LT(packed.body.size() * 4, plain.body.size());
}

TEST_F(AdminServerTest, AnswersHeadWithTheHeaderAlone) {
  start();
  const HttpAnswer answer = http(open(), "HEAD /livez HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.field("Content-Length"), "6");
  EXPECT_EQ(answer.body, "");
}

TEST_F(AdminServerTest, SaysWhetherItIsAliveAndReady) {
  start();
  EXPECT_EQ(http_get(open(), "/readyz").status, 200);
  ready_ = false;
  EXPECT_EQ(http_get(open(), "/readyz").status, 503);
  EXPECT_EQ(http_get(admin(), "/readyz").status, 503);
  EXPECT_EQ(http_get(open(), "/livez").status, 200);
  ready_ = true;
  EXPECT_EQ(http_get(open(), "/readyz").status, 200);
  EXPECT_EQ(http_get(open(), "/readyz?other=query").status, 404);  // never a wrong "ready"
}

TEST_F(AdminServerTest, SaysWhetherAnUpstreamIsUsable) {
  start();
  EXPECT_EQ(http_get(open(), "/readyz?upstream=dovecot").status, 200);  // no check has said otherwise
  EXPECT_EQ(http_get(open(), "/readyz?upstream=nobody").status, 404);
  metrics_.note_health_check(0, 0, false, false);
  EXPECT_EQ(http_get(open(), "/readyz?upstream=dovecot").status, 200);
  metrics_.note_health_check(0, 1, false, false);
  EXPECT_EQ(http_get(open(), "/readyz?upstream=dovecot").status, 503);
  EXPECT_EQ(http_get(open(), "/readyz").status, 200);
  metrics_.note_health_check(0, 1, true, true);
  EXPECT_EQ(http_get(admin(), "/readyz?upstream=dovecot").status, 200);
  ready_ = false;
  EXPECT_EQ(http_get(open(), "/readyz?upstream=dovecot").status, 503);
}

TEST_F(AdminServerTest, ServesTheOperatorOnAdminOnly) {
  start();
  metrics_.shard(0, 0).on_accepted();
  metrics_.shard(0, 0).on_upstream_connect(0, proxy::ConnectResult::refused);
  const HttpAnswer answer = http_get(admin(), "/api/v1/status");
  EXPECT_EQ(answer.field("Content-Type"), "application/json");
  const auto status = nlohmann::json::parse(answer.body);
  EXPECT_EQ(status.at("ready"), true);
  EXPECT_EQ(status.at("build").at("version"), "0.1.0");
  const auto& listener = status.at("listeners").at(0);
  EXPECT_EQ(listener.at("name"), "default");
  EXPECT_EQ(listener.at("sessions_accepted"), 1);
  EXPECT_EQ(listener.at("sessions").at("connecting"), 1);
  EXPECT_EQ(listener.at("status_codes").size(), 18U);
  EXPECT_EQ(listener.at("rates_per_second").at("BYE").at("15m"), 0.0);
  EXPECT_EQ(status.at("upstreams").at(0).at("servers").at(1).at("connects").at("refused"), 1);

  for (const char* path : operator_pages) {
    EXPECT_EQ(http_get(admin(), path).status, 200) << path;
    EXPECT_EQ(http_get(open(), path).status, 404) << path;
  }
}

// The console may load its own files and ask the API; no other page may do anything in a browser.
TEST_F(AdminServerTest, OnlyTheConsoleMayRunScripts) {
  start();
  const HttpAnswer console = http_get(admin(), "/");
  EXPECT_EQ(console.field("Content-Type"), "text/html; charset=utf-8");
  EXPECT_THAT(console.body, HasSubstr("<html lang=\"en\""));
  EXPECT_THAT(console.body, testing::Not(testing::AnyOf(HasSubstr("src=\"http"), HasSubstr("href=\"http"))));
  EXPECT_THAT(console.field("Content-Security-Policy"), HasSubstr("script-src 'self';"));
  EXPECT_THAT(http_get(admin(), "/chart.js").body, HasSubstr("Chart.js"));
  EXPECT_EQ(http_get(admin(), "/console/console.css").field("Content-Type"), "text/css; charset=utf-8");
  for (const char* path : {"/api/v1/status", "/metrics", "/chart.js", "/nowhere"})
    EXPECT_EQ(http_get(admin(), path).field("Content-Security-Policy"), "default-src 'none'; frame-ancestors 'none'");
}

TEST_F(AdminServerTest, TheApiHasHistoryVerdictAndSessions) {
  start();
  metrics_.shard(0, 0).on_accepted();
  metrics_.step(metrics_.snapshot());
  const auto history = nlohmann::json::parse(http_get(admin(), "/api/v1/history").body);
  EXPECT_EQ(history.at("listeners").at(0).at("series").at("accepted"), nlohmann::json::array({1}));
  EXPECT_EQ(nlohmann::json::parse(http_get(admin(), "/api/v1/verdict").body).at("state"), "not_enough_data");
  EXPECT_EQ(nlohmann::json::parse(http_get(admin(), "/api/v1/sessions").body).at("total"), 0);
}

// FAULTS D3: paths are compared as they are, and nothing is read from disk.
TEST_F(AdminServerTest, D3ServesNoFile) {
  start();
  for (const std::string& address : {open(), admin()}) {
    for (const std::string target :
         {"/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/metrics/../../etc/passwd", "/metrics/", "//metrics",
          "/metrics%00", "/METRICS", "/etc/passwd", "http://127.0.0.1/metrics", "/metrics#x", "*"}) {
      const int status = http_get(address, target).status;
      EXPECT_EQ(status, 404) << target;
    }
    EXPECT_EQ(http(address, std::string("GET /metrics\0 HTTP/1.1\r\nHost: x\r\n\r\n", 34)).status, 400);
  }
}

TEST_F(AdminServerTest, D3AnswersGetAndHeadOnly) {
  start();
  for (const std::string method : {"POST", "PUT", "DELETE", "TRACE", "OPTIONS", "PATCH", "CONNECT", "get", "BREW"}) {
    const HttpAnswer answer = http(admin(), method + " /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(answer.status, 405) << method;
    EXPECT_EQ(answer.field("Allow"), "GET, HEAD") << method;
  }
  const HttpAnswer body = http(admin(), "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_EQ(body.status, 405);
}

// FAULTS D7.
TEST_F(AdminServerTest, D7AnAdminOpenToTheNetworkServesOnlyWhatMetricsServes) {
  start("", "0.0.0.0:0");
  EXPECT_EQ(open(), "");
  const std::string reachable = "127.0.0.1" + admin().substr(admin().rfind(':'));
  EXPECT_EQ(http_get(reachable, "/metrics").status, 200);
  EXPECT_EQ(http_get(reachable, "/livez").status, 200);
  EXPECT_EQ(http_get(reachable, "/readyz").status, 200);
  for (const char* path : operator_pages) EXPECT_EQ(http_get(reachable, path).status, 404) << path;
}

TEST_F(AdminServerTest, ListensOnIPv6) {
  start("0.0.0.0:0", "[::1]:0");
  EXPECT_THAT(admin(), testing::MatchesRegex("\\[::1\\]:[1-9][0-9]*"));
}

TEST_F(AdminServerTest, ServesOnAUnixSocketOfItsOwner) {
  const std::string path = socket_path();
  start("", "unix:" + path);
  EXPECT_EQ(admin(), "unix:" + path);
  struct stat info {};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  EXPECT_EQ(http_get(admin(), "/api/v1/status").status, 200);
  // Somebody listens there: not ours to take.
  EXPECT_THAT(refusal("", admin(), metrics_), HasSubstr(path));
  EXPECT_EQ(http_get(admin(), "/livez").status, 200);
  server_->stop();
  EXPECT_NE(stat(path.c_str(), &info), 0);
}

TEST_F(AdminServerTest, ReplacesASocketThatNobodyListensOn) {
  const std::string path = socket_path();
  {
    const AdminServer gone("", "unix:" + path, metrics_, [] { return true; });
    ASSERT_EQ(link(path.c_str(), (path + ".kept").c_str()), 0);
  }
  ASSERT_EQ(rename((path + ".kept").c_str(), path.c_str()), 0);
  start("", "unix:" + path);
  EXPECT_EQ(http_get(admin(), "/livez").status, 200);
}

TEST_F(AdminServerTest, LeavesAFileThatIsNoSocket) {
  const std::string path = socket_path();
  std::ofstream(path) << "mail";
  EXPECT_THAT(refusal("", "unix:" + path, metrics_), HasSubstr(path));
  struct stat info {};
  EXPECT_EQ(stat(path.c_str(), &info), 0);
  unlink(path.c_str());
}

// FAULTS D5: the start fails with a sentence that names the address.
TEST_F(AdminServerTest, D5SaysWhyItCannotBind) {
  start();
  EXPECT_EQ(refusal("", admin(), metrics_), "cannot serve HTTP on " + admin() + ": Address already in use");
  EXPECT_EQ(refusal(open(), "none", metrics_), "cannot serve HTTP on " + open() + ": Address already in use");
  EXPECT_THAT(refusal("", "192.0.2.1:19143", metrics_), HasSubstr("192.0.2.1:19143: Cannot assign"));
  EXPECT_EQ(refusal("", "nonsense", metrics_), "cannot serve HTTP on nonsense: neither host:port nor unix:/path");
  EXPECT_THAT(refusal("", "unix:/" + std::string(200, 'x'), metrics_), HasSubstr("too long"));
}

TEST_F(AdminServerTest, CanBeWithoutListenersAndStopTwice) {
  start("", "none");
  EXPECT_EQ(open(), "");
  EXPECT_EQ(admin(), "");
  server_->stop();
  server_->stop();
}

TEST_F(AdminServerTest, StopsWithConnectionsOpen) {
  start();
  test::HttpClient idle(open());
  test::HttpClient half(admin());
  half.send("GET / HT");
  EXPECT_EQ(http_get(admin(), "/livez").status, 200);  // both were accepted before
  server_->stop();
  server_.reset();
  EXPECT_TRUE(idle.closed_within(std::chrono::seconds{10}));
  EXPECT_TRUE(half.closed_within(std::chrono::seconds{10}));
}

}  // namespace
}  // namespace imapmeter::metrics
