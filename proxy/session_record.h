// The records of a session in the log: JSON members, in a fixed order (docs/session-log.md).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proxy/imap/event.h"
#include "proxy/observer.h"
#include "proxy/session_facts.h"

namespace imapmeter::proxy {

// As configured, and escaped for JSON.
struct RecordNames {
  std::string listener;
  std::vector<std::string> servers;  // of the listener's upstream
};

// `client`: how its address may be shown; empty where it may not be. closed.facts may be null.
std::string session_record(const RecordNames& names, std::string_view client, const Closed& closed);
std::string auth_record(const RecordNames& names, std::string_view client, const SessionFacts& session,
                        const imap::AuthAttempt& attempt);

}  // namespace imapmeter::proxy
