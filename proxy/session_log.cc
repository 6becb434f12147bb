#include "proxy/session_log.h"

#include <exception>

#include "proxy/log.h"
#include "proxy/log_json.h"

namespace imapmeter::proxy {
namespace {

using config::LogLevel;

// What the server, or the way to it, has done to a client that has not logged in.
bool by_upstream(CloseReason reason) noexcept {
  if (reason >= CloseReason::starttls_stripped && reason <= CloseReason::starttls_preauth) return true;
  return reason >= CloseReason::upstream_unavailable && reason <= CloseReason::source_ports;
}

RecordNames record_names(const config::Config& config, const config::Listener& listener) {
  RecordNames names;
  names.listener = json_escape(listener.name);
  for (const config::Upstream& upstream : config.upstreams) {
    if (upstream.name != listener.upstream) continue;
    for (const config::Address& server : upstream.servers) names.servers.push_back(json_escape(to_string(server)));
  }
  return names;
}

}  // namespace

RecordClass record_class(const Closed& closed) noexcept {
  const auto outcome = closed.facts == nullptr ? std::nullopt : closed.facts->outcome;
  if (closed.phase == Phase::authenticated)
    return outcome == imap::Outcome::good ? RecordClass::served : RecordClass::trouble;
  const bool trouble = outcome == imap::Outcome::login_failed || by_upstream(closed.reason);
  return trouble ? RecordClass::trouble : RecordClass::stranger;
}

SessionLog::SessionLog(const config::Config& config, std::size_t listener, SessionLogShared& shared)
    : names_(record_names(config, config.listeners.at(listener))), shared_(shared) {}

void SessionLog::on_closed(const Closed& closed) noexcept {
  if (!may_write(LogLevel::info, record_class(closed))) return;
  try {
    const std::string client = closed.facts == nullptr ? std::string() : shared_.client_text(closed.facts->client);
    log_record(LogLevel::info, session_record(names_, client, closed));
  } catch (const std::exception&) {
    count_dropped_line();
  }
}

void SessionLog::on_auth_attempt(std::size_t /*server*/, const SessionFacts& session,
                                 const imap::AuthAttempt& attempt) noexcept {
  if (attempt.result == imap::AuthResult::success) return;
  const bool refused = attempt.result == imap::AuthResult::rejected || attempt.result == imap::AuthResult::temporary;
  // The others are mostly clients that have changed their mind, or do not know how to ask.
  const LogLevel level = refused ? LogLevel::warn : LogLevel::info;
  if (!may_write(level, RecordClass::auth)) return;
  try {
    log_record(level, auth_record(names_, shared_.client_text(session.client), session, attempt));
  } catch (const std::exception&) {
    count_dropped_line();
  }
}

bool SessionLog::may_write(LogLevel level, RecordClass record) noexcept {
  if (!shared_.enabled || !log_enabled(level)) return false;
  if (shared_.rates[static_cast<std::size_t>(record)].allow(std::chrono::steady_clock::now())) return true;
  count_dropped_line();
  return false;
}

}  // namespace imapmeter::proxy
