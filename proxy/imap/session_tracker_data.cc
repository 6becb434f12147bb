// What the server says that is no status response.
#include "proxy/imap/session_tracker.h"

namespace imapmeter::imap {

void SessionTracker::on_data(const ResponseLine& line) noexcept {
  observer_.on_data({line.keyword, responses_.octets()});
  if (line.message) observer_.on_messages(MessageOperation::fetched, 1);
  // what RFC 9051, RFC 2971 and RFC 5255 let a server say before login
  if (!line.before_login && before_login()) observer_.on_anomaly(Anomaly::data_before_auth);
  // several streams in one from here on
  if (line.multiplex && is_outstanding(Command::id)) go_opaque(OpaqueReason::multiplex);
}

// Between two lines, where FETCH responses tell nothing but themselves.
bool SessionTracker::reads_runs() const noexcept {
  return responses_.at_line_start() && greeting_seen_ && in_step_ && !before_login() && !first_response_.waiting();
}

void SessionTracker::on_fetch_run(const FetchRun& run) noexcept {
  if (run.responses == 0) return;
  after_literal_ = after_literal_ || run.announced != 0;
  if (run.literals != 0) observer_.on_literal(Direction::server_to_client, run.literals);
  observer_.on_data({DataKeyword::fetch, run.octets, run.responses});
  if (run.message) observer_.on_messages(MessageOperation::fetched, 1);
}

}  // namespace imapmeter::imap
