// SessionTracker with both directions interleaved. In the wire, 0xfe makes what follows the client's, 0xff the
// server's (it begins with the server); 0xfd lets ten minutes pass; 0xfc is an opaque switch from outside; 0xfb is a
// hundred commands at once. Once COMPRESS was answered OK, each piece is deflated before it is cut. With the fourth bit
// of the options the client is trusted.
#include <zlib.h>

#include "proxy/imap/deflate_tap.h"
#include "proxy/imap/flight_recorder.h"
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
  imap::FlightRecorder flight;
  bool compressed = false;

  void on_status(const imap::Status& status) noexcept override {
    flight.status({}, status);
    count.on_status(status);
    note(1, (static_cast<std::uint64_t>(status.kind) << 48U) | (static_cast<std::uint64_t>(status.condition) << 40U) |
                (static_cast<std::uint64_t>(status.code) << 32U) | status.members.bits);
  }
  void on_undefined_status() noexcept override {
    flight.undefined_status({});
    note(2, 0);
  }
  void on_bye(imap::ByeReason reason) noexcept override {
    flight.bye(reason);
    count.on_bye(reason);
    note(3, static_cast<std::uint64_t>(reason));
  }
  void on_state(imap::SessionState from, imap::SessionState to) noexcept override {
    count.on_state(from, to);
    note(4, static_cast<std::uint64_t>(to));
  }
  void on_authenticated() noexcept override { note(5, 0); }
  void on_capabilities(const imap::Capabilities& all) noexcept override {
    note(20, all.set.bits[0] ^ all.set.others);
    note(21, (all.set.bits[1] << 1U) | (all.after_login ? 1U : 0U));
  }
  void on_continuation() noexcept override {
    flight.continuation({});
    note(22, 0);
  }
  void on_client_line(imap::ClientLine line, std::uint32_t octets) noexcept override {
    flight.client_line({}, line, octets);
    note(23, (std::uint64_t{octets} << 8U) | static_cast<std::uint64_t>(line));
  }
  void on_data(const imap::Data& data) noexcept override {
    flight.data({}, data);
    count.on_data(data);
    for (std::uint32_t i = 0; i < data.responses; ++i) trace.add(static_cast<std::uint64_t>(data.keyword));
    data_octets_ += data.octets;
  }
  void on_command_started(const imap::CommandStart& start) noexcept override {
    flight.command_started({}, start);
    count.on_command_started(start);
    open_line_ = false;
    note(6, (std::uint64_t{start.octets} << 8U) | static_cast<std::uint64_t>(start.command));
  }
  void on_command_ended(const imap::CommandEnd& end) noexcept override {
    flight.command_ended(end);
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
    flight.messages(operation, messages);
    REQUIRE(messages > 0);
    note(16, (messages << 8U) | static_cast<std::uint64_t>(operation));
  }
  void on_provider_signal(imap::ProviderSignal signal) noexcept override {
    flight.provider_signal(signal);
    note(17, static_cast<std::uint64_t>(signal));
  }
  void on_literal(imap::Direction direction, std::size_t octets) noexcept override {
    flight.literal({}, direction, octets);
    REQUIRE(octets > 0);
    const bool from_client = direction == imap::Direction::client_to_server;
    REQUIRE(!from_client || open_line_ || count.started > count.ended + count.untracked);  // else it was rejected
    literal_[static_cast<std::size_t>(direction)] += octets;
  }
  void on_anomaly(imap::Anomaly anomaly) noexcept override {
    flight.anomaly({}, anomaly);
    using imap::Anomaly;
    for (const Anomaly odd :
         {Anomaly::early_completion, Anomaly::client_no_command, Anomaly::client_other, Anomaly::client_stray_done}) {
      open_line_ = open_line_ || anomaly == odd;
    }
    note(8, static_cast<std::uint64_t>(anomaly));
  }
  void on_compress(imap::CompressResult result) noexcept override {
    count.on_compress(result);
    compressed = compressed || result == imap::CompressResult::active;
    note(18, static_cast<std::uint64_t>(result));
  }
  void on_inflated(imap::Direction direction, std::size_t deflated, std::size_t inflated) noexcept override {
    count.on_inflated(direction, deflated, inflated);
  }
  void on_opaque(imap::OpaqueReason reason) noexcept override {
    flight.opaque({}, reason);
    count.on_opaque(reason);
    note(9, static_cast<std::uint64_t>(reason));
  }
  void on_capability_removed() noexcept override { count.on_capability_removed(); }
  void on_multiplex_removed() noexcept override {
    count.on_multiplex_removed();
    note(19, 0);
  }
  void on_outcome(imap::Outcome outcome) noexcept override {
    count.on_outcome(outcome);
    note(10, static_cast<std::uint64_t>(outcome));
  }

 private:
  void note(std::uint64_t what, std::uint64_t value) noexcept {
    trace.add((what << 56U) ^ value);
    trace.add(literal_[0] ^ (literal_[1] << 32U));
    trace.add(data_octets_);
  }
  std::uint64_t literal_[imap::direction_count] = {0, 0};
  std::uint64_t data_octets_ = 0;  // of responses that may be told together, as their literals are
  bool open_line_ = false;         // the client's last line may go on with a literal, though no command is outstanding
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
  REQUIRE(!tracker.at_response_boundary() || !tracker.holds_octets(imap::Direction::server_to_client));
  REQUIRE(!tracker.at_response_boundary() || !tracker.compressed());
  REQUIRE(!tracker.compressed() || (heard.compressed && heard.count.opaque == 0));
}

// One direction of a compressed session, as its sender deflates it.
class Sender {
 public:
  Sender() { REQUIRE(deflateInit2(&zlib_, 1, Z_DEFLATED, -9, 1, Z_DEFAULT_STRATEGY) == Z_OK); }
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;
  ~Sender() { deflateEnd(&zlib_); }

  void start() noexcept { deflateReset(&zlib_); }
  std::string_view deflated(std::string_view piece) noexcept {
    zlib_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));
    zlib_.avail_in = static_cast<uInt>(piece.size());
    zlib_.next_out = reinterpret_cast<Bytef*>(room_.data());
    zlib_.avail_out = static_cast<uInt>(room_.size());
    deflate(&zlib_, Z_SYNC_FLUSH);
    return {room_.data(), room_.size() - zlib_.avail_out};
  }

 private:
  z_stream zlib_{};
  std::array<char, 2 * max_input> room_{};
};

// What lasts from one input to the next: nothing is allocated for them.
struct Means {
  imap::TagPool tags{1};
  imap::InflatedSessions sessions{2};  // the whole and the cut are there at once
  imap::DeflateTaps taps{sessions};
  std::array<Passage, imap::direction_count> passages;
  std::array<Sender, imap::direction_count> senders;
};

class Run {
 public:
  Run(std::uint8_t options, Means& means) noexcept
      : rules_{.enabled = (options & 1U) != 0, .strip_starttls = (options & 2U) != 0},
        context_{&means.tags, &rules_, 12345, &means.taps},
        means_(means) {
    for (Passage& each : means_.passages) each.start();
    for (Sender& each : means_.senders) each.start();
    if ((options & 8U) != 0) tracker_.take_out_multiplex();
  }

  void read(std::string_view wire, Cutter cutter) {
    Script script(wire, 0xfb);
    Script::Step step;
    while (script.next(step)) {
      if (step.order != 0) act(step.order);
      const bool deflate = heard_.compressed && heard_.count.opaque == 0;
      std::string_view octets = deflate ? means_.senders[client_ ? 0 : 1].deflated(step.piece) : step.piece;
      while (!octets.empty()) {
        const std::size_t chunk = cutter.next(std::min(octets.size(), max_input));
        pass(octets.substr(0, chunk), client_);
        check(tracker_, heard_);
        octets.remove_prefix(chunk);
      }
    }
    finish();
  }

  const Trace& trace() const noexcept { return heard_.trace; }
  const imap::FlightRecorder& flight() const noexcept { return heard_.flight; }
  // How many inflaters may have been made, with one allocation each.
  std::size_t compressions() const noexcept { return heard_.count.compressions; }

 private:
  void act(std::uint8_t order) {
    if (order >= 0xfe) client_ = order == 0xfe;
    if (order == 0xfd) now_ += std::chrono::minutes(10);
    if (order == 0xfc) tracker_.go_opaque(imap::OpaqueReason::disabled);
    if (order != 0xfb || ++hundreds_ > 3) return;
    for (int i = 0; i < 100; ++i) pass("a b\n", true);
  }

  void pass(std::string_view piece, bool client) {
    static Scratch scratch;
    const std::span<char> octets = scratch.lay(piece);
    Passage& passage = means_.passages[client ? 0 : 1];
    passage.in(octets);
    passage.out(client ? tracker_.pass_client(octets, now_) : tracker_.server(octets, now_));
  }

  void finish() {
    for (const auto direction : {imap::Direction::client_to_server, imap::Direction::server_to_client}) {
      const std::span<const char> held = tracker_.release_held(direction);
      REQUIRE(held.size() <= imap::capability_headroom);
      means_.passages[static_cast<std::size_t>(direction)].out(held);
    }
    tracker_.finish({});
    heard_.trace.add(static_cast<std::uint64_t>(tracker_.client_software()));
    REQUIRE(heard_.count.started == heard_.count.ended + heard_.count.untracked);
    REQUIRE(heard_.count.outcomes == (tracker_.greeting_seen() ? 1U : 0U));
    REQUIRE(heard_.count.words_removed != 0 || means_.passages[1].missing() == 0);
    const std::size_t pairs = heard_.count.multiplex_removed;  // 18 octets each, the first with the SP before or behind
    REQUIRE(means_.passages[0].missing() <= pairs * 18 && means_.passages[0].missing() + pairs >= pairs * 18);
    REQUIRE(rules_.enabled || heard_.count.words_removed == 0);
  }

  imap::CapabilityRules rules_;
  imap::TrackerContext context_;
  Listener heard_;
  imap::SessionTracker tracker_{heard_, context_};
  imap::TimePoint now_{};
  bool client_ = false;
  int hundreds_ = 0;  // 256 commands fill the table
  Means& means_;
};

}  // namespace
}  // namespace imapmeter::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace imapmeter;
  using namespace imapmeter::fuzz;
  static Means means;
  static const bool warm = [] {
    means.tags.give_back(means.tags.borrow());
    return true;
  }();
  REQUIRE(warm);
  const Input input(data, size);
  const std::size_t before = allocations();
  Run whole(input.options, means);
  whole.read(input.wire, Cutter::whole());
  Run cut(input.options, means);
  cut.read(input.wire, Cutter(input.seed));
  const std::size_t recorders = 2;
  REQUIRE(allocations() - before <= whole.compressions() + cut.compressions() + recorders);
  REQUIRE(cut.trace() == whole.trace());
  for (const imap::FlightEvent& event : cut.flight().events()) {
    REQUIRE(imap::parse_flight_event(imap::text(event)) == event);
  }
  return 0;
}
