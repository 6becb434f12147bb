// One client from accept to close: both legs, the pump, the tracker, the deadlines, exactly one CloseReason. It lives
// and dies on one worker's loop.
//
//   proxy_header ──► handshake ──► connect ──► upstream_handshake ──► relay ──► gone
//                        │            │               │                 │
//                        └────────────┴───────────────┴── farewell ─────┴──►     (a BYE of ours is on its way)
//
// STARTTLS, on either leg, has two states of its own: session_starttls.cc.
//
// Rules
// - Where the listener asks for a PROXY header nothing else is done before it has been read; it says who the client is.
// - The upstream is dialled when the client's TLS stands (at once without TLS, or where that waits for STARTTLS);
//   nothing of the client is read before.
// - A server that fails before an octet was relayed, either way, is followed by the next one. A greeting is relayed,
//   whatever it says. When all have failed, the client is told, and the reason is the last one's: it ended the session.
// - Each direction ends by itself: the end of one is handed on when all before it has been delivered, and the other
//   goes on for as long as it moves, half_close at most without progress.
// - The first cause is the reason. `logout` and `upstream_bye` replace a later end, reset or stall.
// - A limit refuses a session at accept or at the dial, and never ends it later.
// - imapmeter says BYE itself only before anything of the server was relayed, or at a response boundary in a drain.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string_view>

#include "proxy/event_loop.h"
#include "proxy/imap/session_tracker.h"
#include "proxy/leg.h"
#include "proxy/limits.h"
#include "proxy/observer.h"
#include "proxy/open_session.h"
#include "proxy/pump.h"
#include "proxy/session_dialogue.h"
#include "proxy/session_facts.h"
#include "proxy/snapshot.h"

namespace imapmeter::proxy {

class Worker;

// The only IMAP that imapmeter speaks to a client here; nothing of a peer in it.
inline constexpr std::string_view bye_unavailable =
    "* BYE [UNAVAILABLE] The mail server cannot be reached, try again later\r\n";
inline constexpr std::string_view bye_limit = "* BYE [UNAVAILABLE] Too many connections, try again later\r\n";
inline constexpr std::string_view bye_drain = "* BYE [UNAVAILABLE] This connection is being closed, connect again\r\n";

// What the sessions of one listener share on one worker.
struct ListenerContext {
  Observer* observer = nullptr;
  imap::Observer* imap_observer = nullptr;
  imap::CapabilityRules rules;
  imap::CapabilityFindings told;  // of rules.findings, what has been logged
  imap::TrackerContext tracker;
};

class Session final : public EventSource, private Tap, private imap::Observer {
 public:
  // Takes the accepted socket; start() must follow once the worker owns the session.
  Session(Worker& worker, std::shared_ptr<const Snapshot> snapshot, std::size_t listener, Fd client,
          const IpEndpoint& peer);
  ~Session() override;

  void start();
  // Close at the next response boundary from `at` on.
  void drain(TimePoint at);
  // Close now.
  void force_close(CloseReason reason);
  OpenSession describe() const;  // session_describe.cc

  void on_ready(unsigned tag, std::uint32_t events) override;
  void on_again() override { advance(); }
  void on_deadline() override;

  std::size_t index = 0;  // its place in the worker's list

 private:
  static constexpr unsigned client_tag = 0;
  static constexpr unsigned last_upstream_tag = 2;
  enum class State : std::uint8_t {
    proxy_header,
    handshake,
    connect,
    upstream_handshake,
    upstream_dialogue,
    client_dialogue,
    relay,
    farewell,
    gone,
  };

  // Tap
  std::span<char> observe(imap::Direction direction, std::span<char> octets) noexcept override;
  void moved(imap::Direction direction, std::size_t octets) noexcept override;
  void timed(imap::Direction direction, std::chrono::nanoseconds delay) noexcept override;

  // imap::Observer: to the listener's observers, and what only the session can add (session_events.cc)
  void on_status(const imap::Status& status) noexcept override;
  void on_undefined_status() noexcept override;
  void on_data(const imap::Data& data) noexcept override;
  void on_capabilities(const imap::Capabilities& capabilities) noexcept override;
  void on_continuation() noexcept override;
  void on_bye(imap::ByeReason reason) noexcept override;
  void on_state(imap::SessionState from, imap::SessionState to) noexcept override;
  void on_authenticated() noexcept override;
  void on_command_started(const imap::CommandStart& start) noexcept override;
  void on_command_ended(const imap::CommandEnd& end) noexcept override;
  void on_idle(std::chrono::nanoseconds duration) noexcept override;
  void on_client_line(imap::ClientLine line, std::uint32_t octets) noexcept override;
  void on_first_response(imap::Command command, std::chrono::nanoseconds time) noexcept override;
  void on_auth_attempt(const imap::AuthAttempt& attempt) noexcept override;
  void on_literal(imap::Direction direction, std::size_t octets) noexcept override;
  void on_messages(imap::MessageOperation operation, std::size_t messages) noexcept override;
  void on_provider_signal(imap::ProviderSignal signal) noexcept override;
  void on_compress(imap::CompressResult result) noexcept override;
  void on_inflated(imap::Direction direction, std::size_t deflated, std::size_t inflated) noexcept override;
  void on_anomaly(imap::Anomaly anomaly) noexcept override;
  void on_opaque(imap::OpaqueReason reason) noexcept override;
  void on_capability_removed() noexcept override;
  void on_multiplex_removed() noexcept override;
  void on_outcome(imap::Outcome outcome) noexcept override;

  void advance();
  bool client_is_in(const std::vector<config::Network>& networks) const noexcept;
  bool sender_is_trusted() const noexcept;
  void read_proxy_header();
  void refuse_proxy_header(const char* why);
  void send_proxy_header() noexcept;
  void begin_client();
  void refuse(CloseReason limit);
  void client_handshake();
  void tell_step(Step step) noexcept;
  void tell_handshake(Side side, SSL& ssl);
  void dial();
  void dial_server();
  void dial_next();
  void finish_connect(std::uint32_t events);
  void start_upstream_tls();
  void upstream_handshake();
  void fail_connect(CloseReason reason, ConnectResult result);
  void tell_connect(ConnectResult result);
  void dismiss_server();
  void leave_server();
  std::size_t attempts_left() const noexcept;
  void warn_of_no_session(CloseReason reason) const;

  // session_starttls.cc
  bool listener_has_starttls() const noexcept;
  void begin_dialogue();
  void upstream_dialogue();
  void end_upstream_dialogue(imap::UpstreamDialogue::Verdict verdict);
  ConnectResult dialogue_failure() const noexcept;
  void turned_away();
  void end_upstream_starttls();
  void upstream_ready();
  void greet_client();
  void say_before_tls(std::string_view line);
  void client_dialogue();
  void end_client_dialogue(imap::ClientDialogue::Verdict verdict);
  void start_client_tls();
  void end_dialogue();
  void write_greeting();

  void start_relay();
  void relay();
  void watch_stall(imap::Direction direction, const Leg& to, std::size_t unsent_before) noexcept;
  void end_stall(imap::Direction direction) noexcept;
  void starve();
  void watch_greeting();
  void settle(imap::Direction direction, Leg& to);
  void note_end(imap::Direction direction, Io end);
  void tell_findings();
  bool half_closed(imap::Direction direction) const noexcept;
  void flush_held(imap::Direction direction);

  bool try_drain();
  void say_bye(std::string_view line);
  void begin_farewell();
  void farewell();
  void finish();
  CloseReason final_reason() const noexcept;
  Phase phase() const noexcept;

  void check_deadlines();
  void check_relay_deadlines();
  TimePoint keepalive_deadline() const noexcept;
  TimePoint preauth_deadline() const noexcept;
  TimePoint idle_deadline() const noexcept;
  void connect_timed_out();
  TimePoint next_deadline() const noexcept;
  void arm();

  std::size_t upstream_number() const noexcept;
  const UpstreamTarget& upstream() const noexcept;
  const ServerTarget& server() const noexcept { return upstream().servers[server_]; }
  TimePoint now() const noexcept;
  std::chrono::nanoseconds age() const noexcept { return now() - accepted_; }
  const IpEndpoint& peer() const noexcept { return facts_->client; }
  Flow& flow(imap::Direction direction) noexcept { return flows_[static_cast<std::size_t>(direction)]; }
  const Flow& flow(imap::Direction direction) const noexcept { return flows_[static_cast<std::size_t>(direction)]; }

  Worker& worker_;
  std::shared_ptr<const Snapshot> snapshot_;
  ListenerContext& context_;
  std::unique_ptr<SessionFacts> facts_;
  imap::SessionTracker tracker_;
  Leg client_;
  Leg upstream_;
  std::array<Flow, imap::direction_count> flows_;
  std::array<TimePoint, imap::direction_count> blocked_since_{};  // the epoch: not blocked
  TimePoint accepted_;
  TimePoint state_since_;                                      // in the relay: since the greeting, once there was one
  TimePoint progress_;                                         // the last time octets moved, or a direction ended
  std::array<TimePoint, imap::direction_count> held_since_{};  // octets are held back; the epoch: none
  std::chrono::nanoseconds connect_left_{};  // of timeouts.connect, for all addresses that are not tried yet
  ServerSet tried_ = 0;
  TimePoint drain_at_ = TimePoint::max();
  TimePoint armed_for_ = TimePoint::max();
  int unacknowledged_ = 0;                           // by the client's system, when the half-close deadline last looked
  std::unique_ptr<SessionDialogue> dialogue_;        // before TLS, where there is STARTTLS
  std::unique_ptr<IpEndpoint> claimed_destination_;  // what the PROXY header says the client dialled, until a greeting
  Slots slots_;
  std::uint16_t listener_;
  std::uint16_t server_ = 0;                       // of the upstream's servers
  std::uint16_t address_ = 0;                      // the next one to try
  std::uint8_t upstream_tag_ = last_upstream_tag;  // 1 and 2 in turn: an event of the server before is told apart
  State state_ = State::handshake;
  std::optional<CloseReason> reason_;
  bool dialled_ = false;       // the client's TLS, if any, stands
  bool relaying_ = false;      // the relay has begun
  bool relayed_ = false;       // something of the server has been read for the client
  bool client_spoke_ = false;  // something of the client has been read for the server
  bool server_taken_ = false;  // this session is among ServerState::sessions
  bool connect_told_ = false;  // on_upstream_connect has been called for this server
  bool upstream_counted_ = false;
  bool upstream_asked_ = false;  // by keepalive, when it is silent
};
// Idle memory is a promise (PERFORMANCE.md): what grows here is paid once per phone.
static_assert(sizeof(Session) <= 896);

}  // namespace imapmeter::proxy
