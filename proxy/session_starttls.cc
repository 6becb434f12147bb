// STARTTLS in a session, on one leg or on both.
//
//   connect ──► upstream_dialogue ◄──► upstream_handshake          client_dialogue ──► handshake ──► relay
//                      └── the server has greeted and has its TLS ──────►┘  (or at once to relay)
//
// Rules
// - The server comes first: a client of a STARTTLS listener is greeted when a server would serve it, and hears BYE in
//   place of the greeting where none would. Until then another server can take over, and nothing has to be undone.
// - The relay begins when both legs are as they stay. What was said before is in no family but imapmeter_authored_total
//   and the families of STARTTLS; nothing of it goes to the other side.
// - The server's greeting is taken out, and counted when the relay begins. The client has got one of imapmeter's:
// before
//   its TLS, or, where its leg had TLS from the beginning, at the relay's beginning. So for each direction
//   received = sent + taken out - authored, as everywhere.
// - A server that says BYE instead of a greeting is not followed by another one: the client is told BYE, in our words.
//   After PREAUTH there is no STARTTLS, and a client without TLS must not be let in: it ends the session.
// - No octet is taken from a leg that does not belong to the dialogue: what follows is for TLS, or for the relay.
#include <openssl/crypto.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <new>

#include "proxy/log.h"
#include "proxy/session.h"
#include "proxy/worker.h"

namespace imapmeter::proxy {
namespace {

using imap::ClientDialogue;
using imap::UpstreamDialogue;

constexpr int client_reads_per_turn = 16;

CloseReason upstream_end(Io status) noexcept {
  if (status == Io::reset) return CloseReason::upstream_reset;
  return status == Io::tls_error ? CloseReason::upstream_tls_error : CloseReason::upstream_eof;
}

}  // namespace

bool Session::listener_has_starttls() const noexcept { return snapshot_->listeners[listener_].starttls; }

// The server is connected, and has its TLS where it has it from the beginning.
void Session::begin_dialogue() {
  using Goal = UpstreamDialogue::Goal;
  if (!listener_has_starttls() && !upstream().starttls) return start_relay();
  if (dialogue_ == nullptr) dialogue_.reset(new (std::nothrow) SessionDialogue);
  if (dialogue_ == nullptr) return force_close(CloseReason::limit_memory);
  const Goal with_tls = listener_has_starttls() ? Goal::starttls : Goal::capabilities;
  dialogue_->upstream = UpstreamDialogue(upstream().starttls ? with_tls : Goal::greeting);
  dialogue_->upstream_ready = false;
  state_ = State::upstream_dialogue;
  state_since_ = now();
  upstream_dialogue();
}

// --- towards the server ----------------------------------------------------------------------------------------------

void Session::upstream_dialogue() {
  if (upstream_.blocked() && upstream_.flush() == Io::again) return;
  UpstreamDialogue& dialogue = dialogue_->upstream;
  for (;;) {
    const std::span<char> room = worker_.buffers.scratch(min_quantum);
    const Leg::Read got = upstream_.peek(room);
    if (got.octets == 0) {
      if (got.status == Io::again) break;
      return fail_connect(upstream_end(got.status),
                          got.status == Io::reset ? ConnectResult::reset : dialogue_failure());
    }
    const bool greeted = dialogue.greeted();
    const UpstreamDialogue::Read read = dialogue.read(room.first(got.octets));
    upstream_.read(room.first(read.taken));
    if (!greeted && dialogue.greeted()) {
      facts_->end_step(Step::greeting);
      state_since_ = now();
    }
    if (read.verdict != UpstreamDialogue::Verdict::more) return end_upstream_dialogue(read.verdict);
  }
  if (dialogue.to_say().empty()) return;
  upstream_.write(dialogue.to_say());  // where it cannot be sent, the next read finds out
  dialogue.said();
  context_.observer->on_authored(Authored::upstream_starttls);
}

void Session::end_upstream_dialogue(UpstreamDialogue::Verdict verdict) {
  using Verdict = UpstreamDialogue::Verdict;
  const auto fail = [this](StarttlsResult result, CloseReason reason) {
    context_.observer->on_starttls(Side::upstream, result);
    fail_connect(reason, ConnectResult::starttls);
  };
  switch (verdict) {
    case Verdict::more:
      return;
    case Verdict::start_tls:
      return start_upstream_tls();
    case Verdict::done:
      return upstream_ready();
    case Verdict::bye:
      return turned_away();
    case Verdict::no_greeting:
      return fail_connect(CloseReason::upstream_unavailable, ConnectResult::greeting);
    case Verdict::preauth:
      if (upstream().starttls) return fail(StarttlsResult::stripped, CloseReason::starttls_preauth);
      return fail_connect(CloseReason::starttls_preauth, ConnectResult::greeting);
    case Verdict::refused:
      return fail(StarttlsResult::refused, CloseReason::starttls_refused);
    case Verdict::stripped:
      return fail(StarttlsResult::stripped, CloseReason::starttls_stripped);
    case Verdict::injection:
      return fail(StarttlsResult::injection, CloseReason::starttls_injection);
  }
}

// Where in the dialogue it failed.
ConnectResult Session::dialogue_failure() const noexcept {
  return dialogue_->upstream.greeted() ? ConnectResult::starttls : ConnectResult::greeting;
}

void Session::turned_away() {
  const imap::ResponseLine& greeting = dialogue_->upstream.greeting();
  if (greeting.condition != imap::Condition::bye)  // it has changed its mind since
    return fail_connect(CloseReason::upstream_bye, ConnectResult::greeting);
  tell_connect(ConnectResult::greeting);
  tracker_.adopt_greeting(greeting, now());
  reason_ = CloseReason::upstream_bye;
  say_bye(bye_unavailable);
}

// TLS that was agreed on stands.
void Session::end_upstream_starttls() {
  context_.observer->on_starttls(Side::upstream, StarttlsResult::ok);
  if (!dialogue_->upstream.begin_inside_tls()) return upstream_ready();
  state_ = State::upstream_dialogue;
  state_since_ = now();
  upstream_dialogue();
}

// Its leg is as it stays, and it has greeted.
void Session::upstream_ready() {
  dialogue_->upstream_ready = true;
  listener_has_starttls() ? greet_client() : end_dialogue();
}

// --- towards the client ----------------------------------------------------------------------------------------------

void Session::greet_client() {
  state_ = State::client_dialogue;
  state_since_ = facts_->step_began = now();
  dialogue_->client_greeted = true;
  say_before_tls(ClientDialogue::greeting);
  client_dialogue();
}

void Session::say_before_tls(std::string_view line) {
  if (line.empty()) return;
  client_.write(line);  // where it cannot be sent, the next read finds out
  context_.observer->on_authored(Authored::pre_tls);
}

void Session::client_dialogue() {
  using Verdict = ClientDialogue::Verdict;
  ClientDialogue& dialogue = dialogue_->client;
  for (int reads = 0;; ++reads) {
    if (client_.blocked() && client_.flush() == Io::again) return;
    if (reads == client_reads_per_turn) return worker_.loop.again(*this);
    const std::span<char> room = worker_.buffers.scratch(ClientDialogue::longest_line);
    const Leg::Read got = client_.peek(room);
    if (got.octets == 0) {
      if (got.status == Io::again) return;
      return force_close(got.status == Io::eof ? CloseReason::client_eof : CloseReason::client_reset);
    }
    std::size_t taken = 0;
    ClientDialogue::Read read;
    while (read.verdict == Verdict::more && taken < got.octets && !client_.blocked()) {
      read = dialogue.read(room.subspan(taken, got.octets - taken));
      taken += read.taken;
      say_before_tls(read.say);
      if (read.login_refused) context_.observer->on_plaintext_login_refused();
    }
    client_.read(room.first(taken));
    OPENSSL_cleanse(room.data(), got.octets);
    if (read.verdict != Verdict::more) return end_client_dialogue(read.verdict);
  }
}

void Session::end_client_dialogue(ClientDialogue::Verdict verdict) {
  using Verdict = ClientDialogue::Verdict;
  switch (verdict) {
    case Verdict::more:
      return;
    case Verdict::start_tls:
      return start_client_tls();
    case Verdict::injection:
      context_.observer->on_starttls(Side::client, StarttlsResult::injection);
      return force_close(CloseReason::starttls_injection);
    case Verdict::limit:
      reason_ = CloseReason::pre_tls_limit;
      break;
    case Verdict::plaintext:
      reason_ = CloseReason::plaintext_refused;
      break;
    case Verdict::logout:
      reason_ = CloseReason::logout;
      break;
  }
  begin_farewell();
  farewell();
}

// The client has said STARTTLS, was told OK, and its next octet begins TLS.
void Session::start_client_tls() {
  if (!client_.start_tls(snapshot_->listeners[listener_].tls->context(), true))
    return force_close(CloseReason::limit_memory);
  state_ = State::handshake;
  client_handshake();
}

// --- the relay begins ------------------------------------------------------------------------------------------------

void Session::end_dialogue() {
  // A ticket that was sent with the handshake may be under way.
  if (client_.blocked() && client_.flush() == Io::again) return force_close(CloseReason::client_stall);
  tracker_.adopt_greeting(dialogue_->upstream.greeting(), now());
  if (!listener_has_starttls()) write_greeting();
  dialogue_.reset();
  relayed_ = true;  // the client has been greeted: no other server takes over
  watch_greeting();
  start_relay();
}

// With what the server can do inside TLS, less what the capability filter takes out.
void Session::write_greeting() {
  constexpr std::string_view begin = "* OK [CAPABILITY";
  constexpr std::string_view end = "] ready\r\n";
  constexpr std::string_view without = "* OK ready\r\n";
  const std::string_view words = dialogue_->upstream.capabilities();
  const std::span<char> room = worker_.buffers.scratch(begin.size() + words.size() + end.size());
  auto at = std::copy(begin.begin(), begin.end(), room.begin());
  at = std::copy(words.begin(), words.end(), at);
  std::copy(end.begin(), end.end(), at);
  imap::FilterOutput output(room);
  imap::CapabilityFilter filter;
  filter.begin_list();
  const bool observe = snapshot_->listeners[listener_].observe;
  filter.take(room.subspan(begin.size()), output, observe ? &context_.rules : nullptr, *this);
  const std::span<const char> line = output.finish(room.data() + room.size());
  client_.write(words.empty() ? std::span<const char>(without) : line);
  if (context_.rules.findings != context_.told) tell_findings();
  context_.observer->on_authored(Authored::greeting);
}

}  // namespace imapmeter::proxy
