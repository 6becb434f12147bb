// The only way out of proxy/imap: what a conversation says, in the protocol's words.
#pragma once

#include <chrono>
#include <cstddef>

#include "proxy/imap/event.h"

namespace imapmeter::imap {

// Called on the thread that feeds the tracker, in the order of the wire, before the octets are handed on. An
// implementation must not throw, wait or feed the tracker again.
class Observer {
 public:
  Observer() = default;
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;
  virtual ~Observer() = default;

  // A status response of the server: tagged, untagged or the greeting.
  virtual void on_status(const Status& status) noexcept = 0;
  // A line in status position whose condition is none of the five: NOT_DEFINED.
  virtual void on_undefined_status() noexcept = 0;
  // An untagged data response.
  virtual void on_data(const Data& data) noexcept = 0;
  // A list of capabilities, in data or in a response code. None of a compressed session.
  virtual void on_capabilities(const Capabilities& capabilities) noexcept = 0;
  // A `+` of the server.
  virtual void on_continuation() noexcept = 0;
  // The first BYE of the session.
  virtual void on_bye(ByeReason reason) noexcept = 0;
  // The session moved between two different states; the first move is out of `connecting`.
  virtual void on_state(SessionState from, SessionState to) noexcept = 0;
  // The session authenticated for the first time, PREAUTH included.
  virtual void on_authenticated() noexcept = 0;
  // The LF of a command's first line was read.
  virtual void on_command_started(const CommandStart& start) noexcept = 0;
  // Each started command ends exactly once.
  virtual void on_command_ended(const CommandEnd& end) noexcept = 0;
  virtual void on_client_line(ClientLine line, std::uint32_t octets) noexcept = 0;
  // At most once for each command but IDLE: the first line of the server after its end was read, `time` later, and no
  // other command was outstanding at its end. An untagged OK without a code and INPROGRESS only ask for patience.
  virtual void on_first_response(Command command, std::chrono::nanoseconds time) noexcept = 0;
  // Once for each IDLE that the server has gone into: from its `+` to its answer or the end of the session.
  virtual void on_idle(std::chrono::nanoseconds duration) noexcept = 0;
  // Each LOGIN and AUTHENTICATE once, beside on_command_ended. None that is untracked.
  virtual void on_auth_attempt(const AuthAttempt& attempt) noexcept = 0;
  // `octets` of literals passed, as they pass.
  virtual void on_literal(Direction direction, std::size_t octets) noexcept = 0;
  // Whole messages, beside on_literal: `fetched` at the end of the response, `appended` at the answer.
  virtual void on_messages(MessageOperation operation, std::size_t messages) noexcept = 0;
  // At most one per status response.
  virtual void on_provider_signal(ProviderSignal signal) noexcept = 0;
  // Each COMPRESS once, beside on_command_ended. None that is untracked but by the session going opaque.
  virtual void on_compress(CompressResult result) noexcept = 0;
  // `deflated` octets passed in a compressed session and were read as `inflated` octets; what these hold was told
  // before.
  virtual void on_inflated(Direction direction, std::size_t deflated, std::size_t inflated) noexcept = 0;
  virtual void on_anomaly(Anomaly anomaly) noexcept = 0;
  // From here on the session is relayed and not read. At most once per session.
  virtual void on_opaque(OpaqueReason reason) noexcept = 0;
  // A word was taken out of a list of capabilities.
  virtual void on_capability_removed() noexcept = 0;
  // The client's request for multiplexing was taken out of its ID.
  virtual void on_multiplex_removed() noexcept = 0;
  // Once, at the end of each session that saw a greeting.
  virtual void on_outcome(Outcome outcome) noexcept = 0;
};

}  // namespace imapmeter::imap
