// SessionTracker with both directions interleaved. In the wire, 0xfe makes what follows the client's, 0xff the
// server's (it begins with the server); 0xfd lets ten minutes pass; 0xfc is an opaque switch from outside.
#include <vector>

#include "proxy/imap/session_tracker.h"
#include "tests/fuzz/fuzzing.h"
#include "tests/support/event_count.h"

namespace imapmeter::fuzz {
namespace {

// Counts, and remembers the order of everything but literals (told piecemeal) and the filter's doings (which may
// depend on the cut).
class Listener final : public imap::Observer {
 public:
  test::EventCount count;
  Trace trace;

  void on_status(const imap::Status& status) noexcept override {
    count.on_status(status);
    note(1, (static_cast<std::uint64_t>(status.kind) << 48U) | (static_cast<std::uint64_t>(status.condition) << 40U) |
                (static_cast<std::uint64_t>(status.code) << 32U) | status.members.bits);
  }
  void on_undefined_status() noexcept override { note(2, 0); }
  void on_bye(imap::ByeReason reason) noexcept override {
    count.on_bye(reason);
    note(3, static_cast<std::uint64_t>(reason));
  }
  void on_state(imap::SessionState from, imap::SessionState to) noexcept override {
    count.on_state(from, to);
    note(4, static_cast<std::uint64_t>(to));
  }
  void on_authenticated() noexcept override { note(5, 0); }
  void on_command_started(imap::Command command) noexcept override {
    count.on_command_started(command);
    note(6, static_cast<std::uint64_t>(command));
  }
  void on_command_ended(imap::Command command, imap::CommandResult result) noexcept override {
    count.on_command_ended(command, result);
    note(7, (static_cast<std::uint64_t>(command) << 8U) | static_cast<std::uint64_t>(result));
  }
  void on_auth_attempt(const imap::AuthAttempt& attempt) noexcept override { count.on_auth_attempt(attempt); }
  void on_literal(imap::Direction direction, std::size_t octets) noexcept override {
    REQUIRE(octets > 0);
    literal_[static_cast<std::size_t>(direction)] += octets;
  }
  void on_anomaly(imap::Anomaly anomaly) noexcept override { note(8, static_cast<std::uint64_t>(anomaly)); }
  void on_opaque(imap::OpaqueReason reason) noexcept override {
    count.on_opaque(reason);
    note(9, static_cast<std::uint64_t>(reason));
  }
  void on_capability_removed() noexcept override { count.on_capability_removed(); }
  void on_outcome(imap::Outcome outcome) noexcept override {
    count.on_outcome(outcome);
    note(10, static_cast<std::uint64_t>(outcome));
  }

 private:
  void note(std::uint64_t what, std::uint64_t value) noexcept {
    trace.add(what);
    trace.add(value);
    for (const std::uint64_t octets : literal_) trace.add(octets);
  }
  std::uint64_t literal_[imap::direction_count] = {0, 0};
};

struct Run {
  Listener heard;
  std::vector<char> out;
};

void check(const imap::SessionTracker& tracker, const Listener& heard) {
  REQUIRE(heard.count.started >= heard.count.ended + heard.count.untracked);
  REQUIRE(heard.count.started - heard.count.ended - heard.count.untracked <= imap::tag_block_size);
  REQUIRE(heard.count.state == tracker.state());
  REQUIRE(heard.count.states_join);
  REQUIRE(heard.count.opaque <= 1 && heard.count.byes <= 1);
  REQUIRE(!tracker.at_response_boundary() || !tracker.holds_octets());
}

void run(std::string_view wire, Cutter cutter, imap::CapabilityRules rules, imap::TagPool& pool,
         std::vector<char>& room, Run& result) {
  imap::TrackerContext context{&pool, &rules, 12345};
  imap::SessionTracker tracker(result.heard, context);
  imap::TimePoint now{};
  bool client = false;
  while (!wire.empty()) {
    const auto first = static_cast<unsigned char>(wire.front());
    if (first >= 0xfc) {
      if (first >= 0xfe) client = first == 0xfe;
      if (first == 0xfd) now += std::chrono::minutes(10);
      if (first == 0xfc) tracker.go_opaque(imap::OpaqueReason::disabled);
      wire.remove_prefix(1);
      continue;
    }
    std::size_t piece = 0;
    while (piece < wire.size() && static_cast<unsigned char>(wire[piece]) < 0xfc) ++piece;
    const std::size_t chunk = cutter.next(piece);
    const std::span<char> octets(room.data() + imap::capability_headroom, chunk);
    std::copy_n(wire.data(), chunk, octets.begin());
    wire.remove_prefix(chunk);
    if (client) {
      tracker.client(octets, now);
    } else {
      const std::span<char> out = tracker.server(octets, now);
      result.out.insert(result.out.end(), out.begin(), out.end());
    }
    check(tracker, result.heard);
  }
  const std::span<const char> held = tracker.release_held();
  result.out.insert(result.out.end(), held.begin(), held.end());
  tracker.finish();
  REQUIRE(result.heard.count.started == result.heard.count.ended + result.heard.count.untracked);
  REQUIRE(result.heard.count.outcomes == (tracker.greeting_seen() ? 1U : 0U));
}

std::vector<char> server_octets(std::string_view wire) {
  std::vector<char> octets;
  bool client = false;
  for (const char octet : wire) {
    const auto value = static_cast<unsigned char>(octet);
    if (value >= 0xfe) client = value == 0xfe;
    if (value < 0xfc && !client) octets.push_back(octet);
  }
  return octets;
}

bool is_subsequence(const std::vector<char>& part, const std::vector<char>& whole) {
  std::size_t at = 0;
  for (const char octet : whole) at += at < part.size() && part[at] == octet ? 1U : 0U;
  return at == part.size();
}

}  // namespace
}  // namespace imapmeter::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace imapmeter;
  using namespace imapmeter::fuzz;
  static imap::TagPool pool(1);
  static const bool warm = [] {
    pool.give_back(pool.borrow());
    return true;
  }();
  REQUIRE(warm);
  const Input input(data, size);
  const imap::CapabilityRules rules = {.enabled = (input.options & 1U) != 0,
                                       .strip_starttls = (input.options & 2U) != 0};
  const std::vector<char> in = server_octets(input.wire);
  std::vector<char> room(imap::capability_headroom + input.wire.size());
  Run runs[3];
  const Cutter::Mode modes[] = {Cutter::Mode::whole, Cutter::Mode::octets, Cutter::Mode::random};
  for (int i = 0; i < 3; ++i) {
    runs[i].out.reserve(in.size());
    const std::size_t before = allocations();
    run(input.wire, Cutter(modes[i], input.seed), rules, pool, room, runs[i]);
    REQUIRE(allocations() == before);
    REQUIRE(runs[i].heard.trace == runs[0].heard.trace);
    REQUIRE(is_subsequence(runs[i].out, in));
    REQUIRE(runs[i].heard.count.words_removed != 0 || runs[i].out == in);
    REQUIRE(rules.enabled || runs[i].heard.count.words_removed == 0);
  }
  return 0;
}
