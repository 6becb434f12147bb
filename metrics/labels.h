// Label values that are coarser than the event they are counted from.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proxy/imap/event.h"
#include "proxy/imap/status.h"
#include "proxy/observer.h"

namespace imapmeter::metrics {

// The commands that have histograms of their own; `other` first. IDLE is in none.
inline constexpr std::array<imap::Command, 20> timed_commands = {
    imap::Command::other,      imap::Command::authenticate, imap::Command::login,    imap::Command::select,
    imap::Command::examine,    imap::Command::list,         imap::Command::status,   imap::Command::append,
    imap::Command::expunge,    imap::Command::fetch,        imap::Command::search,   imap::Command::store,
    imap::Command::copy,       imap::Command::noop,         imap::Command::logout,   imap::Command::uid_fetch,
    imap::Command::uid_search, imap::Command::uid_store,    imap::Command::uid_copy, imap::Command::uid_move,
};

namespace detail {
constexpr std::array<std::uint8_t, imap::command_count> make_timed_places() {
  std::array<std::uint8_t, imap::command_count> places{};
  for (std::size_t i = 0; i < timed_commands.size(); ++i)
    places[static_cast<std::size_t>(timed_commands[i])] = static_cast<std::uint8_t>(i);
  return places;
}
inline constexpr auto timed_places = make_timed_places();
}  // namespace detail

// Its place in timed_commands.
constexpr std::size_t timed_place(imap::Command command) noexcept {
  return detail::timed_places[static_cast<std::size_t>(command)];
}

// The code of the answer to a failed login.
enum class AuthFailure : std::uint8_t {
  none,
  other,
  authenticationfailed,
  authorizationfailed,
  expired,
  privacyrequired,
  unavailable,
  contactadmin,
  limit,
  inuse,
};
inline constexpr std::size_t auth_failure_count = 10;
std::string_view name(AuthFailure failure) noexcept;
AuthFailure auth_failure(imap::ResponseCode code) noexcept;

// Attempts to log in by server: four values are enough to tell servers apart.
enum class ServerAuthResult : std::uint8_t { success, rejected, temporary, other };
inline constexpr std::size_t server_auth_result_count = 4;
std::string_view name(ServerAuthResult result) noexcept;
ServerAuthResult server_auth_result(imap::AuthResult result) noexcept;

// The outcomes that are a client's problem.
enum class Problem : std::uint8_t { login_rejected, login_failed, degraded, cut };
inline constexpr std::size_t problem_count = 4;
std::string_view name(Problem problem) noexcept;

// The labels of proxy::Step: the last one is what the protocol calls it.
inline constexpr std::array<std::string_view, proxy::step_count> phase_names = {"client_tls", "connect", "upstream_tls",
                                                                                "greeting", "auth"};

}  // namespace imapmeter::metrics
