// SessionTracker with both directions interleaved. In the wire, 0xfe makes what follows the client's, 0xff the
// server's (it begins with the server); 0xfd lets ten minutes pass; 0xfc is an opaque switch from outside; 0xfb is a
// hundred commands at once.
#include "proxy/imap/session_tracker.h"
#include "tests/fuzz/fuzzing.h"
#include "tests/fuzz/passage.h"
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
  void on_data(const imap::Data& data) noexcept override {
    count.on_data(data);
    note(12, (std::uint64_t{data.octets} << 8U) | static_cast<std::uint64_t>(data.keyword));
  }
  void on_command_started(const imap::CommandStart& start) noexcept override {
    count.on_command_started(start);
    open_line_ = false;
    note(6, (std::uint64_t{start.octets} << 8U) | static_cast<std::uint64_t>(start.command));
  }
  void on_command_ended(const imap::CommandEnd& end) noexcept override {
    count.on_command_ended(end);
    // an IDLE: its DONE may be under way
    open_line_ = open_line_ || end.result == imap::CommandResult::untracked || end.command == imap::Command::idle;
    note(7, (static_cast<std::uint64_t>(end.command) << 8U) | static_cast<std::uint64_t>(end.result));
    note(13, end.duration ? static_cast<std::uint64_t>(end.duration->count()) : UINT64_MAX);
  }
  void on_idle(std::chrono::nanoseconds duration) noexcept override {
    note(14, static_cast<std::uint64_t>(duration.count()));
  }
  void on_first_response(imap::Command command, std::chrono::nanoseconds time) noexcept override {
    count.on_first_response(command, time);
    note(11, (static_cast<std::uint64_t>(time.count()) << 8U) | static_cast<std::uint64_t>(command));
  }
  void on_auth_attempt(const imap::AuthAttempt& attempt) noexcept override {
    count.on_auth_attempt(attempt);
    note(15, (static_cast<std::uint64_t>(attempt.mechanism) << 8U) | static_cast<std::uint64_t>(attempt.result));
  }
  void on_messages(imap::MessageOperation operation, std::size_t messages) noexcept override {
    REQUIRE(messages > 0);
    note(16, (messages << 8U) | static_cast<std::uint64_t>(operation));
  }
  void on_provider_signal(imap::ProviderSignal signal) noexcept override {
    note(17, static_cast<std::uint64_t>(signal));
  }
  void on_literal(imap::Direction direction, std::size_t octets) noexcept override {
    REQUIRE(octets > 0);
    const bool from_client = direction == imap::Direction::client_to_server;
    REQUIRE(!from_client || open_line_ || count.started > count.ended + count.untracked);  // else it was rejected
    literal_[static_cast<std::size_t>(direction)] += octets;
  }
  void on_anomaly(imap::Anomaly anomaly) noexcept override {
    using imap::Anomaly;
    for (const Anomaly odd :
         {Anomaly::early_completion, Anomaly::client_no_command, Anomaly::client_other, Anomaly::client_stray_done}) {
      open_line_ = open_line_ || anomaly == odd;
    }
    note(8, static_cast<std::uint64_t>(anomaly));
  }
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
    trace.add((what << 56U) ^ value);
    trace.add(literal_[0] ^ (literal_[1] << 32U));
  }
  std::uint64_t literal_[imap::direction_count] = {0, 0};
  bool open_line_ = false;  // the client's last line may go on with a literal, though no command is outstanding
};

void check(const imap::SessionTracker& tracker, const Listener& heard) {
  REQUIRE(heard.count.started >= heard.count.ended + heard.count.untracked);
  REQUIRE(heard.count.started - heard.count.ended - heard.count.untracked <= imap::tag_block_size);
  REQUIRE(heard.count.first_responses <= heard.count.started);
  REQUIRE(heard.count.state == tracker.state());
  REQUIRE(heard.count.states_join);
  REQUIRE(heard.count.opaque <= 1 && heard.count.byes <= 1);
  REQUIRE(tracker.bye_seen() == (heard.count.byes != 0));
  REQUIRE(tracker.ever_authenticated() || tracker.state() != imap::SessionState::selected);
  REQUIRE(!tracker.logout_completed() || heard.count.ended != 0);
  REQUIRE(!tracker.at_response_boundary() || !tracker.holds_octets());
}

class Run {
 public:
  Run(imap::CapabilityRules rules, imap::TagPool& pool, Passage& passage) noexcept
      : rules_(rules), context_{&pool, &rules_, 12345}, passage_(passage) {
    passage_.start();
  }

  void read(std::string_view wire, Cutter cutter) {
    Script script(wire, 0xfb);
    Script::Step step;
    while (script.next(step)) {
      if (step.order != 0) act(step.order);
      while (!step.piece.empty()) {
        const std::size_t chunk = cutter.next(step.piece.size());
        pass(step.piece.substr(0, chunk));
        check(tracker_, heard_);
        step.piece.remove_prefix(chunk);
      }
    }
    finish();
  }

  const Trace& trace() const noexcept { return heard_.trace; }

 private:
  void act(std::uint8_t order) {
    if (order >= 0xfe) client_ = order == 0xfe;
    if (order == 0xfd) now_ += std::chrono::minutes(10);
    if (order == 0xfc) tracker_.go_opaque(imap::OpaqueReason::disabled);
    if (order != 0xfb || ++hundreds_ > 3) return;
    static constexpr std::string_view command = "a b\n";
    for (int i = 0; i < 100; ++i) tracker_.client(command, now_);
  }

  void pass(std::string_view piece) {
    static Scratch scratch;
    const std::span<char> octets = scratch.lay(piece);
    if (client_) return tracker_.client(octets, now_);
    passage_.in(octets);
    passage_.out(tracker_.server(octets, now_));
  }

  void finish() {
    const std::span<const char> held = tracker_.release_held();
    REQUIRE(held.size() <= imap::capability_headroom);
    passage_.out(held);
    tracker_.finish({});
    heard_.trace.add(static_cast<std::uint64_t>(tracker_.client_software()));
    REQUIRE(heard_.count.started == heard_.count.ended + heard_.count.untracked);
    REQUIRE(heard_.count.outcomes == (tracker_.greeting_seen() ? 1U : 0U));
    REQUIRE(heard_.count.words_removed != 0 || passage_.missing() == 0);
    REQUIRE(rules_.enabled || heard_.count.words_removed == 0);
  }

  imap::CapabilityRules rules_;
  imap::TrackerContext context_;
  Listener heard_;
  imap::SessionTracker tracker_{heard_, context_};
  imap::TimePoint now_{};
  bool client_ = false;
  int hundreds_ = 0;  // 256 commands fill the table
  Passage& passage_;
};

}  // namespace
}  // namespace imapmeter::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace imapmeter;
  using namespace imapmeter::fuzz;
  static Passage passage;
  static imap::TagPool pool(1);
  static const bool warm = [] {
    pool.give_back(pool.borrow());
    return true;
  }();
  REQUIRE(warm);
  const Input input(data, size);
  const imap::CapabilityRules rules = {.enabled = (input.options & 1U) != 0,
                                       .strip_starttls = (input.options & 2U) != 0};
  const std::size_t before = allocations();
  Run whole(rules, pool, passage);
  whole.read(input.wire, Cutter::whole());
  Run cut(rules, pool, passage);
  cut.read(input.wire, Cutter(input.seed));
  REQUIRE(allocations() == before);
  REQUIRE(cut.trace() == whole.trace());
  return 0;
}
