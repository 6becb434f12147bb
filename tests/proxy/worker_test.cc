// A worker with a server beside it and a clock moved by hand: what sessions wait for in minutes.
#include "proxy/worker.h"

#include <gtest/gtest.h>
#include <netinet/tcp.h>

#include <atomic>
#include <optional>
#include <stdexcept>
#include <vector>

#include "proxy/limits.h"
#include "tests/proxy/peers.h"
#include "tests/support/event_count.h"

namespace imapmeter::proxy {
namespace {

using namespace std::chrono_literals;

std::atomic<std::int64_t> moved{0};  // nanoseconds by which the hand is ahead
TimePoint hand() { return std::chrono::steady_clock::now() + std::chrono::nanoseconds(moved.load()); }

struct Told final : Observer {
  void on_accepted() noexcept override { ++accepted; }
  void on_handshake(const Handshake&) noexcept override {}
  void on_starttls(Side, StarttlsResult) noexcept override {}
  void on_plaintext_login_refused() noexcept override {}
  void on_upstream_connect(std::size_t, ConnectResult) noexcept override {}
  void on_upstream_sessions(std::size_t, int change) noexcept override { connected += change > 0 ? 1 : 0; }
  void on_bytes(imap::Direction, std::size_t) noexcept override {}
  void on_authored(Authored) noexcept override { ++authored; }
  void on_blocked(Side, int, std::chrono::nanoseconds) noexcept override {}
  void on_relay_delay(imap::Direction, std::chrono::nanoseconds) noexcept override {}
  void on_step(Step, std::chrono::nanoseconds) noexcept override {}
  void on_server_status(std::size_t, imap::Condition) noexcept override {}
  void on_server_capabilities(std::size_t, const imap::Capabilities&) noexcept override {}
  void on_server_first_response(std::size_t, std::chrono::nanoseconds) noexcept override {}
  void on_auth_attempt(std::size_t, const SessionFacts&, const imap::AuthAttempt&) noexcept override {}
  void on_closed(const Closed& closed) noexcept override { reason = closed.reason; }

  int accepted = 0;
  int connected = 0;
  int authored = 0;
  std::optional<CloseReason> reason;
};

// Events of one thread: the test runs the loop, turn by turn.
class WorkerTest : public testing::Test {
 protected:
  WorkerTest() : listening_({"127.0.0.1", 0}) {
    auto snapshot = std::make_shared<Snapshot>();
    snapshot->listeners.push_back({"default", nullptr, 0, config::Capabilities::auto_});
    snapshot->upstreams.emplace_back();
    snapshot->upstreams[0].servers.push_back({"server", "127.0.0.1", {local_address(listening_.fd())}});
    snapshot->upstreams[0].state = std::make_shared<UpstreamState>(1);
    snapshot->timeouts.idle = 31min;
    snapshot->timeouts.preauth = 3min;
    snapshot_ = snapshot;
    std::vector<ListenerContext> contexts(1);
    contexts[0].observer = &told_;
    contexts[0].imap_observer = &heard_;
    workers_.push_back(std::make_unique<Worker>(0, std::move(contexts), 1, 16 << 20, load_, limits_, workers_, hand));
    worker().prepare(snapshot_, {});
  }
  ~WorkerTest() override { worker().force(); }
  Worker& worker() { return *workers_[0]; }

  // Turns until `done`, in no more than five real seconds.
  template <class Done>
  void turn_until(Done done) {
    const auto give_up = std::chrono::steady_clock::now() + 5s;
    while (!done()) {
      ASSERT_LT(std::chrono::steady_clock::now(), give_up);
      turn();
    }
  }
  // What is ready or due now, and nothing else.
  void turn() {
    worker().loop.post([this] { worker().loop.stop(); });
    worker().loop.run();
  }
  void pass(std::chrono::nanoseconds time) {
    moved += time.count();
    for (int i = 0; i < 3; ++i) turn();
  }

  void accept() {
    auto [near, far] = test::socket_pair();
    client_ = std::move(far);
    load_.total = 1;
    load_.per_worker[0] = 1;
    worker().adopt(std::move(near), 0, {});
    accept_at_server();
  }
  void accept_at_server() {
    turn_until([this] {
      server_ = Fd(accept4(listening_.fd(), nullptr, nullptr, SOCK_NONBLOCK));
      return static_cast<bool>(server_);
    });
  }
  void server_says(const std::string& text) {
    test::write_all(server_.get(), text);
    expect_at(client_, text);
  }
  void client_says(const std::string& text) {
    test::write_all(client_.get(), text);
    expect_at(server_, text);
  }
  void expect_at(const Fd& end, const std::string& text) {
    std::string got;
    turn_until([&] { return (got += test::read_all(end.get())).size() >= text.size(); });
    EXPECT_EQ(got, text);
  }
  void log_in() {
    client_says("a LOGIN u p\r\n");
    server_says("a OK welcome\r\n");
  }

  Told told_;
  imapmeter::test::EventCount heard_;
  ListeningSocket listening_;
  std::shared_ptr<const Snapshot> snapshot_;
  Load load_{1};
  Limits limits_{config::Limits{}, {false}, 1};
  std::vector<std::unique_ptr<Worker>> workers_;
  Fd client_;
  Fd server_;
};

TEST_F(WorkerTest, WhoDoesNotLogInIsClosedAfterThePreauthTime) {
  accept();
  server_says("* OK ready\r\n");
  pass(2min);
  client_says("a CAPABILITY\r\n");  // talking is not logging in
  server_says("* CAPABILITY IMAP4rev1\r\na OK done\r\n");
  pass(59s);
  EXPECT_FALSE(told_.reason);
  pass(2s);
  EXPECT_EQ(told_.reason, CloseReason::preauth_timeout);
  EXPECT_EQ(told_.authored, 0) << "nothing is said in the middle of a session";
  EXPECT_EQ(test::read_all(client_.get()), "");
}

// It counts from the greeting, which has a time of its own.
TEST_F(WorkerTest, ThePreauthTimeBeginsWithTheGreeting) {
  accept();
  pass(25s);
  server_says("* OK ready\r\n");
  pass(3min - 1s);
  EXPECT_FALSE(told_.reason);
  pass(2s);
  EXPECT_EQ(told_.reason, CloseReason::preauth_timeout);
}

TEST_F(WorkerTest, WhoHasLoggedInMayBeSilentForTheIdleTime) {
  accept();
  server_says("* OK ready\r\n");
  log_in();
  pass(31min - 1s);
  EXPECT_FALSE(told_.reason);
  server_says("* 5 EXISTS\r\n");  // either direction will do
  pass(31min - 1s);
  EXPECT_FALSE(told_.reason);
  client_says("b NOOP\r\n");
  pass(31min - 1s);
  EXPECT_FALSE(told_.reason);
  pass(2s);
  EXPECT_EQ(told_.reason, CloseReason::idle_timeout);
  EXPECT_EQ(told_.authored, 0);
}

TEST_F(WorkerTest, APreauthGreetingIsALogin) {
  accept();
  server_says("* PREAUTH welcome\r\n");
  pass(30min);
  EXPECT_FALSE(told_.reason);
}

// The descriptor at the other end of `far`.
int other_end_of(const Fd& far) {
  SocketAddress peer;
  peer.size = sizeof peer.storage;
  if (getpeername(far.get(), reinterpret_cast<sockaddr*>(&peer.storage), &peer.size) != 0) return -1;
  for (int fd = 0; fd < 256; ++fd)
    if (local_endpoint(fd) == ip_endpoint(peer)) return fd;
  return -1;
}

// A session that is over sooner has been spared the system calls.
TEST_F(WorkerTest, KeepaliveAsksTheServerOfASessionThatIsOldEnough) {
  accept();
  server_says("* OK ready\r\n");
  log_in();
  const int ours = other_end_of(server_);
  ASSERT_NE(ours, -1);
  pass(119s);
  EXPECT_EQ(test::socket_option(ours, SOL_SOCKET, SO_KEEPALIVE), 0);
  pass(2s);
  EXPECT_EQ(test::socket_option(ours, SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(test::socket_option(ours, IPPROTO_TCP, TCP_KEEPIDLE), 120);
  EXPECT_EQ(test::socket_option(ours, IPPROTO_TCP, TCP_NODELAY), 1) << "from the start";
}

// A server to which a connect never comes to an end: its queue is full.
class SilentServer {
 public:
  SilentServer() : listening_(socket(AF_INET, SOCK_STREAM, 0)) {
    const SocketAddress any = ip_address("127.0.0.1");
    if (bind(listening_.get(), any.get(), any.size) != 0 || listen(listening_.get(), 0) != 0)
      throw std::runtime_error("a server that does not accept");
    for (int i = 0; i < 4; ++i) waiting_.push_back(start_connect(address(), {}));
  }
  SocketAddress address() const { return local_address(listening_.get()); }

 private:
  Fd listening_;
  std::vector<Fd> waiting_;
};

// The client's event makes the session leave one server for another; the one that it left has an event in the same
// turn.
TEST_F(WorkerTest, AnEventOfAServerThatWasLeftIsNotTakenForTheNextOnes) {
  const SilentServer silent;
  auto two = std::make_shared<Snapshot>(*snapshot_);
  two->listeners[0].starttls = true;  // the session reads the server before the client is greeted
  two->upstreams[0].servers.push_back({"silent", "127.0.0.1", {silent.address()}});
  two->upstreams[0].state = std::make_shared<UpstreamState>(2);
  two->upstreams[0].balance = config::Balance::failover;
  worker().use(two);
  accept();
  turn_until([this] { return told_.connected == 1; });
  test::write_all(client_.get(), "a");
  server_.reset();
  turn();
  EXPECT_EQ(told_.connected, 1);
  EXPECT_FALSE(told_.reason);
}

// One client has the only session that the descriptors suffice for, a second one waits.
class CrowdedWorker : public WorkerTest {
 protected:
  CrowdedWorker() {
    worker().prepare(snapshot_, {{clients_.fd(), 0}});
    load_.limit = 1;
    client_ = start_connect(local_address(clients_.fd()), {});
    waiting_ = start_connect(local_address(clients_.fd()), {});
    accept_at_server();
    for (int i = 0; i < 3; ++i) turn();
  }
  void end_the_session() {
    client_.reset();
    server_.reset();
  }

  const ListeningSocket clients_{{"127.0.0.1", 0}};
  Fd waiting_;
};

// Turns do not wait for anything here: in the pause after an error there would be thousands.
TEST_F(CrowdedWorker, WhoWaitsForDescriptorsIsAcceptedAsSoonAsASessionEnds) {
  EXPECT_EQ(told_.accepted, 1);
  end_the_session();
  int turns = 0;
  turn_until([&] {
    ++turns;
    return told_.accepted == 2;
  });
  EXPECT_LT(turns, 100) << "it waited for the pause to end";
}

TEST_F(CrowdedWorker, NobodyIsAcceptedInADrain) {
  worker().drain(1h);
  end_the_session();
  turn_until([this] { return load_.total == 0; });
  for (int i = 0; i < 3; ++i) turn();
  pass(1s);
  EXPECT_EQ(told_.accepted, 1);
}

// It may have logged in where nobody could see it.
TEST_F(WorkerTest, AnOpaqueSessionHasNoPreauthTime) {
  accept();
  server_says(std::string("\0binary", 7) + "\r\n");
  pass(30min);
  EXPECT_FALSE(told_.reason);
  pass(2min);
  EXPECT_EQ(told_.reason, CloseReason::idle_timeout);
}

}  // namespace
}  // namespace imapmeter::proxy
