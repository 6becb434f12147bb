// What the server says: greeting, status responses, literals, `+`, and whether its lines can still be trusted.
#include "proxy/imap/session_tracker.h"

namespace imapmeter::imap {
namespace {

// The ImapStatusCode members that a response code raises: those of the same name.
void add_member(StatusCodeSet& members, ResponseCode code) noexcept {
  switch (code) {
    case ResponseCode::alert:
      return members.add(StatusCode::alert);
    case ResponseCode::badcharset:
      return members.add(StatusCode::bad_charset);
    case ResponseCode::capability:
      return members.add(StatusCode::capability);
    case ResponseCode::parse:
      return members.add(StatusCode::parse);
    case ResponseCode::permanentflags:
      return members.add(StatusCode::permanent_flags);
    case ResponseCode::read_only:
      return members.add(StatusCode::read_only);
    case ResponseCode::read_write:
      return members.add(StatusCode::read_write);
    case ResponseCode::trycreate:
      return members.add(StatusCode::try_create);
    case ResponseCode::uidnext:
      return members.add(StatusCode::uid_next);
    case ResponseCode::uidvalidity:
      return members.add(StatusCode::uid_validity);
    case ResponseCode::unseen:
      return members.add(StatusCode::unseen);
    default:
      return;
  }
}

StatusCode member(Condition condition) noexcept {
  switch (condition) {
    case Condition::ok:
      return StatusCode::ok;
    case Condition::no:
      return StatusCode::no;
    case Condition::bad:
      return StatusCode::bad;
    case Condition::preauth:
      return StatusCode::preauth;
    case Condition::bye:
      return StatusCode::bye;
  }
  return StatusCode::not_defined;
}

bool is_completion(const ResponseLine& line) noexcept {
  return line.has_condition && line.condition <= Condition::bad;  // OK, NO, BAD
}

// The server is still at work.
bool asks_for_patience(const ResponseLine& line) noexcept {
  if (line.shape != ResponseShape::status) return false;
  return line.code == ResponseCode::inprogress || (line.condition == Condition::ok && line.code == ResponseCode::none);
}

// A NO that speaks of the server's own trouble.
bool is_trouble(ResponseCode code) noexcept {
  return code == ResponseCode::unavailable || code == ResponseCode::serverbug || code == ResponseCode::corruption ||
         code == ResponseCode::limit;
}

}  // namespace

std::span<char> SessionTracker::server(std::span<char> octets, TimePoint now) noexcept {
  if (!fed_) last_client_ = now;
  fed_ = true;
  now_ = now;
  FilterOutput output(octets);
  const std::span<char> all = octets;
  if (opaque_ && filter_.holds()) {
    const std::span<const char> held = filter_.release();
    output.put_in_front({held.data(), held.size()});
  }
  while (!octets.empty() && !opaque_) {
    const bool deflated = inflating(Direction::server_to_client);
    octets = octets.subspan(deflated ? inflate(Direction::server_to_client, octets) : read_server(octets, output));
  }
  return output.finish(all.data() + all.size());
}

// Reads on until what follows is coded in another way; returns how many octets that were.
std::size_t SessionTracker::read_server(std::span<char> octets, FilterOutput& output) noexcept {
  const bool inflated = inflating(Direction::server_to_client);
  const std::size_t all = octets.size();
  DataReader reader(octets);
  while (!octets.empty() && !opaque_) {
    if (first_server_octet_) {
      first_server_octet_ = false;
      if (octets.front() == '\0') {
        go_opaque(OpaqueReason::sasl_layer);
        break;
      }
    }
    if (filter_.in_list()) {
      capabilities_.read(octets);  // as they are: the filter changes them
      const std::size_t taken = filter_.take(octets, output, context_.rules, observer_);
      octets = octets.subspan(taken);
      if (!filter_.in_list()) capabilities_.end();
      if (!responses_.skip(taken)) go_opaque(OpaqueReason::parser);
      continue;
    }
    octets = octets.subspan(read_runs(octets, reader));
    if (octets.empty()) break;
    const ResponseScanner::Scan scan = responses_.scan(octets, context_.tag_key);
    octets = octets.subspan(scan.taken);
    on_server(scan.token, scan.taken);
    if (!inflated && inflating(Direction::server_to_client)) break;
  }
  return all - octets.size();
}

void SessionTracker::adopt_greeting(const ResponseLine& greeting, TimePoint now) noexcept {
  if (opaque_) return;
  last_client_ = now_ = now;
  fed_ = true;
  responses_.expect_no_greeting();
  on_first_line(greeting);
}

void SessionTracker::on_server(ResponseScanner::Token token, std::size_t octets) noexcept {
  switch (token) {
    case ResponseScanner::Token::more:
      break;
    case ResponseScanner::Token::tag:
      on_server_tag();
      break;
    case ResponseScanner::Token::list:
      if (!in_step_ || inflater_) break;
      filter_.begin_list();
      capabilities_.start();
      listing_ = true;
      break;
    case ResponseScanner::Token::part:
      on_server_part();
      break;
    case ResponseScanner::Token::literal:
      if (in_step_) observer_.on_literal(Direction::server_to_client, octets);
      break;
    case ResponseScanner::Token::misfit:
      responses_.distrust_line();
      if (in_step_) fall_out_of_step();
      break;
    case ResponseScanner::Token::line:
      on_server_line();
      tell_capabilities();
      break;
    case ResponseScanner::Token::unreadable:
      go_opaque(OpaqueReason::parser);
      break;
  }
}

void SessionTracker::fall_out_of_step() noexcept {
  in_step_ = false;
  observer_.on_anomaly(Anomaly::desync);
}

void SessionTracker::on_server_tag() noexcept {
  const TagHash& tag = responses_.line().tag;
  tag_outstanding_ = outstanding_.find(tag) != OutstandingTable::none || commands_.beginning(tag);
  if (tag_outstanding_ || !greeting_seen_) return;
  // an answer to an untracked command is as good as one to a tracked one
  if (in_step_ && after_literal_ && silent_ == 0) fall_out_of_step();
  if (!in_step_) responses_.distrust_line();
}

void SessionTracker::on_server_part() noexcept {
  if (!in_step_) return;
  after_literal_ = true;
  note_first_response(responses_.line());
  server_part_anomalies();
  if (responses_.framer().marker().plus()) observer_.on_anomaly(Anomaly::literal_plus_from_server);
  if (responses_.framer().quote_open()) observer_.on_anomaly(Anomaly::quote_open_at_literal);
}

void SessionTracker::server_part_anomalies() noexcept {
  if (responses_.framer().bare_lf()) observer_.on_anomaly(Anomaly::bare_lf);
  if (responses_.framer().has_nul()) observer_.on_anomaly(Anomaly::nul_octet);
}

void SessionTracker::on_server_line() noexcept {
  const ResponseLine& line = responses_.line();
  if (!in_step_ && !read_out_of_step(line)) return;
  server_part_anomalies();
  if (!greeting_seen_) return on_first_line(line);
  note_first_response(line);
  switch (line.shape) {
    case ResponseShape::empty:
      return on_odd_line(Anomaly::empty_line);
    case ResponseShape::garbage:
      return on_odd_line(Anomaly::garbage_line);
    case ResponseShape::no_space:
      return on_odd_line(Anomaly::missing_space);
    case ResponseShape::double_space:
      return observer_.on_anomaly(Anomaly::double_space);
    case ResponseShape::data:
      return on_data(line);
    case ResponseShape::status:
      return on_untagged(line);
    case ResponseShape::continuation:
      if (line.missing_space) observer_.on_anomaly(Anomaly::missing_space);
      return on_continuation();
    case ResponseShape::tagged:
      return on_tagged(line);
  }
}

// Behind its line: the answer to a login has its list of what can be done after it.
void SessionTracker::tell_capabilities() noexcept {
  if (!listing_) return;
  listing_ = false;
  // Gmail tells what can be done after login in data before its OK to the login
  const bool of_login = responses_.line().shape == ResponseShape::data && !is_outstanding(Command::capability) &&
                        (is_outstanding(Command::login) || is_outstanding(Command::authenticate));
  observer_.on_capabilities({capabilities_.set(), of_login || base_ != SessionState::not_authenticated});
}

void SessionTracker::note_first_response(const ResponseLine& line) noexcept {
  if (!first_response_.waiting() || !greeting_seen_ || asks_for_patience(line)) return;
  const auto time = first_response_.line(now_);
  if (time) observer_.on_first_response(outstanding_[0].command, *time);
}

// Out of step only a completion of an outstanding command counts, and ends it. `+` is heeded, since the client will.
bool SessionTracker::read_out_of_step(const ResponseLine& line) noexcept {
  if (line.shape == ResponseShape::continuation) on_continuation();
  if (line.shape == ResponseShape::tagged && tag_outstanding_ && is_completion(line)) in_step_ = true;
  return in_step_;
}

void SessionTracker::on_first_line(const ResponseLine& line) noexcept {
  greeting_seen_ = true;
  if (line.shape != ResponseShape::status) {
    observer_.on_undefined_status();
    observer_.on_anomaly(Anomaly::greeting_malformed);
    return update_state();
  }
  tell_status(line, ResponseKind::greeting);
  switch (line.condition) {
    case Condition::ok:
      break;
    case Condition::no:
    case Condition::bad:
      observer_.on_anomaly(Anomaly::greeting_malformed);
      break;
    case Condition::preauth:
      return authenticated();
    case Condition::bye:
      turned_away_ = true;
      return bye(ByeReason::greeting);
  }
  update_state();
}

// A line that is no response. After a literal it means that the server and we count its octets differently.
void SessionTracker::on_odd_line(Anomaly anomaly) noexcept {
  if (after_literal_) {
    fall_out_of_step();
  } else {
    observer_.on_anomaly(anomaly);
  }
}

void SessionTracker::on_untagged(const ResponseLine& line) noexcept {
  tell_status(line, ResponseKind::untagged);
  if (line.condition == Condition::preauth) observer_.on_anomaly(Anomaly::late_preauth);
  if (line.condition == Condition::bye) bye(bye_reason());
}

void SessionTracker::on_tagged(const ResponseLine& line) noexcept {
  if (!line.has_condition) {
    if (!tag_outstanding_) return on_odd_line(Anomaly::garbage_line);
    return observer_.on_undefined_status();
  }
  tell_status(line, ResponseKind::tagged);
  if (line.condition == Condition::preauth) return observer_.on_anomaly(Anomaly::late_preauth);
  if (line.condition == Condition::bye) return observer_.on_anomaly(Anomaly::tagged_bye);
  const std::size_t index = outstanding_.find(line.tag);
  if (index != OutstandingTable::none) return complete(index, line.condition, line.code);
  if (answered_early_ || !commands_.beginning(line.tag)) return on_unmatched(line);
  // the rest of its line would be plain, and what the server says next no more
  if (line.condition == Condition::ok && recodes(commands_.line().command)) {
    return go_opaque(OpaqueReason::compress_error);
  }
  answered_early_ = true;  // it counts when it has begun
  early_condition_ = line.condition;
  early_code_ = line.code;
  after_literal_ = false;
}

// An answer to a command that we do not know: one that found no room, or nobody's.
void SessionTracker::on_unmatched(const ResponseLine& line) noexcept {
  if (silent_ == 0) {
    observer_.on_anomaly(Anomaly::unmatched_tag);
    // RFC 4978's own example answers COMPRESS under another tag: what comes next cannot be known
    const bool compress = outstanding_.size() == 1 && outstanding_[0].command == Command::compress;
    if (compress && line.condition == Condition::ok) go_opaque(OpaqueReason::compress_error);
    return;
  }
  --silent_;
  after_literal_ = false;
  if (latest_ != Latest::untracked || commands_.line().tag != line.tag) return;
  const Command command = commands_.line().command;
  answer_latest();
  compress_pending_ = false;
  if (is_login(command)) login_unseen_ = false;
  if (line.condition == Condition::ok) untracked_ok(command);
}

// What must not be missed, although the table had no room for it.
void SessionTracker::untracked_ok(Command command) noexcept {
  if (is_login(command)) return authenticated();
  if (command == Command::starttls) return go_opaque(OpaqueReason::upstream_starttls);
  // a switch that cannot be followed: what of its command was outstanding is not known
  if (recodes(command)) go_opaque(OpaqueReason::compress_error);
}

void SessionTracker::tell_status(const ResponseLine& line, ResponseKind kind) noexcept {
  Status status{
      .kind = kind, .condition = line.condition, .code = line.code, .members = {}, .octets = responses_.octets()};
  status.members.add(member(line.condition));
  if (kind != ResponseKind::tagged) status.members.add(StatusCode::unsolicited);
  add_member(status.members, line.code);
  observer_.on_status(status);
  if (line.code_unclosed) observer_.on_anomaly(Anomaly::code_unclosed);
  const bool bare_bye = line.condition == Condition::bye && line.no_text;
  if (bare_bye) observer_.on_anomaly(Anomaly::bye_without_text);
  if (line.missing_space && !bare_bye) observer_.on_anomaly(Anomaly::missing_space);
  const bool trouble = line.condition == Condition::bad || (line.condition == Condition::no && is_trouble(line.code));
  if (trouble && ever_authenticated_) degraded_ = true;
  if (line.condition != Condition::ok && line.condition != Condition::preauth) provider_signal(line);
}

// "Not connected" is one only as the answer to what follows a login that seemed to succeed.
void SessionTracker::provider_signal(const ResponseLine& line) noexcept {
  const auto signal = responses_.provider_text().signal(line.code);
  if (!signal) return;
  const bool answer = line.shape == ResponseShape::tagged && tag_outstanding_;
  const bool after_login = just_logged_in_ && answer && line.condition == Condition::bad;
  if (*signal == ProviderSignal::authenticated_not_connected && !after_login) return;
  observer_.on_provider_signal(*signal);
}

void SessionTracker::bye(ByeReason reason) noexcept {
  if (bye_seen_) return observer_.on_anomaly(Anomaly::repeated_bye);
  bye_seen_ = true;
  if (reason == ByeReason::inactivity || reason == ByeReason::shutdown) cut_by_bye_ = true;
  observer_.on_bye(reason);
  update_state();
}

ByeReason SessionTracker::bye_reason() const noexcept {
  using std::chrono::seconds;
  if (logout_requested_) return ByeReason::logout;
  if (responses_.bye_text().inactivity()) return ByeReason::inactivity;
  if (responses_.bye_text().shutdown()) return ByeReason::shutdown;
  const seconds patience = before_login() ? seconds(60) : seconds(1800);
  return now_ - last_client_ >= patience ? ByeReason::inactivity : ByeReason::shutdown;
}

// `+`: asks for what the oldest waiting command has to send.
void SessionTracker::on_continuation() noexcept {
  observer_.on_continuation();
  for (std::size_t index = 0; index < outstanding_.size(); ++index) {
    OutstandingCommand& entry = outstanding_[index];
    const bool latest = latest_ == Latest::tracked && index + 1 == outstanding_.size();
    if (entry.owed == 0) {
      if (entry.command == Command::authenticate) return;
      continue;
    }
    if (--entry.owed == 0) entry.impatient = false;
    if (latest && entry.owed == 0) commands_.go_ahead();
    if (entry.command == Command::idle) {
      idling_ = entry.idling = true;
      entry.since = now_;
      update_state();
    }
    return;
  }
  if (latest_ == Latest::untracked) commands_.go_ahead();
}

}  // namespace imapmeter::imap
