// What the client says: commands begin, literals wait for the server, some lines are no commands.
#include "proxy/imap/session_tracker.h"

namespace imapmeter::imap {
namespace {

// Its answer says how to read on, or who is there.
bool changes_session(Command command) noexcept {
  switch (command) {
    case Command::idle:
    case Command::compress:
    case Command::unauthenticate:
    case Command::starttls:
      return true;
    default:
      return is_login(command);
  }
}

}  // namespace

void SessionTracker::client(std::span<const char> octets, TimePoint now) noexcept { hear_client(octets, now, nullptr); }

std::span<char> SessionTracker::pass_client(std::span<char> octets, TimePoint now) noexcept {
  FilterOutput output(octets);
  hear_client(octets, now, &output);
  return output.finish(octets.data() + octets.size());
}

void SessionTracker::hear_client(std::span<const char> octets, TimePoint now, FilterOutput* output) noexcept {
  fed_ = true;
  last_client_ = now;
  const bool unfiltered = opaque_ || ever_authenticated_;
  if (unfiltered && output != nullptr && multiplex_.holds()) output->put_in_front(multiplex_.release());
  if (inflating(Direction::client_to_server) && !octets.empty()) {
    octets = octets.subspan(inflate(Direction::client_to_server, octets));
  }
  read_client(octets, output);
}

void SessionTracker::read_client(std::span<const char> octets, FilterOutput* output) noexcept {
  while (!octets.empty() && !opaque_) {
    if (first_client_octet_) {
      first_client_octet_ = false;
      if (octets.front() == '\0') return go_opaque(OpaqueReason::sasl_layer);
    }
    if (compress_pending_) octets_before_answer();
    const CommandScanner::Scan scan = commands_.scan(octets, context_.tag_key);
    if (take_out_multiplex_ && !ever_authenticated_) filter_client(octets.first(scan.taken), scan.token, output);
    octets = octets.subspan(scan.taken);
    on_client(scan.token, scan.taken);
  }
}

void SessionTracker::filter_client(std::span<const char> octets, CommandScanner::Token token,
                                   FilterOutput* output) noexcept {
  if (output == nullptr || commands_.line().command != Command::id || token == CommandScanner::Token::literal) return;
  const std::size_t pairs = multiplex_.take(octets, *output);
  for (std::size_t i = 0; i < pairs; ++i) observer_.on_multiplex_removed();
  const bool line = token == CommandScanner::Token::line || token == CommandScanner::Token::next_line;
  if (line && !commands_.command_open()) multiplex_.start();
}

void SessionTracker::on_client(CommandScanner::Token token, std::size_t octets) noexcept {
  switch (token) {
    case CommandScanner::Token::more:
      break;
    case CommandScanner::Token::line:
      client_part_anomalies();
      on_client_line();
      break;
    case CommandScanner::Token::next_line:
      client_part_anomalies();
      after_client_part();
      break;
    case CommandScanner::Token::literal:
      observer_.on_literal(Direction::client_to_server, octets);
      break;
    case CommandScanner::Token::impatient:
      impatient();
      break;
    case CommandScanner::Token::unreadable:
      go_opaque(OpaqueReason::parser);
      break;
  }
}

void SessionTracker::client_part_anomalies() noexcept {
  if (commands_.framer().bare_lf()) observer_.on_anomaly(Anomaly::client_bare_lf);
  if (commands_.framer().has_nul()) observer_.on_anomaly(Anomaly::client_nul_octet);
}

void SessionTracker::on_client_line() noexcept {
  if (commands_.read_as() == CommandScanner::Expect::sasl) return sasl_line();
  const bool idle = commands_.read_as() == CommandScanner::Expect::idle;
  switch (commands_.line().shape) {
    case CommandShape::command:
      begin_command();
      break;
    case CommandShape::done:
      if (idle) {
        observer_.on_client_line(ClientLine::done, commands_.octets());
      } else {
        observer_.on_anomaly(Anomaly::client_stray_done);
      }
      commands_.expect(CommandScanner::Expect::command);
      break;
    case CommandShape::empty:
      observer_.on_anomaly(Anomaly::client_empty_line);
      break;
    case CommandShape::no_command:
    case CommandShape::cancel:
      observer_.on_anomaly(idle ? Anomaly::client_other : Anomaly::client_no_command);
      break;
  }
}

void SessionTracker::begin_command() noexcept {
  const CommandLine& line = commands_.line();
  observer_.on_command_started({line.command, commands_.octets(), line.mechanism});
  OutstandingCommand entry;
  entry.tag_hash = line.tag.value;
  entry.tag_length = OutstandingCommand::length_of(line.tag);
  entry.command = line.command;
  entry.mechanism = line.mechanism;
  if (answered_early_) {
    answer_early(entry);
  } else if (outstanding_.add(entry) || (is_login(line.command) && make_room() && outstanding_.add(entry))) {
    latest_ = Latest::tracked;
  } else {
    latest_ = Latest::untracked;
    ++silent_;
    login_unseen_ = login_unseen_ || is_login(line.command);
    end_unanswered(entry, CommandResult::untracked);
  }
  if (line.command == Command::logout) {
    logout_requested_ = true;
    update_state();
  }
  after_client_part();
}

// The latest command that nothing depends on gives its place to a login: else whoever sends commands enough before his
// passwords would try them unheard.
bool SessionTracker::make_room() noexcept {
  for (std::size_t index = outstanding_.size(); index-- > 0;) {
    const OutstandingCommand command = outstanding_[index];
    if (changes_session(command.command) || command.owed != 0) continue;
    if (index == 0) first_response_.stop();
    outstanding_.remove(index);
    ++silent_;
    end_unanswered(command, CommandResult::untracked);
    return true;
  }
  return false;
}

// The server did not wait for the end of its first line: that was too long for it, say.
void SessionTracker::answer_early(const OutstandingCommand& command) noexcept {
  answered_early_ = false;
  latest_ = Latest::none;
  observer_.on_anomaly(Anomaly::early_completion);
  tell_end(command, early_condition_, early_code_, true);
  if (is_login(command.command)) tell_login(command, early_condition_, early_code_);
  commands_.waiting() ? commands_.reject() : commands_.answered();
  apply(command, early_condition_);
}

// A line of a command has ended: the client waits for `+`, goes on by itself, or the command is complete.
void SessionTracker::after_client_part() noexcept {
  if (latest_ == Latest::none || commands_.line().shape != CommandShape::command) return;
  note_line_end();
  time_first_response();
  const Command command = commands_.line().command;
  bool asks = commands_.waiting();
  if (!asks && !commands_.command_open()) {
    if (command == Command::authenticate) commands_.expect(CommandScanner::Expect::sasl);
    if (command == Command::idle) commands_.expect(CommandScanner::Expect::idle);
    if (command == Command::compress) await_compression();
    if (command == Command::unauthenticate) end_with_next_flush(Direction::client_to_server);
    asks = command == Command::idle;
  }
  if (!asks || latest_ != Latest::tracked) return;
  OutstandingCommand& entry = outstanding_[outstanding_.size() - 1];
  if (entry.owed != UINT16_MAX) ++entry.owed;
}

// A line of a SASL exchange: anything, and `*` gives up.
void SessionTracker::sasl_line() noexcept {
  const bool cancel = commands_.line().shape == CommandShape::cancel;
  observer_.on_client_line(cancel ? ClientLine::cancel : ClientLine::sasl, commands_.octets());
  note_line_end();
  if (latest_ == Latest::tracked) outstanding_[outstanding_.size() - 1].cancelled = cancel;
  time_first_response();
}

// What is known of the command so far; from here on the server's time counts, if this was its last line.
void SessionTracker::note_line_end() noexcept {
  if (latest_ != Latest::tracked) return;
  OutstandingCommand& entry = outstanding_[outstanding_.size() - 1];
  entry.since = last_client_;
  entry.messages = commands_.messages();
}

// A line of the client may have been the last of a command, and the server's turn begins.
void SessionTracker::time_first_response() noexcept {
  const bool alone = latest_ == Latest::tracked && outstanding_.size() == 1 && silent_ == 0;
  if (!alone) return;
  const Command command = outstanding_[0].command;
  const bool goes_on = commands_.command_open() && !commands_.waiting();
  if (goes_on || command == Command::idle) return first_response_.stop();
  first_response_.start(last_client_, commands_.waiting() || command == Command::authenticate);
}

void SessionTracker::impatient() noexcept {
  observer_.on_anomaly(Anomaly::client_impatient_literal);
  if (latest_ == Latest::tracked) outstanding_[outstanding_.size() - 1].impatient = true;
}

}  // namespace imapmeter::imap
