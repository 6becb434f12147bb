// What the observer of an IMAP conversation hands out: small values, no text of a peer and no views.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "proxy/imap/capability_set.h"
#include "proxy/imap/status.h"

namespace imapmeter::imap {

// Time is a parameter here, never read: tests move it by hand.
using TimePoint = std::chrono::steady_clock::time_point;

enum class Direction : std::uint8_t { client_to_server, server_to_client };
inline constexpr std::size_t direction_count = 2;
std::string_view name(Direction direction) noexcept;

enum class ResponseKind : std::uint8_t { greeting, tagged, untagged };
inline constexpr std::size_t response_kind_count = 3;
std::string_view name(ResponseKind kind) noexcept;

// One status response, emitted when its LF has been read. Each line is emitted once.
struct Status {
  ResponseKind kind = ResponseKind::untagged;
  Condition condition = Condition::ok;
  ResponseCode code = ResponseCode::none;
  StatusCodeSet members;     // the ImapStatusCode members that this response raises
  std::uint32_t octets = 0;  // of its line, line end included; saturates
};

// What an untagged data response is about, by its keyword; a number before it is skipped (RFC 9051 section 7.2 to 7.5).
enum class DataKeyword : std::uint8_t {
  other,
  capability,
  enabled,
  flags,
  list,
  lsub,
  search,
  esearch,
  status,
  exists,
  recent,
  expunge,
  vanished,
  fetch,
};
inline constexpr std::size_t data_keyword_count = static_cast<std::size_t>(DataKeyword::fetch) + 1;
std::string_view name(DataKeyword keyword) noexcept;

// Untagged data, emitted when the last LF of its responses has been read.
struct Data {
  DataKeyword keyword = DataKeyword::other;
  std::uint32_t octets = 0;     // of their lines, line ends included, literals not; saturates
  std::uint32_t responses = 1;  // one after the other, with this keyword; above one if they were read together
};

// What the server says it can do, before any word is taken out; emitted with the line of its list.
struct Capabilities {
  CapabilitySet set;
  bool after_login = false;
};

// Messages that went over the wire as a literal.
enum class MessageOperation : std::uint8_t {
  fetched,   // by a FETCH response with the whole of a message or of one of its parts
  appended,  // by an APPEND that was answered OK
};
inline constexpr std::size_t message_operation_count = 2;
std::string_view name(MessageOperation operation) noexcept;

// What providers hide in the text of a NO, BAD or BYE.
enum class ProviderSignal : std::uint8_t { throttled, too_many_connections, quota, authenticated_not_connected };
inline constexpr std::size_t provider_signal_count = 4;
std::string_view name(ProviderSignal signal) noexcept;

// Where a session stands, as a client would say it (RFC 9051 section 3, plus IDLE and "no longer read").
enum class SessionState : std::uint8_t {
  connecting,  // until the greeting has been counted
  not_authenticated,
  authenticated,
  selected,
  idle,    // from the `+` of an IDLE to its tagged response
  logout,  // from the LF of LOGOUT or the first BYE
  opaque,
};
inline constexpr std::size_t session_state_count = 7;
std::string_view name(SessionState state) noexcept;

// Why the server said BYE (RFC 9051 section 7.1.5, the four situations).
enum class ByeReason : std::uint8_t { logout, greeting, inactivity, shutdown };
inline constexpr std::size_t bye_reason_count = 4;
std::string_view name(ByeReason reason) noexcept;

enum class CommandResult : std::uint8_t {
  ok,
  no,
  bad,
  aborted,    // unanswered when the session closed
  untracked,  // outstanding when the session went opaque, or beyond the table of outstanding commands
};
inline constexpr std::size_t command_result_count = 5;
std::string_view name(CommandResult result) noexcept;

// A command whose first line was read.
struct CommandStart {
  Command command = Command::other;
  std::uint32_t octets = 0;                // of that line, line end included; saturates
  Mechanism mechanism = Mechanism::other;  // of LOGIN and AUTHENTICATE
};

// Lines of the client that are no commands, but belong there.
enum class ClientLine : std::uint8_t {
  sasl,    // of an AUTHENTICATE
  cancel,  // `*`, which gives one up
  done,    // which ends an IDLE
};
inline constexpr std::size_t client_line_count = 3;
std::string_view name(ClientLine line) noexcept;

struct CommandEnd {
  Command command = Command::other;
  CommandResult result = CommandResult::ok;
  // From the LF of its last line to the LF of its answer. None without an answer, for IDLE, and where the answer came
  // before the command's last octet.
  std::optional<std::chrono::nanoseconds> duration = std::nullopt;
  ResponseCode code = ResponseCode::none;  // of the answer
};

// How an attempt to log in was answered.
enum class AuthResult : std::uint8_t {
  success,    // tagged OK
  rejected,   // NO without a code, or with AUTHENTICATIONFAILED, AUTHORIZATIONFAILED or EXPIRED
  temporary,  // NO with UNAVAILABLE, INUSE, LIMIT, SERVERBUG or CONTACTADMIN: the server's trouble
  policy,     // NO with PRIVACYREQUIRED
  other_no,
  bad,
  cancelled,  // the client's last SASL line was `*`, and the answer was not OK
  aborted,    // no answer, or none that was read
};
inline constexpr std::size_t auth_result_count = 8;
std::string_view name(AuthResult result) noexcept;

// One LOGIN or AUTHENTICATE, at the server's answer.
struct AuthAttempt {
  Mechanism mechanism = Mechanism::login_command;
  AuthResult result = AuthResult::aborted;
  ResponseCode code = ResponseCode::none;  // of the answer
};

// Which program the client says it is (RFC 2971); see proxy/imap/client_software.h.
enum class ClientSoftware : std::uint8_t {
  none,   // it sent no ID
  other,  // an ID without a name, or with one that is not in the list
  apple_mail_ios,
  apple_mail_macos,
  outlook,
  outlook_mobile,
  thunderbird,
  k9_mail,
  fairemail,
  gmail_app,
  samsung_email,
  evolution,
  kmail,
  em_client,
  mailbird,
  the_bat,
  bluemail,
  spark,
  roundcube,
  sogo,
  nextcloud,
  horde,
  imapsync,
  offlineimap,
  dovecot,
  imapflow,
};
inline constexpr std::size_t client_software_count = static_cast<std::size_t>(ClientSoftware::imapflow) + 1;
std::string_view name(ClientSoftware software) noexcept;

// How a session that saw a greeting went; the first that fits, in this order.
enum class Outcome : std::uint8_t { unseen, cut, degraded, login_failed, login_rejected, good };
inline constexpr std::size_t outcome_count = 6;
std::string_view name(Outcome outcome) noexcept;

// How COMPRESS was answered.
enum class CompressResult : std::uint8_t {
  active,   // OK
  refused,  // NO or BAD
  aborted,  // not at all, or unread: the session ended or went opaque, or the command was untracked
};
inline constexpr std::size_t compress_result_count = 3;
std::string_view name(CompressResult result) noexcept;

// Why a session is relayed without being read any further.
enum class OpaqueReason : std::uint8_t {
  sasl_layer,
  multiplex,
  compress_error,
  compress_limit,
  compress_ratio,
  upstream_starttls,
  parser,
  disabled,
  unsupported,
};
inline constexpr std::size_t opaque_reason_count = 9;
std::string_view name(OpaqueReason reason) noexcept;

// What looked wrong and was relayed all the same; the first group is seen on the server's side, the second on the
// client's (`side()` tells which).
enum class Anomaly : std::uint8_t {
  greeting_malformed,
  late_preauth,
  tagged_bye,
  repeated_bye,
  bye_without_text,
  unmatched_tag,
  desync,
  garbage_line,
  empty_line,
  bare_lf,
  nul_octet,
  code_unclosed,
  missing_space,
  double_space,
  literal_plus_from_server,
  quote_open_at_literal,
  data_before_auth,
  early_completion,
  unauthenticate_no,
  other,
  client_bare_lf,
  client_nul_octet,
  client_no_command,
  client_stray_done,
  client_impatient_literal,
  client_octets_during_compress,
  client_empty_line,
  client_other,
};
inline constexpr std::size_t anomaly_count = static_cast<std::size_t>(Anomaly::client_other) + 1;
// The label without its side: client_bare_lf and bare_lf are both "bare_lf".
std::string_view name(Anomaly anomaly) noexcept;
constexpr Direction side(Anomaly anomaly) noexcept {
  return anomaly >= Anomaly::client_bare_lf ? Direction::client_to_server : Direction::server_to_client;
}

// What the capability filter found that needs the operator's attention on this leg.
enum class CapabilityFinding : std::uint8_t {
  logindisabled,  // LOGINDISABLED is advertised: clients will not send LOGIN
  scram_plus,     // SCRAM-*-PLUS is advertised: channel binding cannot work through a proxy that ends TLS
  scram_kept,     // SCRAM-X stays although SCRAM-X-PLUS was taken out, as no other way to log in would remain
};
inline constexpr std::size_t capability_finding_count = 3;
std::string_view name(CapabilityFinding finding) noexcept;

struct CapabilityFindings {
  std::uint8_t bits = 0;

  constexpr void add(CapabilityFinding finding) noexcept {
    bits = static_cast<std::uint8_t>(bits | (1U << static_cast<unsigned>(finding)));
  }
  constexpr bool has(CapabilityFinding finding) const noexcept {
    return ((bits >> static_cast<unsigned>(finding)) & 1U) != 0;
  }
  friend constexpr bool operator==(CapabilityFindings, CapabilityFindings) = default;
};

}  // namespace imapmeter::imap
