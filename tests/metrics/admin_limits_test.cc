// What a hostile peer of the HTTP listeners can make us spend: FAULTS D1, D2, D4, C1.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <list>
#include <vector>

#include "metrics/admin_server.h"
#include "tests/metrics/drive.h"
#include "tests/support/exposition.h"
#include "tests/support/http_client.h"

namespace imapmeter::metrics {
namespace {

using namespace std::chrono_literals;
using test::http;
using test::http_get;
using test::HttpAnswer;
using test::HttpClient;
using Time = std::chrono::steady_clock;

class AdminLimitsTest : public testing::Test {
 protected:
  void start(const AdminLimits& limits = {}) {
    server_ = std::make_unique<AdminServer>(
        "127.0.0.1:0", "127.0.0.1:0", metrics_, [] { return true; }, limits);
    server_->start();
  }
  // UBSan needs a descriptor where it meets the first object of a type: for tests that leave it none.
  void answer_once() {
    start();
    http_get(admin(), "/metrics");
    server_.reset();
  }
  const std::string& open() const { return server_->metrics_address(); }
  const std::string& admin() const { return server_->admin_address(); }

  Metrics metrics_{one_listener(), 1, build()};
  std::unique_ptr<AdminServer> server_;
};

constexpr std::string_view request = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";

// The tests below shorten the waits; these are the product's.
TEST(AdminLimits, AreThoseOfTheCatalogue) {
  const AdminLimits limits;
  EXPECT_EQ(limits.header_octets, 8192U);
  EXPECT_EQ(limits.request_timeout, 5s);
  EXPECT_EQ(limits.write_timeout, 10s);
  EXPECT_EQ(limits.connections, 16U);
  EXPECT_EQ(limits.scrapes_per_second, 10U);
  EXPECT_GE(limits.spare_descriptors, 1U);
  EXPECT_EQ(limits.accept_backoff, 100ms);  // 10 failed accepts per second, of 20 allowed
}

TEST_F(AdminLimitsTest, D1EndsWhoeverSaysNothing) {
  start({.request_timeout = 50ms});
  HttpClient silent(open());
  EXPECT_TRUE(silent.closed_within(10s));
}

// The time-out is for the whole header: a peer that sends an octet now and then does not prolong it.
TEST_F(AdminLimitsTest, D1EndsASlowHeader) {
  start({.request_timeout = 300ms});
  HttpClient loris(open());
  loris.send("GET /metrics HTTP/1.1\r\nHost: x\r\nX: ");
  const auto begin = Time::now();
  bool closed = false;
  while (!closed && Time::now() - begin < 10s) {
    loris.send("a");
    closed = loris.closed_within(5ms);
  }
  EXPECT_TRUE(closed);
  EXPECT_GE(Time::now() - begin, 250ms);
}

// So that its exposition does not fit into a socket.
config::Config many_listeners() {
  config::Config many = one_listener();
  for (int i = 0; i < 200; ++i) {
    many.listeners.push_back(many.listeners[0]);
    many.listeners.back().name = "listener" + std::to_string(i);
  }
  return many;
}

// One who never reads the answer: its sender waits for the write time-out, and resets.
TEST_F(AdminLimitsTest, D1EndsASlowReader) {
  const Metrics large(many_listeners(), 1, build());
  AdminServer server("127.0.0.1:0", "none", large, [] { return true; }, {.write_timeout = 100ms});
  server.start();
  HttpClient slow(server.metrics_address(), "", 4096);
  slow.send(request);
  EXPECT_TRUE(slow.closed_within(10s));
  HttpClient quick(server.metrics_address());
  quick.send(request);
  EXPECT_EQ(quick.read().status, 200);
}

// One who has the answer and does not close is not waited for.
TEST_F(AdminLimitsTest, D1EndsWhoeverDoesNotClose) {
  start({.write_timeout = 50ms});
  HttpClient client(open());
  client.send(request);
  EXPECT_EQ(client.read().status, 200);
  const auto begin = Time::now();
  while (client.send("x") && Time::now() - begin < 10s) client.closed_within(1ms);
  EXPECT_FALSE(client.send("x"));
}

TEST_F(AdminLimitsTest, D1TheSeventeenthConnectionDropsTheOldest) {
  start();
  std::list<HttpClient> held;
  for (int i = 0; i < 16; ++i) held.emplace_back(open());
  HttpClient next(open());
  EXPECT_TRUE(held.front().closed_within(10s));
  held.pop_front();
  // All the others are still served, and so is the seventeenth.
  next.send(request);
  EXPECT_EQ(next.read().status, 200);
  for (HttpClient& each : held) {
    each.send("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(each.read().status, 200);
  }
}

TEST_F(AdminLimitsTest, D1SparesWhoeverIsBeingAnswered) {
  const Metrics large(many_listeners(), 1, build());
  AdminServer server("127.0.0.1:0", "none", large, [] { return true; });
  server.start();
  HttpClient reader(server.metrics_address(), "", 4096);
  reader.send(request);
  ASSERT_TRUE(reader.readable_within(10s));  // its answer has begun
  std::list<HttpClient> held;
  for (int i = 0; i < 16; ++i) held.emplace_back(server.metrics_address());
  EXPECT_TRUE(held.front().closed_within(10s));
  const HttpAnswer answer = reader.read();
  EXPECT_EQ(answer.field("Content-Length"), std::to_string(answer.body.size()));
  EXPECT_GT(answer.body.size(), 4U << 20) << "the most that tcp_wmem lets the system keep for it";
}

// 200 that keep coming and say half a request.
TEST_F(AdminLimitsTest, D1AnswersWhile200AreHeld) {
  start();
  std::list<HttpClient> loris;
  for (int i = 0; i < 200; ++i) loris.emplace_back(open()).send("GET /metrics HT");
  const auto begin = Time::now();
  EXPECT_EQ(http_get(open(), "/metrics").status, 200);
  EXPECT_EQ(http_get(admin(), "/metrics").status, 200);
  EXPECT_LT(Time::now() - begin, 1s);
}

std::string header_of(std::size_t octets) {
  std::string text = "GET /livez HTTP/1.1\r\nHost: x\r\nX: ";
  text.append(octets - text.size() - 4, 'a');
  return text + "\r\n\r\n";
}

TEST_F(AdminLimitsTest, D2ReadsAHeaderOf8KiBAndNoMore) {
  start();
  EXPECT_EQ(http(open(), header_of(8192)).status, 200);
  EXPECT_EQ(http(open(), header_of(8193)).status, 431);
  EXPECT_EQ(http(open(), header_of(100'000)).status, 431);
  EXPECT_EQ(http(open(), "GET /" + std::string(100'000, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n").status, 431);
}

TEST_F(AdminLimitsTest, D2RefusesShapesThatAPageRequestNeverHas) {
  start();
  const std::string get = "GET /livez HTTP/1.1\r\nHost: x\r\n";
  const std::vector<std::pair<int, std::string>> table = {
      {413, get + "Content-Length: 5\r\n\r\nhello"},
      {413, get + "Content-Length: 900000\r\n\r\n" + std::string(900'000, 'a')},
      {413, get + "Content-Length: 5\r\n\r\n"},
      {400, get + "Content-Length: -1\r\n\r\n"},
      {400, get + "Content-Length: 99999999999999999999\r\n\r\n"},
      {400, get + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {400, get + "Transfer-Encoding: identity\r\n\r\n"},
      {400, get + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"},
      {400, get + "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n"},
      {400, get + "Content-Length: 0\r\nContent-Length: 5\r\n\r\nhello"},
      {400, get + "Content-Length : 0\r\n\r\n"},
      {400, get + "Content-Length: +0\r\n\r\n"},
      {417, get + "Expect: 100-continue\r\n\r\n"},
      {417, get + "Expect: nonsense\r\n\r\n"},
      {400, get + "Host: y\r\n\r\n"},
      {400, "GET /livez HTTP/1.1\r\n\r\n"},
      {400, "GET /livez HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n"},
      {400, get + "\r\n" + get + "\r\n"},  // pipelining
      {400, get + "X\r\n\r\n"},
      {400, get + "X: a\nY: b\r\n\r\n"},
      {400, get + std::string("X: \0\r\n\r\n", 8)},
      {400, "GET /livez\r\n\r\n"},  // HTTP/0.9
      {400, "GET /livez\r\n"},
      {400, "GET /livez HTTP\r\n\r\n"},
      {400, "GET /livez HTTP/2.0\r\nHost: x\r\n\r\n"},
      {400, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
      {400, "GET  /livez HTTP/1.1\r\nHost: x\r\n\r\n"},
      {400, "GET /livez HTTP/1.1 \r\nHost: x\r\n\r\n"},
      {400, "\x16\x03\x01\x02\x01\x01\x01\xfc\x03\x03"},  // TLS
      {400, "* OK IMAP4rev1\r\n\r\n"},
  };
  for (const auto& [status, octets] : table) {
    HttpClient client(open());
    client.send(octets);
    const HttpAnswer answer = client.read();  // up to the close
    EXPECT_EQ(answer.status, status) << octets.substr(0, 200);
    EXPECT_TRUE(answer.status == 0 || answer.field("Connection") == "close") << octets.substr(0, 200);
  }
  EXPECT_EQ(http(open(), "GET /livez HTTP/1.0\r\n\r\n").status, 200);
  EXPECT_EQ(http(open(), get + "Content-Length: 0\r\n\r\n").status, 200);
}

TEST_F(AdminLimitsTest, AnswersAPeerThatHasEndedItsOutput) {
  start();
  HttpClient client(open());
  client.send(request);
  client.end_of_output();
  const HttpAnswer answer = client.read();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.field("Content-Length"), std::to_string(answer.body.size()));
}

TEST_F(AdminLimitsTest, D4RefusesTooManyScrapesFromOneAddress) {
  start();
  HttpAnswer answer;
  int scrapes = 0;
  const auto begin = Time::now();
  while (Time::now() - begin < 20s && (answer = http_get(open(), "/metrics")).status == 200) ++scrapes;
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(answer.field("Retry-After"), "1");
  EXPECT_GE(scrapes, 10);
  // Probes and other addresses are served, and so is the operator.
  EXPECT_EQ(http_get(open(), "/livez").status, 200);
  HttpClient neighbour(open(), "127.0.0.2");
  neighbour.send(request);
  EXPECT_EQ(neighbour.read().status, 200);
  for (int i = 0; i < 30; ++i) EXPECT_EQ(http_get(admin(), "/metrics").status, 200);
}

// Takes every descriptor that the process may still open, until it goes.
class NoDescriptors {
 public:
  NoDescriptors() {
    getrlimit(RLIMIT_NOFILE, &limit_);
    const rlimit tight{128, limit_.rlim_max};
    setrlimit(RLIMIT_NOFILE, &tight);
    for (int fd = 0; (fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;) taken_.push_back(fd);
  }
  ~NoDescriptors() {
    release();
    setrlimit(RLIMIT_NOFILE, &limit_);
  }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;
  void release() {
    for (const int fd : taken_) close(fd);
    taken_.clear();
  }

 private:
  rlimit limit_{};
  std::vector<int> taken_;
};

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

// FAULTS C1: more scrapes than there are spare descriptors, one after the other: each is put back.
TEST_F(AdminLimitsTest, C1AnswersAProcessOutOfDescriptors) {
  answer_once();
  start();
  std::list<HttpClient> clients;
  for (int i = 0; i < 9; ++i) clients.emplace_back(AF_INET);
  const NoDescriptors none;
  for (HttpClient& client : clients) {
    client.connect(admin());
    client.send(request);
    const HttpAnswer answer = client.read();
    ASSERT_EQ(answer.status, 200);
    EXPECT_EQ(test::parse_exposition(answer.body).value("process_max_fds"), 128);
    client.end_of_output();
  }
}

// With no spare either, it waits without work, and serves again as soon as there is a descriptor.
TEST_F(AdminLimitsTest, C1DoesNotSpinWithoutASpare) {
  answer_once();
  start({.spare_descriptors = 0});
  HttpClient client(AF_INET);
  NoDescriptors none;
  client.connect(admin());
  client.send(request);
  const double before = cpu_seconds();
  EXPECT_FALSE(client.readable_within(500ms));
  EXPECT_LT(cpu_seconds() - before, 0.025);  // 5 %
  none.release();
  EXPECT_TRUE(client.readable_within(2s));
  EXPECT_EQ(client.read().status, 200);
}

}  // namespace
}  // namespace imapmeter::metrics
