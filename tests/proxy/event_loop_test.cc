#include "proxy/event_loop.h"

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <thread>

#include "tests/proxy/peers.h"

namespace imapmeter::proxy {
namespace {

struct Recorder : EventSource {
  explicit Recorder(EventLoop& event_loop) : loop(event_loop) {}
  void on_ready(unsigned tag, std::uint32_t events) override {
    last_tag = tag;
    last_events = events;
    if (on_event) on_event();
  }
  void on_again() override {
    ++agains;
    if (on_event) on_event();
  }
  void on_deadline() override {
    ++deadlines;
    loop.stop();
  }

  EventLoop& loop;
  std::function<void()> on_event;
  unsigned last_tag = 99;
  std::uint32_t last_events = 0;
  int agains = 0;
  int deadlines = 0;
};

TEST(EventLoop, TellsWhichDescriptorOfASourceIsReady) {
  EventLoop loop;
  Recorder source(loop);
  auto [near, far] = test::socket_pair();
  ASSERT_TRUE(loop.add(near.get(), source, 1, EPOLLIN | EPOLLET));
  source.on_event = [&] { loop.stop(); };
  test::write_all(far.get(), "x");
  loop.run();
  EXPECT_EQ(source.last_tag, 1U);
  EXPECT_TRUE(source.last_events & EPOLLIN);
}

TEST(EventLoop, RunsWhatOtherThreadsPost) {
  EventLoop loop;
  int ran = 0;
  std::thread other([&] {
    for (int i = 0; i < 1000; ++i) loop.post([&ran] { ++ran; });
    loop.post([&loop] { loop.stop(); });
  });
  loop.run();
  other.join();
  EXPECT_EQ(ran, 1000);
}

TEST(EventLoop, DeadlinesFire) {
  EventLoop loop;
  Recorder source(loop);
  loop.arm(source, loop.now() + std::chrono::milliseconds(30));
  loop.run();
  EXPECT_EQ(source.deadlines, 1);
}

TEST(EventLoop, AgainRunsOncePerRequest) {
  EventLoop loop;
  Recorder source(loop);
  source.on_event = [&] {
    if (source.agains == 3) return loop.stop();
    loop.again(source);
    loop.again(source);
  };
  loop.again(source);
  loop.run();
  EXPECT_EQ(source.agains, 3);
}

struct Mortal : EventSource {
  explicit Mortal(bool& is_dead) : dead(is_dead) {}
  ~Mortal() override { dead = true; }
  void on_ready(unsigned, std::uint32_t) override {}
  bool& dead;
};

// An event for a session that was closed earlier in the same batch must not reach freed memory.
TEST(EventLoop, RetiredSourcesLiveUntilTheBatchIsDone) {
  EventLoop loop;
  bool dead = false;
  bool was_dead_in_turn = true;
  loop.post([&] {
    loop.retire(std::make_unique<Mortal>(dead));
    was_dead_in_turn = dead;
    loop.stop();
  });
  loop.run();
  EXPECT_FALSE(was_dead_in_turn);
  EXPECT_TRUE(dead);
}

TEST(EventLoop, ARetiredSourceHasNoTurnLeft) {
  EventLoop loop;
  auto owned = std::make_unique<Recorder>(loop);
  Recorder* source = owned.get();
  loop.post([&] {
    loop.again(*source);
    loop.arm(*source, loop.now());
    loop.retire(std::move(owned));
    loop.again(*source);
  });
  Recorder last(loop);
  loop.arm(last, loop.now() + std::chrono::milliseconds(50));
  loop.run();
  EXPECT_EQ(last.deadlines, 1);
}

}  // namespace
}  // namespace imapmeter::proxy
