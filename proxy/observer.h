// What the relay tells about its sessions, beside what the IMAP observer reads in them.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proxy/imap/event.h"
#include "proxy/imap/observer.h"

namespace imapmeter::proxy {

enum class Side : std::uint8_t { client, upstream };
inline constexpr std::size_t side_count = 2;
inline constexpr std::array<std::string_view, side_count> side_names = {"client", "upstream"};
constexpr std::string_view name(Side side) noexcept { return side_names[static_cast<std::size_t>(side)]; }

// Why a session ended: the first cause wins, but a relayed OK to LOGOUT or another BYE replaces a later eof, reset or
// stall. A closed list: names are label values.
enum class CloseReason : std::uint8_t {
  logout,
  upstream_bye,
  client_eof,
  client_reset,
  client_timeout,
  client_tls_error,
  client_certificate,
  client_alpn,
  client_handshake_timeout,
  not_tls,
  client_stall,
  proxy_protocol,
  pre_tls_limit,
  preauth_timeout,
  idle_timeout,
  upstream_unavailable,
  upstream_dns,
  upstream_refused,
  upstream_connect_timeout,
  upstream_tls_error,
  upstream_cert_invalid,
  upstream_greeting_timeout,
  upstream_eof,
  upstream_reset,
  upstream_timeout,
  upstream_stall,
  source_ports,
  starttls_injection,
  starttls_stripped,
  starttls_refused,
  starttls_preauth,
  plaintext_refused,
  limit_global,
  limit_per_ip,
  limit_per_upstream,
  limit_handshakes,
  limit_rate,
  limit_memory,
  fd_exhausted,
  listener_removed,
  drain,
  drain_forced,
  internal,
};
inline constexpr std::size_t close_reason_count = static_cast<std::size_t>(CloseReason::internal) + 1;
inline constexpr std::array<std::string_view, close_reason_count> close_reason_names = {
    "logout",
    "upstream_bye",
    "client_eof",
    "client_reset",
    "client_timeout",
    "client_tls_error",
    "client_certificate",
    "client_alpn",
    "client_handshake_timeout",
    "not_tls",
    "client_stall",
    "proxy_protocol",
    "pre_tls_limit",
    "preauth_timeout",
    "idle_timeout",
    "upstream_unavailable",
    "upstream_dns",
    "upstream_refused",
    "upstream_connect_timeout",
    "upstream_tls_error",
    "upstream_cert_invalid",
    "upstream_greeting_timeout",
    "upstream_eof",
    "upstream_reset",
    "upstream_timeout",
    "upstream_stall",
    "source_ports",
    "starttls_injection",
    "starttls_stripped",
    "starttls_refused",
    "starttls_preauth",
    "plaintext_refused",
    "limit_global",
    "limit_per_ip",
    "limit_per_upstream",
    "limit_handshakes",
    "limit_rate",
    "limit_memory",
    "fd_exhausted",
    "listener_removed",
    "drain",
    "drain_forced",
    "internal",
};
constexpr std::string_view name(CloseReason reason) noexcept {
  return close_reason_names[static_cast<std::size_t>(reason)];
}

// How far a session had come when it ended.
enum class Phase : std::uint8_t { handshake, connect, greeting, login, authenticated };
inline constexpr std::size_t phase_count = 5;
inline constexpr std::array<std::string_view, phase_count> phase_names = {"handshake", "connect", "greeting", "login",
                                                                          "authenticated"};
constexpr std::string_view name(Phase phase) noexcept { return phase_names[static_cast<std::size_t>(phase)]; }

enum class TlsVersion : std::uint8_t { none, tls1_2, tls1_3 };
inline constexpr std::size_t tls_version_count = 3;
inline constexpr std::array<std::string_view, tls_version_count> tls_version_names = {"none", "TLSv1.2", "TLSv1.3"};
constexpr std::string_view name(TlsVersion version) noexcept {
  return tls_version_names[static_cast<std::size_t>(version)];
}

enum class HandshakeResult : std::uint8_t {
  ok,
  timeout,
  eof,
  reset,
  not_tls,
  version,
  cipher,
  alpn,
  sni,
  certificate_missing,
  certificate_expired,
  certificate_untrusted,
  certificate_name,
  alert,
  other,
};
inline constexpr std::size_t handshake_result_count = static_cast<std::size_t>(HandshakeResult::other) + 1;
inline constexpr std::array<std::string_view, handshake_result_count> handshake_result_names = {
    "ok",
    "timeout",
    "eof",
    "reset",
    "not_tls",
    "version",
    "cipher",
    "alpn",
    "sni",
    "certificate_missing",
    "certificate_expired",
    "certificate_untrusted",
    "certificate_name",
    "alert",
    "other",
};
constexpr std::string_view name(HandshakeResult result) noexcept {
  return handshake_result_names[static_cast<std::size_t>(result)];
}

// `version` and `resumed` are known only where `result` is ok.
struct Handshake {
  Side side = Side::client;
  HandshakeResult result = HandshakeResult::other;
  TlsVersion version = TlsVersion::none;
  bool resumed = false;
};

enum class ConnectResult : std::uint8_t {
  ok,  // a greeting OK or PREAUTH was read
  dns,
  refused,
  timeout,
  tls,
  certificate,
  starttls,
  greeting,
  reset,
  source_ports,
};
inline constexpr std::size_t connect_result_count = static_cast<std::size_t>(ConnectResult::source_ports) + 1;
inline constexpr std::array<std::string_view, connect_result_count> connect_result_names = {
    "ok", "dns", "refused", "timeout", "tls", "certificate", "starttls", "greeting", "reset", "source_ports",
};
constexpr std::string_view name(ConnectResult result) noexcept {
  return connect_result_names[static_cast<std::size_t>(result)];
}

// How STARTTLS went, on one leg. A client's is `ok` or `injection`.
enum class StarttlsResult : std::uint8_t {
  ok,         // TLS stands
  refused,    // NO or BAD
  stripped,   // not offered, PREAUTH, or something was said that has no place before TLS
  injection,  // octets behind STARTTLS, or behind its OK, that are not TLS
};
inline constexpr std::size_t starttls_result_count = 4;
inline constexpr std::array<std::string_view, starttls_result_count> starttls_result_names = {"ok", "refused",
                                                                                              "stripped", "injection"};
constexpr std::string_view name(StarttlsResult result) noexcept {
  return starttls_result_names[static_cast<std::size_t>(result)];
}

// What imapmeter said or took out itself.
enum class Authored : std::uint8_t {
  bye,
  greeting,
  pre_tls,
  upstream_starttls,
  proxy_header,
  capability_words,
  multiplex,
};
inline constexpr std::size_t authored_count = 7;
inline constexpr std::array<std::string_view, authored_count> authored_names = {
    "bye", "greeting", "pre_tls", "upstream_starttls", "proxy_header", "capability_words", "multiplex"};
constexpr std::string_view name(Authored what) noexcept { return authored_names[static_cast<std::size_t>(what)]; }

// On the way from accept to login, in this order; those that a session does not need are not taken.
enum class Step : std::uint8_t {
  client_tls,    // from accept, or from the end of the PROXY header
  connect,       // to the server; other servers that were tried before it included
  upstream_tls,  // with it
  greeting,      // from the connection, TLS included where there is TLS, to the greeting
  login,         // from the first LOGIN or AUTHENTICATE to its or a later one's OK
};
inline constexpr std::size_t step_count = 5;
inline constexpr std::array<std::string_view, step_count> step_names = {"client_tls", "connect", "upstream_tls",
                                                                        "greeting", "login"};
constexpr std::string_view name(Step step) noexcept { return step_names[static_cast<std::size_t>(step)]; }

struct SessionFacts;  // proxy/session_facts.h

struct Closed {
  CloseReason reason = CloseReason::internal;
  Phase phase = Phase::handshake;
  imap::SessionState state = imap::SessionState::connecting;  // the state it was last in
  std::chrono::nanoseconds duration{};                        // since accept
  const SessionFacts* facts = nullptr;                        // none where there was no session
};

// One object per worker and listener, called on that worker's thread only. Servers are numbered in the order of the
// upstream's configuration. An implementation must not throw or wait.
class Observer {
 public:
  Observer() = default;
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;
  virtual ~Observer() = default;

  // A connection was accepted; the session is in SessionState::connecting. Each is followed by exactly one on_closed.
  virtual void on_accepted() noexcept = 0;
  virtual void on_handshake(const Handshake& handshake) noexcept = 0;
  virtual void on_starttls(Side side, StarttlsResult result) noexcept = 0;
  // A LOGIN or AUTHENTICATE of a client before its TLS.
  virtual void on_plaintext_login_refused() noexcept = 0;
  virtual void on_upstream_connect(std::size_t server, ConnectResult result) noexcept = 0;
  // The session starts (+1) or stops (-1) to hold a connection to `server`.
  virtual void on_upstream_sessions(std::size_t server, int change) noexcept = 0;
  // Octets that the receiving leg has accepted: TLS removed, authored octets not counted.
  virtual void on_bytes(imap::Direction direction, std::size_t octets) noexcept = 0;
  virtual void on_authored(Authored what) noexcept = 0;
  // `side` does not read what is meant for it: it begins (+1), goes on (0) or ends (-1). `waited`: since it began, or
  // since the last of these calls.
  virtual void on_blocked(Side side, int change, std::chrono::nanoseconds waited) noexcept = 0;
  // A sample: from reading octets to handing on the same octets.
  virtual void on_relay_delay(imap::Direction direction, std::chrono::nanoseconds delay) noexcept = 0;
  // A step of a session was taken: each at most once, and only where the session came to its end; those of a server
  // that gave no greeting are left out.
  virtual void on_step(Step step, std::chrono::nanoseconds time) noexcept = 0;
  // These four as imap::Observer has them, and of which server, or whose, they were.
  virtual void on_server_status(std::size_t server, imap::Condition condition) noexcept = 0;
  virtual void on_server_capabilities(std::size_t server, const imap::Capabilities& capabilities) noexcept = 0;
  virtual void on_server_first_response(std::size_t server, std::chrono::nanoseconds time) noexcept = 0;
  virtual void on_auth_attempt(std::size_t server, const SessionFacts& session,
                               const imap::AuthAttempt& attempt) noexcept = 0;
  virtual void on_closed(const Closed& closed) noexcept = 0;
};

}  // namespace imapmeter::proxy
