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

// What can be read together, where it tells nothing but itself; returns how many octets that were.
std::size_t SessionTracker::read_runs(std::span<const char> octets, DataReader& reader) noexcept {
  if (!greeting_seen_ || !in_step_ || first_response_.waiting()) return 0;
  if (responses_.between_literals()) {
    const DataRun parts = reader.take_parts(octets);
    responses_.skip_parts(parts);
    if (parts.literals != 0) observer_.on_literal(Direction::server_to_client, parts.literals);
    return parts.taken;
  }
  if (!responses_.at_line_start() || before_login()) return 0;
  const DataRun run = reader.take(octets);
  on_data_run(run);
  return run.taken;
}

void SessionTracker::on_data_run(const DataRun& run) noexcept {
  if (run.responses == 0) return;
  after_literal_ = after_literal_ || run.announced != 0;
  if (run.literals != 0) observer_.on_literal(Direction::server_to_client, run.literals);
  observer_.on_data({run.keyword, run.octets, run.responses});
  if (run.message) observer_.on_messages(MessageOperation::fetched, 1);
}

}  // namespace imapmeter::imap
