#include "metrics/failures.h"

#include "proxy/session_facts.h"

namespace imapmeter::metrics {
namespace {

using proxy::CloseReason;

// Something was asked and will not be answered, or the server threw the client out.
bool was_cut(const proxy::SessionFacts& facts) noexcept {
  if (facts.outcome == imap::Outcome::cut) return true;
  const bool in_login = facts.commands[static_cast<std::size_t>(imap::CommandResult::aborted)] != 0;
  return facts.outcome == imap::Outcome::login_failed && in_login;
}

// The server's word. LOGOUT has a reason of its own.
std::optional<Failure> by_bye(const proxy::Closed& closed) noexcept {
  if (closed.facts == nullptr || !closed.facts->bye) return std::nullopt;
  switch (*closed.facts->bye) {
    case imap::ByeReason::greeting:
      return Failure::server_greeting;
    case imap::ByeReason::inactivity:
      return Failure::policy_inactivity;
    case imap::ByeReason::shutdown:
      return Failure::server_shutdown;
    case imap::ByeReason::logout:
      break;
  }
  return std::nullopt;
}

// Ends that are a failure at any time: nobody asked for them.
std::optional<Failure> at_any_time(CloseReason reason, proxy::Phase phase) noexcept {
  switch (reason) {
    case CloseReason::client_handshake_timeout:
    case CloseReason::client_certificate:
    case CloseReason::client_alpn:
    case CloseReason::not_tls:
    case CloseReason::starttls_injection:
    case CloseReason::proxy_protocol:
    case CloseReason::pre_tls_limit:
      return Failure::client_handshake;
    case CloseReason::client_tls_error:
      return phase == proxy::Phase::handshake ? Failure::client_handshake : Failure::network_client_tls;
    case CloseReason::client_stall:
      return Failure::client_stalled;
    case CloseReason::upstream_timeout:
      return Failure::network_vanished;
    case CloseReason::upstream_connect_timeout:
      return Failure::network_connect_timeout;
    case CloseReason::upstream_dns:
      return Failure::network_dns;
    case CloseReason::upstream_unavailable:
    case CloseReason::upstream_refused:
      return Failure::server_unreachable;
    case CloseReason::upstream_tls_error:
    case CloseReason::upstream_cert_invalid:
    case CloseReason::starttls_stripped:
    case CloseReason::starttls_refused:
    case CloseReason::starttls_preauth:
      return Failure::server_tls;
    case CloseReason::upstream_greeting_timeout:
      return Failure::server_greeting;
    case CloseReason::upstream_stall:
      return Failure::server_stalled;
    case CloseReason::plaintext_refused:
      return Failure::policy_plaintext;
    case CloseReason::limit_global:
    case CloseReason::limit_per_ip:
    case CloseReason::limit_per_upstream:
    case CloseReason::limit_handshakes:
    case CloseReason::limit_rate:
      return Failure::policy_limit;
    case CloseReason::limit_memory:
    case CloseReason::fd_exhausted:
    case CloseReason::source_ports:
      return Failure::imapmeter_resources;
    case CloseReason::internal:
      return Failure::imapmeter_internal;
    default:
      return std::nullopt;
  }
}

// Ends that are a failure only where they came in the middle of something.
std::optional<Failure> within(CloseReason reason) noexcept {
  switch (reason) {
    case CloseReason::client_eof:
    case CloseReason::client_reset:
      return Failure::client_hung_up;
    case CloseReason::client_timeout:
      return Failure::network_vanished;
    case CloseReason::preauth_timeout:
    case CloseReason::idle_timeout:
      return Failure::policy_timeout;
    case CloseReason::drain:
    case CloseReason::drain_forced:
    case CloseReason::listener_removed:
      return Failure::imapmeter_drain;
    default:
      return std::nullopt;
  }
}

// It went away without a BYE. Where a session is not read, its BYE may well have been there.
std::optional<Failure> by_server(const proxy::Closed& closed) noexcept {
  if (closed.state == imap::SessionState::opaque) return std::nullopt;
  return closed.phase <= proxy::Phase::greeting ? Failure::server_greeting : Failure::server_closed;
}

}  // namespace

std::optional<Failure> failure_of(imap::AuthResult result) noexcept {
  switch (result) {
    case imap::AuthResult::rejected:
      return Failure::client_login_rejected;
    case imap::AuthResult::temporary:
      return Failure::server_login_temporary;
    case imap::AuthResult::policy:
      return Failure::policy_login_privacy;
    case imap::AuthResult::other_no:
      return Failure::server_login_other;
    case imap::AuthResult::bad:
      return Failure::client_login_bad;
    case imap::AuthResult::cancelled:
      return Failure::client_login_cancelled;
    case imap::AuthResult::success:
    case imap::AuthResult::aborted:
      break;
  }
  return std::nullopt;
}

std::optional<Failure> failure_of(const imap::CommandEnd& end) noexcept {
  if (imap::is_login(end.command)) return std::nullopt;
  if (end.result == imap::CommandResult::bad) return Failure::client_command_bad;
  if (end.result != imap::CommandResult::no) return std::nullopt;
  switch (end.code) {
    case imap::ResponseCode::unavailable:
    case imap::ResponseCode::serverbug:
    case imap::ResponseCode::corruption:
    case imap::ResponseCode::contactadmin:
    case imap::ResponseCode::inuse:
    case imap::ResponseCode::tempfail:
      return Failure::server_command_failed;
    case imap::ResponseCode::limit:
    case imap::ResponseCode::overquota:
      return Failure::policy_command_limit;
    default:
      return std::nullopt;
  }
}

std::optional<Failure> failure_of(const proxy::Closed& closed) noexcept {
  if (closed.reason == CloseReason::upstream_bye) return by_bye(closed);
  if (closed.reason == CloseReason::upstream_eof || closed.reason == CloseReason::upstream_reset)
    return by_server(closed);
  if (const auto failure = at_any_time(closed.reason, closed.phase)) return failure;
  if (closed.facts == nullptr || !was_cut(*closed.facts)) return std::nullopt;
  return within(closed.reason);
}

}  // namespace imapmeter::metrics
