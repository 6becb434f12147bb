// The relay and the end of a session.
#include "proxy/session.h"

#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>

#include "proxy/log.h"
#include "proxy/worker.h"

namespace imapmeter::proxy {
namespace {

using imap::Direction;

constexpr int farewell_reads_per_turn = 4;

Side receiver(Direction direction) noexcept {
  return direction == Direction::client_to_server ? Side::upstream : Side::client;
}

CloseReason end_reason(Direction direction, Io end, bool timed_out) noexcept {
  const bool by_client = direction == Direction::client_to_server;
  switch (end) {
    case Io::reset:
      if (timed_out) return by_client ? CloseReason::client_timeout : CloseReason::upstream_timeout;
      return by_client ? CloseReason::client_reset : CloseReason::upstream_reset;
    case Io::tls_error:
      return by_client ? CloseReason::client_tls_error : CloseReason::upstream_tls_error;
    default:
      return by_client ? CloseReason::client_eof : CloseReason::upstream_eof;
  }
}

// `logout` and `upstream_bye` say more than the way in which the connection then ended.
bool is_mere_end(CloseReason reason) noexcept {
  switch (reason) {
    case CloseReason::client_eof:
    case CloseReason::client_reset:
    case CloseReason::client_stall:
    case CloseReason::upstream_eof:
    case CloseReason::upstream_reset:
    case CloseReason::upstream_stall:
      return true;
    default:
      return false;
  }
}

}  // namespace

Session::Session(Worker& worker, std::shared_ptr<const Snapshot> snapshot, std::size_t listener, Fd client,
                 const IpEndpoint& peer)
    : worker_(worker),
      snapshot_(std::move(snapshot)),
      context_(worker.context(listener)),
      facts_(std::make_unique<SessionFacts>()),
      tracker_(*this, context_.tracker),
      accepted_(worker.loop.now()),
      state_since_(accepted_),
      progress_(accepted_),
      listener_(static_cast<std::uint16_t>(listener)) {
  facts_->id = worker_.next_session_id();
  facts_->client = peer;
  facts_->step_began = std::chrono::steady_clock::now();
  client_.open(std::move(client), worker.buffers, true);
}

Session::~Session() = default;

TimePoint Session::now() const noexcept { return worker_.loop.now(); }

std::size_t Session::upstream_number() const noexcept { return snapshot_->listeners[listener_].upstream; }

const UpstreamTarget& Session::upstream() const noexcept { return snapshot_->upstreams[upstream_number()]; }

void Session::on_ready(unsigned tag, std::uint32_t events) {
  if (tag != client_tag && tag != upstream_tag_) return;  // of a server that this session has left in this round
  (tag == client_tag ? client_ : upstream_).on_events(events);
  if (again_queued) return;  // its turn comes: not twice in one round, which would be at the others' cost
  if (state_ != State::connect) return advance();
  if (tag != client_tag && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0) finish_connect(events);
}

void Session::advance() {
  switch (state_) {
    case State::proxy_header:
      read_proxy_header();
      break;
    case State::handshake:
      client_handshake();
      break;
    case State::upstream_handshake:
      upstream_handshake();
      break;
    case State::upstream_dialogue:
      upstream_dialogue();
      break;
    case State::client_dialogue:
      client_dialogue();
      break;
    case State::relay:
      relay();
      break;
    case State::farewell:
      farewell();
      break;
    case State::connect:
    case State::gone:
      return;
  }
  arm();
}

void Session::start_relay() {
  state_ = State::relay;
  relaying_ = true;
  state_since_ = progress_ = now();
  relay();
}

std::span<char> Session::observe(Direction direction, std::span<char> octets) noexcept {
  (direction == Direction::client_to_server ? client_spoke_ : relayed_) = true;
  if (!snapshot_->listeners[listener_].observe) return octets;  // the off switch: no parser sees them
  const bool up = direction == Direction::client_to_server;
  const std::span<char> out = up ? tracker_.pass_client(octets, now()) : tracker_.server(octets, now());
  held_since_[static_cast<std::size_t>(direction)] = tracker_.holds_octets(direction) ? now() : TimePoint{};
  for (Flow& each : flows_) each.compressed = tracker_.compressed();
  if (context_.rules.findings != context_.told) tell_findings();
  return out;
}

// Once per upstream, whichever worker sees it first.
void Session::tell_findings() {
  using imap::CapabilityFinding;
  context_.told = context_.rules.findings;
  const std::uint8_t known = upstream().state->findings_told.fetch_or(context_.told.bits);
  const imap::CapabilityFindings fresh{static_cast<std::uint8_t>(context_.told.bits & ~known)};
  if (fresh.has(CapabilityFinding::logindisabled))
    log_warning("upstream {} advertises LOGINDISABLED on this leg: clients will not log in with LOGIN; {}",
                upstream().name,
                upstream().tls == nullptr ? "use an imaps:// server, or allow plaintext logins from here on the server"
                                          : "the server's own settings forbid it");
  if (fresh.has(CapabilityFinding::scram_plus))
    log_warning(
        "upstream {} advertises SCRAM with channel binding (-PLUS), which cannot work through a proxy that ends "
        "TLS; with capabilities: auto these mechanisms are taken out, with pass such clients fail to log in",
        upstream().name);
  if (fresh.has(CapabilityFinding::scram_kept))
    log_warning(
        "upstream {} offers no login but SCRAM: it stays, and clients that can bind channels may be refused; "
        "allow another mechanism on the server, such as PLAIN over TLS",
        upstream().name);
}

void Session::moved(Direction direction, std::size_t octets) noexcept {
  progress_ = now();
  facts_->octets[static_cast<std::size_t>(direction)] += octets;
  context_.observer->on_bytes(direction, octets);
}

void Session::timed(Direction direction, std::chrono::nanoseconds delay) noexcept {
  context_.observer->on_relay_delay(direction, delay);
}

void Session::relay() {
  const std::size_t unsent_down = client_.unsent();
  const std::size_t unsent_up = upstream_.unsent();
  const Pumped down =
      pump(flow(Direction::server_to_client), Direction::server_to_client, upstream_, client_, worker_.buffers, *this);
  const Pumped up =
      pump(flow(Direction::client_to_server), Direction::client_to_server, client_, upstream_, worker_.buffers, *this);
  watch_stall(Direction::server_to_client, client_, unsent_down);
  watch_stall(Direction::client_to_server, upstream_, unsent_up);
  watch_greeting();
  if (client_.starved() || upstream_.starved()) return starve();
  settle(Direction::server_to_client, client_);
  settle(Direction::client_to_server, upstream_);
  if (state_ != State::relay || try_drain()) return;
  // The second pump may have freed what the first one's source waited for.
  const bool revived = down == Pumped::idle && !half_closed(Direction::server_to_client) && upstream_.may_read();
  if (down == Pumped::more || up == Pumped::more || revived) worker_.loop.again(*this);
}

// Remembers since when a side has not taken anything of what waits for it.
void Session::watch_stall(Direction direction, const Leg& to, std::size_t unsent_before) noexcept {
  if (to.unsent() < unsent_before) progress_ = now();
  if (!to.blocked()) return end_stall(direction);
  TimePoint& since = blocked_since_[static_cast<std::size_t>(direction)];
  if (since == TimePoint{})
    context_.observer->on_blocked(receiver(direction), +1, {});
  else if (to.unsent() != unsent_before)
    context_.observer->on_blocked(receiver(direction), 0, now() - since);
  else
    return;
  since = now();
}

void Session::end_stall(Direction direction) noexcept {
  TimePoint& since = blocked_since_[static_cast<std::size_t>(direction)];
  if (since == TimePoint{}) return;
  context_.observer->on_blocked(receiver(direction), -1, now() - since);
  since = TimePoint{};
}

// The worker's sessions keep all they may: what one of them read cannot be handed on.
void Session::starve() {
  log_limited(LogClass::limit_memory, "listener {}: a session ends: there is no room for what its peer does not read",
              snapshot_->listeners[listener_].name);
  force_close(CloseReason::limit_memory);
}

void Session::watch_greeting() {
  const bool unread = !snapshot_->listeners[listener_].observe;  // then what the server says first is its greeting
  if (connect_told_ || (unread && !relayed_)) return;
  if (!tracker_.greeting_seen() && tracker_.state() != imap::SessionState::opaque) return;
  state_since_ = now();
  if (tracker_.greeting_seen()) {
    if (!facts_->has_taken(Step::greeting)) facts_->end_step(Step::greeting);
    for (const Step step : {Step::connect, Step::upstream_tls, Step::greeting}) tell_step(step);
  }
  claimed_destination_.reset();  // no other server is going to be told
  if (upstream_.ssl() != nullptr) worker_.ticket(upstream_number(), server_).keep(*upstream_.ssl());
  const bool welcome = unread || tracker_.state() == imap::SessionState::not_authenticated ||
                       tracker_.state() == imap::SessionState::authenticated;
  tell_connect(welcome ? ConnectResult::ok : ConnectResult::greeting);
}

// Hands the end of one direction on, once all before it has been delivered.
void Session::settle(Direction direction, Leg& to) {
  Flow& ended = flow(direction);
  if (state_ != State::relay || ended.end == Io::again || ended.closed) return;
  if (direction == Direction::server_to_client && !half_closed(Direction::client_to_server)) {
    const ConnectResult result = ended.end == Io::reset ? ConnectResult::reset : ConnectResult::greeting;
    if (!relayed_) return fail_connect(end_reason(direction, ended.end, upstream_.timed_out()), result);
    tell_connect(result);  // where the greeting was not whole
  }
  note_end(direction, ended.end);
  flush_held(direction);
  if (to.blocked() && !ended.discard) return;
  if (ended.end == Io::reset) {
    // RST destroys what the peer's system has not taken yet: wait until it has.
    if (!ended.discard && unacknowledged(to.fd()) > 0) return;
    reset_on_close(to.fd());
    return finish();
  }
  // Without close_notify from there, none from here: truncation stays detectable.
  const Flow& other =
      flow(direction == Direction::client_to_server ? Direction::server_to_client : Direction::client_to_server);
  if (!ended.discard && !to.end_writing(ended.end == Io::eof, other.closed)) return;
  ended.closed = true;
  if (other.closed) finish();
}

void Session::note_end(Direction direction, Io end) {
  if (reason_) return;
  const Leg& from = direction == Direction::client_to_server ? client_ : upstream_;
  reason_ = end_reason(direction, end, from.timed_out());
  progress_ = now();
}

bool Session::half_closed(Direction direction) const noexcept { return flow(direction).end != Io::again; }

void Session::flush_held(Direction direction) {
  Leg& to = direction == Direction::server_to_client ? client_ : upstream_;
  if (!tracker_.holds_octets(direction) || to.blocked()) return;
  held_since_[static_cast<std::size_t>(direction)] = TimePoint{};
  const std::span<const char> held = tracker_.release_held(direction);
  const Io written = to.write(held);
  if (written == Io::ok || written == Io::again) moved(direction, held.size());
}

// --- the end -----------------------------------------------------------------------------------------------------

void Session::drain(TimePoint at) {
  drain_at_ = at;
  check_deadlines();
  arm();
}

bool Session::try_drain() {
  if (now() < drain_at_ || client_.blocked() || reason_) return false;
  const bool between = state_ == State::client_dialogue && dialogue_->client.switching();  // STARTTLS and TLS
  if (state_ == State::proxy_header || state_ == State::handshake || between) {
    reason_ = CloseReason::drain;
    finish();
    return true;
  }
  if (state_ == State::farewell || state_ == State::gone) return false;
  if (relayed_ && !tracker_.at_response_boundary()) return false;
  reason_ = CloseReason::drain;
  say_bye(bye_drain);
  return true;
}

void Session::force_close(CloseReason reason) {
  if (!reason_ || reason == CloseReason::drain_forced) reason_ = reason;
  finish();
}

// Only before anything of the server was relayed, or at a response boundary.
void Session::say_bye(std::string_view line) {
  begin_farewell();
  if (client_.blocked() || client_.write(line) == Io::reset) return finish();
  context_.observer->on_authored(Authored::bye);
  farewell();
}

void Session::begin_farewell() {
  state_ = State::farewell;
  state_since_ = now();
  end_stall(Direction::client_to_server);
  dismiss_server();
}

// Waits for the client to close: a socket closed with unread input would send RST and destroy the BYE.
void Session::farewell() {
  if (client_.blocked()) {
    const Io flushed = client_.flush();
    if (flushed == Io::again) return;
    if (flushed == Io::reset) return finish();
  }
  Flow& down = flow(Direction::server_to_client);
  if (!down.closed && !client_.end_writing(true)) return;
  down.closed = true;
  for (int reads = 0; client_.may_read(); ++reads) {
    if (reads == farewell_reads_per_turn) return worker_.loop.again(*this);
    const std::span<char> room = worker_.buffers.scratch(min_quantum);
    const Leg::Read got = client_.read(room);
    OPENSSL_cleanse(room.data(), got.octets);
    if (got.status != Io::ok && got.status != Io::again) return finish();
  }
}

void Session::finish() {
  if (state_ == State::gone) return;
  state_ = State::gone;
  tracker_.finish(now());
  end_stall(Direction::client_to_server);
  end_stall(Direction::server_to_client);
  worker_.limits.release(slots_, listener_, upstream_number(), facts_->client);
  leave_server();
  if (tried_ != 0) facts_->server = server_;
  facts_->client_software = tracker_.client_software();
  const auto duration = std::chrono::steady_clock::now() - accepted_;
  const Closed closed{final_reason(), phase(), tracker_.state(), duration, facts_.get()};
  client_.close();
  context_.observer->on_closed(closed);
  worker_.remove(*this);
}

CloseReason Session::final_reason() const noexcept {
  const CloseReason reason = reason_.value_or(CloseReason::internal);
  if (!is_mere_end(reason)) return reason;
  if (tracker_.logout_completed()) return CloseReason::logout;
  return tracker_.bye_seen() ? CloseReason::upstream_bye : reason;
}

Phase Session::phase() const noexcept {
  if (tracker_.ever_authenticated()) return Phase::authenticated;
  if (tracker_.greeting_seen()) return Phase::login;
  if (relaying_) return Phase::greeting;
  if (dialogue_ != nullptr && dialogue_->client_greeted) return Phase::handshake;
  return dialled_ ? Phase::connect : Phase::handshake;
}

}  // namespace imapmeter::proxy
