#include "metrics/labels.h"

namespace imapmeter::metrics {
namespace {

constexpr std::array<std::string_view, auth_failure_count> auth_failure_names = {
    "none",    "other",           "AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED",
    "EXPIRED", "PRIVACYREQUIRED", "UNAVAILABLE",          "CONTACTADMIN",
    "LIMIT",   "INUSE",
};
constexpr std::array<std::string_view, server_auth_result_count> server_auth_result_names = {"success", "rejected",
                                                                                             "temporary", "other"};
constexpr std::array<std::string_view, problem_count> problem_names = {"login_rejected", "login_failed", "degraded",
                                                                       "cut"};

}  // namespace

std::string_view name(AuthFailure failure) noexcept { return auth_failure_names[static_cast<std::size_t>(failure)]; }
std::string_view name(ServerAuthResult result) noexcept {
  return server_auth_result_names[static_cast<std::size_t>(result)];
}
std::string_view name(Problem problem) noexcept { return problem_names[static_cast<std::size_t>(problem)]; }

AuthFailure auth_failure(imap::ResponseCode code) noexcept {
  switch (code) {
    case imap::ResponseCode::none:
      return AuthFailure::none;
    case imap::ResponseCode::authenticationfailed:
      return AuthFailure::authenticationfailed;
    case imap::ResponseCode::authorizationfailed:
      return AuthFailure::authorizationfailed;
    case imap::ResponseCode::expired:
      return AuthFailure::expired;
    case imap::ResponseCode::privacyrequired:
      return AuthFailure::privacyrequired;
    case imap::ResponseCode::unavailable:
      return AuthFailure::unavailable;
    case imap::ResponseCode::contactadmin:
      return AuthFailure::contactadmin;
    case imap::ResponseCode::limit:
      return AuthFailure::limit;
    case imap::ResponseCode::inuse:
      return AuthFailure::inuse;
    default:
      return AuthFailure::other;
  }
}

ServerAuthResult server_auth_result(imap::AuthResult result) noexcept {
  switch (result) {
    case imap::AuthResult::success:
      return ServerAuthResult::success;
    case imap::AuthResult::rejected:
      return ServerAuthResult::rejected;
    case imap::AuthResult::temporary:
      return ServerAuthResult::temporary;
    default:
      return ServerAuthResult::other;
  }
}

}  // namespace imapmeter::metrics
