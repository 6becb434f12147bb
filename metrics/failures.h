// Whose fault a failure is: every failed login, cut session and server error, assigned to one party by the table of
// docs/verdict.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "proxy/imap/event.h"
#include "proxy/observer.h"

namespace imapmeter::metrics {

enum class Party : std::uint8_t { client, network, imapmeter, server, policy };
inline constexpr std::size_t party_count = 5;
inline constexpr std::array<std::string_view, party_count> party_names = {"client", "network", "imapmeter", "server",
                                                                          "policy"};
constexpr std::string_view name(Party party) noexcept { return party_names[static_cast<std::size_t>(party)]; }

// What a failure is a share of.
enum class FailureOf : std::uint8_t { login, session, command };
inline constexpr std::size_t failure_of_count = 3;

// A party and what went wrong there, in the order of `failure_rows`.
enum class Failure : std::uint8_t {
  client_login_rejected,
  client_login_bad,
  client_login_cancelled,
  client_handshake,
  client_command_bad,
  client_hung_up,
  client_stalled,
  network_client_tls,
  network_connect_timeout,
  network_dns,
  network_vanished,
  imapmeter_drain,
  imapmeter_resources,
  imapmeter_internal,
  server_login_temporary,
  server_login_other,
  server_command_failed,
  server_unreachable,
  server_tls,
  server_greeting,
  server_closed,
  server_stalled,
  server_shutdown,
  policy_login_privacy,
  policy_command_limit,
  policy_limit,
  policy_plaintext,
  policy_inactivity,
  policy_timeout,
};
inline constexpr std::size_t failure_count = static_cast<std::size_t>(Failure::policy_timeout) + 1;

struct FailureRow {
  Party party;
  std::string_view kind;
  FailureOf of;
  std::string_view words;  // for people: "N sessions ..." or "N logins ..." or "N commands ..."
};
inline constexpr std::array<FailureRow, failure_count> failure_rows = {{
    {Party::client, "login_rejected", FailureOf::login, "were rejected: wrong user or password"},
    {Party::client, "login_bad", FailureOf::login, "were answered BAD"},
    {Party::client, "login_cancelled", FailureOf::login, "were cancelled by the client"},
    {Party::client, "handshake", FailureOf::session, "failed in the client's TLS handshake"},
    {Party::client, "command_bad", FailureOf::command, "were answered BAD"},
    {Party::client, "hung_up", FailureOf::session, "were left by the client within a command"},
    {Party::client, "stalled", FailureOf::session, "ended as the client did not read"},
    {Party::network, "client_tls", FailureOf::session, "ended by a TLS error on the client's side"},
    {Party::network, "connect_timeout", FailureOf::session, "found no way to the server in time"},
    {Party::network, "dns", FailureOf::session, "found no address for the server's name"},
    {Party::network, "vanished", FailureOf::session, "lost their peer without a word"},
    {Party::imapmeter, "drain", FailureOf::session, "were cut as imapmeter was stopped"},
    {Party::imapmeter, "resources", FailureOf::session, "found no memory, descriptor or port left"},
    {Party::imapmeter, "internal", FailureOf::session, "ended by a fault of imapmeter"},
    {Party::server, "login_temporary", FailureOf::login, "were refused for now"},
    {Party::server, "login_other", FailureOf::login, "were refused for no reason of the user's"},
    {Party::server, "command_failed", FailureOf::command, "failed in the server"},
    {Party::server, "unreachable", FailureOf::session, "found no server that accepts"},
    {Party::server, "tls", FailureOf::session, "failed in TLS with the server"},
    {Party::server, "greeting", FailureOf::session, "were not greeted, or with BYE"},
    {Party::server, "closed", FailureOf::session, "were cut by the server without a word"},
    {Party::server, "stalled", FailureOf::session, "ended as the server did not read"},
    {Party::server, "shutdown", FailureOf::session, "were ended by the server's BYE"},
    {Party::policy, "login_privacy", FailureOf::login, "were refused without encryption"},
    {Party::policy, "command_limit", FailureOf::command, "were refused by a limit or quota of the server"},
    {Party::policy, "limit", FailureOf::session, "were refused by a limit of imapmeter"},
    {Party::policy, "plaintext", FailureOf::session, "tried to log in before TLS"},
    {Party::policy, "inactivity", FailureOf::session, "were ended by the server for inactivity"},
    {Party::policy, "timeout", FailureOf::session, "ran into a time-out of imapmeter"},
}};
constexpr const FailureRow& row(Failure failure) noexcept { return failure_rows[static_cast<std::size_t>(failure)]; }

// An attempt to log in, at its answer. `aborted` has none: the end of its session tells whose fault it was.
std::optional<Failure> failure_of(imap::AuthResult result) noexcept;
// A command that is no login, at its answer.
std::optional<Failure> failure_of(const imap::CommandEnd& end) noexcept;
// A connection at its end. A session that ended in order, or before anything was asked of it, is none.
std::optional<Failure> failure_of(const proxy::Closed& closed) noexcept;

}  // namespace imapmeter::metrics
