// Completions, state, the end.
#include "proxy/imap/session_tracker.h"

namespace imapmeter::imap {
namespace {

CommandResult result_of(Condition condition) noexcept {
  if (condition == Condition::ok) return CommandResult::ok;
  return condition == Condition::no ? CommandResult::no : CommandResult::bad;
}

// METRICS.md, auth_attempts: `temporary` is the server's trouble, not the user's.
AuthResult auth_result(const OutstandingCommand& command, Condition condition, ResponseCode code) noexcept {
  if (condition == Condition::ok) return AuthResult::success;
  if (command.cancelled) return AuthResult::cancelled;
  if (condition != Condition::no) return AuthResult::bad;
  switch (code) {
    case ResponseCode::none:
    case ResponseCode::authenticationfailed:
    case ResponseCode::authorizationfailed:
    case ResponseCode::expired:
      return AuthResult::rejected;
    case ResponseCode::unavailable:
    case ResponseCode::inuse:
    case ResponseCode::limit:
    case ResponseCode::serverbug:
    case ResponseCode::contactadmin:
      return AuthResult::temporary;
    case ResponseCode::privacyrequired:
      return AuthResult::policy;
    default:
      return AuthResult::other_no;
  }
}

}  // namespace

SessionTracker::SessionTracker(Observer& observer, TrackerContext& context) noexcept
    : observer_(observer), context_(context), outstanding_(context.tags) {}

SessionTracker::~SessionTracker() = default;

void SessionTracker::complete(std::size_t index, Condition condition, ResponseCode code) noexcept {
  const OutstandingCommand command = outstanding_[index];
  const bool latest = latest_ == Latest::tracked && index + 1 == outstanding_.size();
  outstanding_.remove(index);
  after_literal_ = false;
  const bool early = latest && commands_.command_open() && !commands_.waiting();
  if (latest) {
    const auto first = first_response_.answered();
    if (first && !early) observer_.on_first_response(command.command, *first);
    answer_latest();
  }
  tell_end(command, condition, code, early);
  if (is_login(command.command)) tell_login(command, condition, code);
  if (command.impatient && command.owed > 0 && condition != Condition::ok) {
    // octets of a literal that the server refused are on their way: it reads them as commands, we did not
    return go_opaque(OpaqueReason::parser);
  }
  just_logged_in_ = is_login(command.command) && condition == Condition::ok;
  apply(command, condition);
}

void SessionTracker::tell_end(const OutstandingCommand& command, Condition condition, ResponseCode code,
                              bool early) noexcept {
  CommandEnd end{.command = command.command, .result = result_of(condition), .code = code};
  if (!early && command.command != Command::idle) end.duration = now_ - command.since;
  observer_.on_command_ended(end);
  if (command.idling) observer_.on_idle(now_ - command.since);
  const bool appended = command.command == Command::append && condition == Condition::ok && command.messages != 0;
  if (appended) observer_.on_messages(MessageOperation::appended, command.messages);
}

void SessionTracker::tell_login(const OutstandingCommand& command, Condition condition, ResponseCode code) noexcept {
  const AuthResult result = auth_result(command, condition, code);
  observer_.on_auth_attempt({command.mechanism, result, code});
  if (result == AuthResult::success) return;
  login_trouble_ = result == AuthResult::temporary ? LoginTrouble::failed : LoginTrouble::rejected;
}

// The command that the client sent last is answered: whatever it waits for will not come.
void SessionTracker::answer_latest() noexcept {
  latest_ = Latest::none;
  if (commands_.waiting()) {
    commands_.reject();
    multiplex_.start();
  } else if (commands_.command_open()) {
    observer_.on_anomaly(Anomaly::early_completion);
    commands_.answered();
  }
  commands_.expect(CommandScanner::Expect::command);
}

// What a completed command does to the session.
void SessionTracker::apply(const OutstandingCommand& command, Condition condition) noexcept {
  const bool ok = condition == Condition::ok;
  switch (command.command) {
    case Command::login:
    case Command::authenticate:
      if (!ok) break;
      first_client_octet_ = first_server_octet_ = !inflater_ && may_add_layer(command.mechanism);
      return authenticated();
    case Command::select:
    case Command::examine:
      if (base_ == SessionState::not_authenticated || condition == Condition::bad) break;
      base_ = ok ? SessionState::selected : SessionState::authenticated;
      break;
    case Command::close:
    case Command::unselect:
      if (ok && base_ == SessionState::selected) base_ = SessionState::authenticated;
      break;
    case Command::idle:
      idling_ = false;
      break;
    case Command::logout:
      logout_completed_ = logout_completed_ || ok;
      break;
    case Command::compress:
      compress_answered(condition);
      break;
    case Command::unauthenticate:
      unauthenticate_answered(condition);
      break;
    case Command::starttls:
      if (ok) return go_opaque(OpaqueReason::upstream_starttls);
      break;
    default:
      break;
  }
  update_state();
}

void SessionTracker::authenticated() noexcept {
  if (base_ == SessionState::not_authenticated) base_ = SessionState::authenticated;
  if (!ever_authenticated_) {
    ever_authenticated_ = true;
    observer_.on_authenticated();
  }
  update_state();
}

SessionState SessionTracker::state() const noexcept {
  if (opaque_) return SessionState::opaque;
  if (!greeting_seen_) return SessionState::connecting;
  if (logout_requested_ || bye_seen_) return SessionState::logout;
  return idling_ ? SessionState::idle : base_;
}

void SessionTracker::update_state() noexcept {
  const SessionState now = state();
  if (now == told_) return;
  const SessionState before = told_;
  told_ = now;
  observer_.on_state(before, now);
}

void SessionTracker::go_opaque(OpaqueReason reason) noexcept {
  if (opaque_) return;
  opaque_ = true;
  for (std::size_t index = 0; index < outstanding_.size(); ++index)
    end_unanswered(outstanding_[index], CommandResult::untracked);
  outstanding_.clear();
  inflater_.reset();
  observer_.on_opaque(reason);
  update_state();
}

// Each attempt is told once, its answer or that none was read.
void SessionTracker::end_unanswered(const OutstandingCommand& command, CommandResult result) noexcept {
  observer_.on_command_ended({command.command, result});
  if (is_login(command.command)) observer_.on_auth_attempt({.mechanism = command.mechanism});
  if (command.command == Command::compress) observer_.on_compress(CompressResult::aborted);
}

void SessionTracker::finish(TimePoint now) noexcept {
  const Outcome how = outcome();
  for (std::size_t index = 0; index < outstanding_.size(); ++index) {
    const OutstandingCommand& command = outstanding_[index];
    end_unanswered(command, CommandResult::aborted);
    if (command.idling) observer_.on_idle(now - command.since);
  }
  outstanding_.clear();
  if (greeting_seen_) observer_.on_outcome(how);
}

bool SessionTracker::only_idle_outstanding() const noexcept {
  for (std::size_t index = 0; index < outstanding_.size(); ++index) {
    if (outstanding_[index].command != Command::idle) return false;
  }
  return true;
}

bool SessionTracker::is_outstanding(Command command) const noexcept {
  for (std::size_t index = 0; index < outstanding_.size(); ++index) {
    if (outstanding_[index].command == command) return true;
  }
  return false;
}

Outcome SessionTracker::outcome() const noexcept {
  if (opaque_) return Outcome::unseen;
  if (!only_idle_outstanding() || cut_by_bye_) return Outcome::cut;
  if (degraded_) return Outcome::degraded;
  if (ever_authenticated_) return Outcome::good;
  // a server that says BYE instead of a greeting lets nobody log in
  if (turned_away_ || login_trouble_ == LoginTrouble::failed) return Outcome::login_failed;
  return login_trouble_ == LoginTrouble::rejected ? Outcome::login_rejected : Outcome::good;
}

bool SessionTracker::at_response_boundary() const noexcept {
  return !opaque_ && in_step_ && !inflater_ && silent_ == 0 && responses_.at_line_start() && !filter_.holds() &&
         only_idle_outstanding();
}

}  // namespace imapmeter::imap
