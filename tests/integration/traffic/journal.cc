#include "tests/integration/traffic/journal.h"

#include <algorithm>
#include <array>
#include <iostream>
#include <utility>

namespace traffic {
namespace {

using namespace std::string_view_literals;

// The response codes that are members of ImapStatusCode.
constexpr std::array<std::pair<std::string_view, std::string_view>, 11> code_members = {{
    {"ALERT"sv, "ALERT"sv},
    {"BADCHARSET"sv, "BAD_CHARSET"sv},
    {"CAPABILITY"sv, "CAPABILITY"sv},
    {"PARSE"sv, "PARSE"sv},
    {"PERMANENTFLAGS"sv, "PERMANENT_FLAGS"sv},
    {"READ-ONLY"sv, "READ_ONLY"sv},
    {"READ-WRITE"sv, "READ_WRITE"sv},
    {"TRYCREATE"sv, "TRY_CREATE"sv},
    {"UIDNEXT"sv, "UID_NEXT"sv},
    {"UIDVALIDITY"sv, "UID_VALIDITY"sv},
    {"UNSEEN"sv, "UNSEEN"sv},
}};

std::string one(std::string_view family, std::string_view label, std::string_view value) {
  return std::string(family) + "{" + std::string(label) + "=\"" + std::string(value) + "\"}";
}

std::string two(std::string_view family, std::string_view label, std::string_view value, std::string_view label2,
                std::string_view value2) {
  const std::string first = one(family, label, value);
  return first.substr(0, first.size() - 1) + "," + std::string(label2) + "=\"" + std::string(value2) + "\"}";
}

}  // namespace

void Journal::status(std::string_view kind, std::string_view condition, std::string_view code) {
  constexpr auto members = "imapmeter_status_codes_total"sv;
  add(two("imapmeter_responses_total", "kind", kind, "status", condition));
  add(one("imapmeter_server_responses_total", "status", condition));
  add(two("imapmeter_response_codes_total", "status", condition, "code", code));
  add(one(members, "status_code", condition));
  if (kind != "tagged") add(one(members, "status_code", "UNSOLICITED"));
  for (const auto& [name, member] : code_members) {
    if (code == name) add(one(members, "status_code", member));
  }
}

void Journal::undefined_status() { add(one("imapmeter_status_codes_total", "status_code", "NOT_DEFINED")); }

void Journal::bye(std::string_view reason) { add(one("imapmeter_bye_total", "reason", reason)); }

void Journal::started() { add("imapmeter_commands_started_total"); }

void Journal::ended(std::string_view command, std::string_view result) {
  add(two("imapmeter_commands_total", "command", command, "result", result));
}

void Journal::timed(std::string_view command) {
  constexpr std::array timed = {"AUTHENTICATE"sv, "LOGIN"sv,     "SELECT"sv,   "EXAMINE"sv, "LIST"sv,
                                "STATUS"sv,       "APPEND"sv,    "EXPUNGE"sv,  "FETCH"sv,   "SEARCH"sv,
                                "STORE"sv,        "COPY"sv,      "NOOP"sv,     "LOGOUT"sv,  "UID FETCH"sv,
                                "UID SEARCH"sv,   "UID STORE"sv, "UID COPY"sv, "UID MOVE"sv};
  if (command == "IDLE") return;
  const bool known = std::find(timed.begin(), timed.end(), command) != timed.end();
  add(one("imapmeter_command_duration_seconds_count", "command", known ? command : "other"sv));
}

void Journal::data(std::string_view keyword) { add(one("imapmeter_untagged_data_total", "keyword", keyword)); }

void Journal::messages(std::string_view operation, std::uint64_t count) {
  add(one("imapmeter_messages_total", "operation", operation), count);
}

void Journal::login_answered(const LoginAnswer& answer) {
  const auto& [mechanism, condition, code, cancelled] = answer;
  constexpr std::array<std::string_view, 4> of_the_user = {"none"sv, "AUTHENTICATIONFAILED"sv, "AUTHORIZATIONFAILED"sv,
                                                           "EXPIRED"sv};
  constexpr std::array<std::string_view, 5> of_the_server = {"UNAVAILABLE"sv, "INUSE"sv, "LIMIT"sv, "SERVERBUG"sv,
                                                             "CONTACTADMIN"sv};
  const auto in = [code = code](const auto& codes) {
    return std::find(codes.begin(), codes.end(), code) != codes.end();
  };
  std::string_view result = condition == "BAD" ? "bad"sv : "other_no"sv;
  if (condition == "NO" && in(of_the_user)) result = "rejected";
  if (condition == "NO" && in(of_the_server)) result = "temporary";
  if (condition == "NO" && code == "PRIVACYREQUIRED") result = "policy";
  if (cancelled) result = "cancelled";
  if (condition == "OK") result = "success";
  add(two("imapmeter_auth_attempts_total", "mechanism", mechanism, "result", result));
  const bool of_servers = result == "success" || result == "rejected" || result == "temporary";
  add(one("imapmeter_server_auth_attempts_total", "result", of_servers ? result : "other"sv));
  if (result == "success") return;
  constexpr std::array labels = {"AUTHENTICATIONFAILED"sv,
                                 "AUTHORIZATIONFAILED"sv,
                                 "EXPIRED"sv,
                                 "PRIVACYREQUIRED"sv,
                                 "UNAVAILABLE"sv,
                                 "CONTACTADMIN"sv,
                                 "LIMIT"sv,
                                 "INUSE"sv,
                                 "none"sv};
  add(one("imapmeter_auth_failures_total", "code", in(labels) ? code : "other"sv));
}

void Journal::anomaly(std::string_view side, std::string_view kind) {
  add(two("imapmeter_anomalies_total", "side", side, "kind", kind));
}

void Journal::literal(std::string_view direction, std::uint64_t octets) {
  add(one("imapmeter_literal_bytes_total", "direction", direction), octets);
}

void Journal::closed(std::string_view reason) {
  add("imapmeter_sessions_accepted_total");
  add("imapmeter_session_duration_seconds_count");
  add(one("imapmeter_sessions_closed_total", "reason", reason));
}

void Journal::print() const {
  for (const auto& [sample, count] : samples) {
    if (count > 0) std::cout << sample << ' ' << count << '\n';
  }
}

}  // namespace traffic
