#include "proxy/imap/event.h"

#include <array>

namespace imapmeter::imap {
namespace {

constexpr std::array<std::string_view, direction_count> direction_names = {"client_to_server", "server_to_client"};
constexpr std::array<std::string_view, response_kind_count> response_kind_names = {"greeting", "tagged", "untagged"};
constexpr std::array<std::string_view, session_state_count> session_state_names = {
    "connecting", "not_authenticated", "authenticated", "selected", "idle", "logout", "opaque",
};
constexpr std::array<std::string_view, bye_reason_count> bye_reason_names = {
    "logout",
    "greeting",
    "inactivity",
    "shutdown",
};
constexpr std::array<std::string_view, command_result_count> command_result_names = {
    "OK", "NO", "BAD", "aborted", "untracked",
};
constexpr std::array<std::string_view, auth_result_count> auth_result_names = {
    "success", "rejected", "temporary", "policy", "other_no", "bad", "cancelled", "aborted",
};
constexpr std::array<std::string_view, data_keyword_count> data_keyword_labels = {
    "other",   "CAPABILITY", "ENABLED", "FLAGS",  "LIST",    "LSUB",     "SEARCH",
    "ESEARCH", "STATUS",     "EXISTS",  "RECENT", "EXPUNGE", "VANISHED", "FETCH",
};
constexpr std::array<std::string_view, client_line_count> client_line_names = {"SASL", "*", "DONE"};
constexpr std::array<std::string_view, message_operation_count> message_operation_names = {"fetched", "appended"};
constexpr std::array<std::string_view, provider_signal_count> provider_signal_names = {
    "throttled",
    "too_many_connections",
    "quota",
    "authenticated_not_connected",
};
constexpr std::array<std::string_view, compress_result_count> compress_result_names = {"active", "refused", "aborted"};
constexpr std::array<std::string_view, client_software_count> client_software_names = {
    "none",           "other",       "apple_mail_ios", "apple_mail_macos", "outlook",
    "outlook_mobile", "thunderbird", "k9_mail",        "fairemail",        "gmail_app",
    "samsung_email",  "evolution",   "kmail",          "em_client",        "mailbird",
    "the_bat",        "bluemail",    "spark",          "roundcube",        "sogo",
    "nextcloud",      "horde",       "imapsync",       "offlineimap",      "dovecot",
    "imapflow",
};
constexpr std::array<std::string_view, outcome_count> outcome_names = {
    "unseen", "cut", "degraded", "login_failed", "login_rejected", "good",
};
constexpr std::array<std::string_view, opaque_reason_count> opaque_reason_names = {
    "sasl_layer",        "multiplex", "compress_error", "compress_limit", "compress_ratio",
    "upstream_starttls", "parser",    "disabled",       "unsupported",
};
constexpr std::array<std::string_view, capability_finding_count> capability_finding_names = {
    "logindisabled",
    "scram_plus",
    "scram_kept",
};
constexpr std::array<std::string_view, anomaly_count> anomaly_names = {
    "greeting_malformed",
    "late_preauth",
    "tagged_bye",
    "repeated_bye",
    "bye_without_text",
    "unmatched_tag",
    "desync",
    "garbage_line",
    "empty_line",
    "bare_lf",
    "nul_octet",
    "code_unclosed",
    "missing_space",
    "double_space",
    "literal_plus_from_server",
    "quote_open_at_literal",
    "data_before_auth",
    "early_completion",
    "unauthenticate_no",
    "other",
    "bare_lf",
    "nul_octet",
    "no_command",
    "stray_done",
    "impatient_literal",
    "octets_during_compress",
    "empty_line",
    "other",
};

}  // namespace

std::string_view name(Direction direction) noexcept { return direction_names[static_cast<std::size_t>(direction)]; }
std::string_view name(ResponseKind kind) noexcept { return response_kind_names[static_cast<std::size_t>(kind)]; }
std::string_view name(SessionState state) noexcept { return session_state_names[static_cast<std::size_t>(state)]; }
std::string_view name(ByeReason reason) noexcept { return bye_reason_names[static_cast<std::size_t>(reason)]; }
std::string_view name(CommandResult result) noexcept { return command_result_names[static_cast<std::size_t>(result)]; }
std::string_view name(AuthResult result) noexcept { return auth_result_names[static_cast<std::size_t>(result)]; }
std::string_view name(CompressResult result) noexcept {
  return compress_result_names[static_cast<std::size_t>(result)];
}
std::string_view name(DataKeyword keyword) noexcept { return data_keyword_labels[static_cast<std::size_t>(keyword)]; }
std::string_view name(ClientLine line) noexcept { return client_line_names[static_cast<std::size_t>(line)]; }
std::string_view name(MessageOperation operation) noexcept {
  return message_operation_names[static_cast<std::size_t>(operation)];
}
std::string_view name(ProviderSignal signal) noexcept {
  return provider_signal_names[static_cast<std::size_t>(signal)];
}
std::string_view name(ClientSoftware software) noexcept {
  return client_software_names[static_cast<std::size_t>(software)];
}
std::string_view name(Outcome outcome) noexcept { return outcome_names[static_cast<std::size_t>(outcome)]; }
std::string_view name(OpaqueReason reason) noexcept { return opaque_reason_names[static_cast<std::size_t>(reason)]; }
std::string_view name(Anomaly anomaly) noexcept { return anomaly_names[static_cast<std::size_t>(anomaly)]; }
std::string_view name(CapabilityFinding finding) noexcept {
  return capability_finding_names[static_cast<std::size_t>(finding)];
}

}  // namespace imapmeter::imap
