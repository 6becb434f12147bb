// No allocation is driven by the wire, whatever passes and however it is cut (ARCHITECTURE.md, FAULTS.md I4).
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "proxy/imap/deflate_tap.h"
#include "proxy/imap/session_tracker.h"
#include "tests/support/deflate.h"
#include "tests/support/event_count.h"

namespace {

std::atomic<std::size_t> allocations{0};

}  // namespace

void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(size);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }

namespace imapmeter::test {
namespace {

constexpr std::size_t mebibytes = 1024;

// Some of everything that could tempt a parser to keep something.
std::string varied_traffic(std::size_t round) {
  const std::string n = std::to_string(round);
  return "* OK [CAPABILITY X" + n + " STARTTLS AUTH=SCRAM-SHA-1-PLUS] text " + n + "\r\n* " + n + " FETCH (BODY[" +
         std::string(round % 300, '(') + "] {20}\r\n12345678901234567890 X {0}\r\n)\r\n* LIST () \"/\" \"mailbox " + n +
         " {5}\"\r\n* SEARCH " + std::string(round % 5000, '7') + "\r\n* NO [" + n + "CODE \"a]b\"] x\r\ntag" + n +
         " OK [ALERT] x\r\n* FLAGS (" + std::string(round % 2000, 'f') + ")\r\n" + std::string(round % 100, 'g') +
         " garbage\r\n";
}

std::string varied_commands(std::size_t round) {
  const std::string n = std::to_string(round);
  return "tag" + n + " COMMAND" + n + " {3+}\r\nabc \"q\r\n" + std::string(round % 700, 't') + n + " NOOP\r\n";
}

TEST(Memory, NoAllocationIn1GiBOfTraffic) {
  imap::TagPool pool(1);
  pool.give_back(pool.borrow());  // the one block that a session may need
  EventCount count;
  imap::CapabilityRules rules{.enabled = true, .strip_starttls = true};
  imap::TrackerContext context{&pool, &rules, 99};
  std::vector<std::string> server;
  std::vector<std::string> client;
  for (std::size_t round = 0; round < 400; ++round) {
    server.push_back(varied_traffic(round * 7919));
    client.push_back(varied_commands(round * 104729));
  }
  std::vector<char> room(imap::capability_headroom + (1U << 20U));
  const std::span<char> scratch = std::span(room).subspan(imap::capability_headroom);
  std::string literal = "* 1 FETCH (BODY[] {" + std::to_string(1U << 20U) + "}\r\n";
  std::minstd_rand dice(1);

  const std::size_t before = allocations;
  std::size_t octets = 0;
  imap::SessionTracker tracker(count, context);
  const auto feed = [&](const std::string& text) {
    for (std::size_t done = 0; done < text.size();) {
      const std::size_t size = std::min<std::size_t>(1 + dice() % 4000, text.size() - done);
      std::copy_n(text.data() + done, size, scratch.begin());
      tracker.server(scratch.first(size), {});
      done += size;
      octets += size;
    }
  };
  for (std::size_t round = 0; octets < mebibytes << 20U; ++round) {
    feed(server[round % server.size()]);
    tracker.client(client[round % client.size()], {});
    octets += client[round % client.size()].size();
    if (round % 4 != 0) continue;
    feed(literal);
    tracker.server(scratch, {});
    octets += scratch.size();
    scratch[0] = ')';
    scratch[1] = '\r';
    scratch[2] = '\n';
    tracker.server(scratch.first(3), {});
  }
  tracker.finish({});
  EXPECT_EQ(allocations - before, 0U);
  EXPECT_EQ(count.opaque, 0U);
  EXPECT_GT(count.statuses, 10000U);
  EXPECT_GT(count.started, 1000U);
  EXPECT_EQ(count.started, count.ended + count.untracked);
  EXPECT_GT(count.words_removed, 1000U);
}

// What both sides say in turn behind COMPRESS, each side one stream: two commands, all that varied_traffic() has, their
// answers; now and then a literal that inflates to many times what is inflated at once.
struct Turn {
  std::string client;
  std::string server;
};

std::vector<Turn> deflated_turns(std::size_t count) {
  Deflater client;
  Deflater server;
  std::vector<Turn> turns;
  for (std::size_t round = 0; round < count; ++round) {
    const std::size_t zeros = round % 50 == 0 ? 10 * imap::inflated_at_once : 10;
    const std::string fetch = "f" + std::to_string(round);
    const std::string append = "a" + std::to_string(round);
    std::string commands = fetch + " FETCH 1 BODY[]\r\n";
    commands += append + " APPEND X {3+}\r\nabc\r\n";
    std::string answers = varied_traffic(round * 7919);
    answers += "* 1 FETCH (BODY[] {" + std::to_string(zeros) + "}\r\n";
    answers += std::string(zeros, '\0') + ")\r\n";
    answers += fetch + " OK x\r\n";
    answers += append + " OK x\r\n";
    turns.push_back({client(commands), server(answers)});
  }
  return turns;
}

TEST(Memory, NoAllocationBehindCompress) {
  constexpr std::size_t turns = 5000;
  const std::vector<Turn> talk = deflated_turns(turns);
  imap::TagPool pool(1);
  pool.give_back(pool.borrow());
  EventCount count;
  imap::InflatedSessions sessions(1);
  imap::DeflateTaps taps(sessions);
  imap::CapabilityRules rules{.enabled = true, .strip_starttls = true};
  imap::TrackerContext context{&pool, &rules, 99, &taps};
  imap::SessionTracker tracker(count, context);
  std::vector<char> room(imap::capability_headroom + (1U << 14U));
  const std::span<char> scratch = std::span(room).subspan(imap::capability_headroom);
  std::minstd_rand dice(1);
  const auto feed = [&](const std::string& text, bool client) {
    for (std::size_t done = 0; done < text.size();) {
      const std::size_t size = std::min<std::size_t>(1 + dice() % 400, text.size() - done);
      std::copy_n(text.data() + done, size, scratch.begin());
      if (client) {
        tracker.pass_client(scratch.first(size), {});
      } else {
        tracker.server(scratch.first(size), {});
      }
      done += size;
    }
  };
  feed("* PREAUTH x\r\n", false);
  feed("z COMPRESS DEFLATE\r\n", true);
  feed("z OK go\r\n", false);  // the one block of a compressed session

  const std::size_t before = allocations;
  for (const Turn& turn : talk) {
    feed(turn.client, true);
    feed(turn.server, false);
  }
  EXPECT_EQ(allocations - before, 0U);
  tracker.finish({});
  EXPECT_EQ(count.compressions, 1U);
  EXPECT_EQ(count.opaque, 0U);
  EXPECT_EQ(count.started, 1 + 2 * turns);
  EXPECT_EQ(count.ended, 1 + 2 * turns);
  EXPECT_GT(count.inflated, 3 * count.deflated);
}

}  // namespace
}  // namespace imapmeter::test
