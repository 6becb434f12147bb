// Joins both directions of one IMAP session: which command a response completes, what state the session is in, why
// the server said BYE, and when reading must stop. Bytes in, events out; it never waits, throws or allocates, and any
// chunking of the same octets gives the same events.
//
// Rules (METRICS.md, "Exact readings")
// - Commands are matched by tag, oldest first; an untagged response belongs to no command.
// - `{n}` of the client: its octets come after a `+`, or never, if the command is answered instead.
// - In step: a line after a server literal that is no response puts the session out of step, until a tagged OK, NO or
//   BAD of an outstanding command. Out of step nothing else is counted.
// - COMPRESS, UNAUTHENTICATE: session_tracker_compress.cc.
// - Opaque: the session is not read again. Better that than a guess.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "proxy/imap/capability_filter.h"
#include "proxy/imap/command_scanner.h"
#include "proxy/imap/data_run.h"
#include "proxy/imap/event.h"
#include "proxy/imap/first_response.h"
#include "proxy/imap/inflater.h"
#include "proxy/imap/multiplex_filter.h"
#include "proxy/imap/observer.h"
#include "proxy/imap/outstanding_table.h"
#include "proxy/imap/response_scanner.h"
#include "proxy/imap/tag_pool.h"

namespace imapmeter::imap {

// What all sessions of one worker and listener share; outlives them.
struct TrackerContext {
  TagPool* tags = nullptr;              // none: commands beyond the fourth outstanding one are untracked
  CapabilityRules* rules = nullptr;     // none: capabilities pass as they are
  std::uint64_t tag_key = 0;            // random, kept from peers
  InflaterSource* inflaters = nullptr;  // none: a session goes opaque when it is compressed
};

// What a turn may inflate to; more makes the session opaque (FAULTS.md B21: 16 KiB can hold 16 MiB of zeros).
inline constexpr std::size_t max_inflated_in_turn = std::size_t{1} << 20;

class SessionTracker {
 public:
  SessionTracker(Observer& observer, TrackerContext& context) noexcept;
  ~SessionTracker();

  // Octets in the order in which they were read. Views are only used during the call.
  void client(std::span<const char> octets, TimePoint now) noexcept;
  // The same, and returns what is to be forwarded: see server(). Something is held back or taken out only after
  // take_out_multiplex().
  std::span<char> pass_client(std::span<char> octets, TimePoint now) noexcept;
  // The client is trusted to mean itself when it asks for multiplexing: it shall not get it, so that the session can be
  // read (multiplex_filter.h).
  void take_out_multiplex() noexcept { take_out_multiplex_ = true; }
  // Returns what is to be forwarded: `octets` itself, or less where capability words were taken out, or up to
  // capability_headroom octets more, in front, where octets held back before come out. The caller leaves that many
  // writable octets free in front of `octets`.
  std::span<char> server(std::span<char> octets, TimePoint now) noexcept;
  // The greeting has been read by someone else and is not among the octets of server(). Before the first of them.
  void adopt_greeting(const ResponseLine& greeting, TimePoint now) noexcept;
  // Octets of an unfinished capability word, or of the pair of an ID, are held back since the last server() or
  // pass_client(); after 1 s without more the caller takes them with release_held() and forwards them. The view is
  // valid until the next call.
  bool holds_octets(Direction direction) const noexcept {
    return direction == Direction::server_to_client ? filter_.holds() : multiplex_.holds();
  }
  std::span<const char> release_held(Direction direction) noexcept {
    return direction == Direction::server_to_client ? filter_.release() : multiplex_.release();
  }
  // Reads no more; the bytes flow on.
  void go_opaque(OpaqueReason reason) noexcept;
  // The session is over: commands still outstanding are aborted, the outcome is told. Call once, last.
  void finish(TimePoint now) noexcept;

  SessionState state() const noexcept;
  bool greeting_seen() const noexcept { return greeting_seen_; }  // the first line was complete, in whatever shape
  bool ever_authenticated() const noexcept { return ever_authenticated_; }
  // It has logged in, or that cannot be known.
  bool may_have_logged_in() const noexcept { return opaque_ || ever_authenticated_ || login_unseen_; }
  bool logout_completed() const noexcept { return logout_completed_; }  // a tagged OK to LOGOUT was read
  bool bye_seen() const noexcept { return bye_seen_; }                  // a BYE was read, the greeting included
  // What passes is inflated to be read: give it in small portions.
  bool compressed() const noexcept { return inflater_ != nullptr; }
  // Which program the client has said it is, so far.
  ClientSoftware client_software() const noexcept { return commands_.client_software(); }
  // True where imapmeter may say BYE itself: in step, still read, not compressed, no line or literal open towards the
  // client, nothing held, no command outstanding but IDLE.
  bool at_response_boundary() const noexcept;

 private:
  // The command that the client sent last, or is sending.
  enum class Latest : std::uint8_t {
    none,       // no command, or it was answered
    tracked,    // it is the last entry of outstanding_
    untracked,  // it found no room there
  };
  enum class LoginTrouble : std::uint8_t { none, rejected, failed };

  // session_tracker_client.cc
  void hear_client(std::span<const char> octets, TimePoint now, FilterOutput* output) noexcept;
  void read_client(std::span<const char> octets, FilterOutput* output) noexcept;
  void filter_client(std::span<const char> octets, CommandScanner::Token token, FilterOutput* output) noexcept;
  void on_client(CommandScanner::Token token, std::size_t octets) noexcept;
  void on_client_line() noexcept;
  void client_part_anomalies() noexcept;
  void begin_command() noexcept;
  bool make_room() noexcept;
  void answer_early(const OutstandingCommand& command) noexcept;
  void after_client_part() noexcept;
  void sasl_line() noexcept;
  void note_line_end() noexcept;
  void time_first_response() noexcept;
  void impatient() noexcept;

  // session_tracker_server.cc
  std::size_t read_server(std::span<char> octets, FilterOutput& output) noexcept;
  void on_server(ResponseScanner::Token token, std::size_t octets) noexcept;
  void on_server_tag() noexcept;
  void on_server_part() noexcept;
  void on_server_line() noexcept;
  void note_first_response(const ResponseLine& line) noexcept;
  bool read_out_of_step(const ResponseLine& line) noexcept;
  void server_part_anomalies() noexcept;
  void on_first_line(const ResponseLine& line) noexcept;
  void on_odd_line(Anomaly anomaly) noexcept;
  void on_data(const ResponseLine& line) noexcept;
  std::size_t read_runs(std::span<const char> octets, DataReader& reader) noexcept;
  void on_data_run(const DataRun& run) noexcept;
  void on_untagged(const ResponseLine& line) noexcept;
  void on_tagged(const ResponseLine& line) noexcept;
  void on_unmatched(const ResponseLine& line) noexcept;
  void untracked_ok(Command command) noexcept;
  void on_continuation() noexcept;
  void fall_out_of_step() noexcept;
  void provider_signal(const ResponseLine& line) noexcept;
  void tell_capabilities() noexcept;
  void tell_status(const ResponseLine& line, ResponseKind kind) noexcept;
  void bye(ByeReason reason) noexcept;
  ByeReason bye_reason() const noexcept;

  // session_tracker_compress.cc
  bool inflating(Direction direction) const noexcept;
  bool recodes(Command command) const noexcept;
  std::size_t inflate(Direction direction, std::span<const char> octets) noexcept;
  void read_inflated(Direction direction, std::span<char> octets) noexcept;
  void end_stream(Direction direction) noexcept;
  void await_compression() noexcept;
  void octets_before_answer() noexcept;
  void compress_answered(Condition condition) noexcept;
  void unauthenticate_answered(Condition condition) noexcept;
  void end_with_next_flush(Direction direction) noexcept;

  // session_tracker.cc
  void complete(std::size_t index, Condition condition, ResponseCode code) noexcept;
  void answer_latest() noexcept;
  void tell_end(const OutstandingCommand& command, Condition condition, ResponseCode code, bool early) noexcept;
  void tell_login(const OutstandingCommand& command, Condition condition, ResponseCode code) noexcept;
  void apply(const OutstandingCommand& command, Condition condition) noexcept;
  void end_unanswered(const OutstandingCommand& command, CommandResult result) noexcept;
  void authenticated() noexcept;
  void update_state() noexcept;
  bool only_idle_outstanding() const noexcept;
  bool is_outstanding(Command command) const noexcept;
  bool before_login() const noexcept { return base_ == SessionState::not_authenticated && !login_unseen_; }
  Outcome outcome() const noexcept;

  Observer& observer_;
  TrackerContext& context_;
  OutstandingTable outstanding_;
  ResponseScanner responses_;
  CommandScanner commands_;
  CapabilityFilter filter_;
  CapabilityReader capabilities_;
  MultiplexFilter multiplex_;
  std::unique_ptr<Inflater> inflater_;  // while a side is deflated
  TimePoint now_{};
  TimePoint last_client_{};  // when the client last sent something; at first, when the session was first fed
  [[no_unique_address]] FirstResponse first_response_;  // what follows fits behind it
  std::uint32_t silent_ = 0;                            // completions of untracked commands that may still come

  SessionState base_ = SessionState::not_authenticated;  // without IDLE and LOGOUT
  SessionState told_ = SessionState::connecting;         // what the observer knows
  Latest latest_ = Latest::none;
  LoginTrouble login_trouble_ = LoginTrouble::none;  // of the last attempt
  Condition early_condition_ = Condition::bad;
  ResponseCode early_code_ = ResponseCode::none;
  bool fed_ : 1 = false;
  bool opaque_ : 1 = false;
  bool greeting_seen_ : 1 = false;
  bool ever_authenticated_ : 1 = false;
  bool answered_early_ : 1 = false;  // the command that the client begins was answered: early_condition_, early_code_
  bool login_unseen_ : 1 = false;    // a login was untracked, and its answer was not recognised
  bool logout_requested_ : 1 = false;
  bool logout_completed_ : 1 = false;
  bool bye_seen_ : 1 = false;
  bool cut_by_bye_ : 1 = false;   // inactivity or shutdown
  bool turned_away_ : 1 = false;  // BYE as the greeting
  bool degraded_ : 1 = false;
  bool idling_ : 1 = false;
  bool just_logged_in_ : 1 = false;  // the last command that was answered was a login, and the answer OK
  bool in_step_ : 1 = true;
  bool listing_ : 1 = false;             // this line has a list of capabilities
  bool after_literal_ : 1 = false;       // a server literal, and no completion since
  bool tag_outstanding_ : 1 = false;     // the tag of the server's line was outstanding when it was read
  bool first_client_octet_ : 1 = false;  // the next octet tells whether a SASL layer was put on
  bool first_server_octet_ : 1 = false;
  bool take_out_multiplex_ : 1 = false;
  bool compress_pending_ : 1 = false;  // the client's last command is COMPRESS, whole and not answered
  bool compress_overrun_ : 1 = false;  // … and the client has not waited
};

// The idle cost of a session (PERFORMANCE.md): state of both directions, 4 commands, 64 held octets.
static_assert(sizeof(SessionTracker) <= 528);

}  // namespace imapmeter::imap
