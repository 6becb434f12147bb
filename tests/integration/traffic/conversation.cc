#include "tests/integration/traffic/conversation.h"

#include <array>
#include <utility>

#include "tests/integration/traffic/vocabulary.h"

namespace traffic {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t longest_batch = 12;
// The client goes on without waiting for answers, but leaves fewer commands unanswered than a proxy must track.
constexpr std::uint64_t most_unanswered = 100;

}  // namespace

Conversation::Conversation(std::uint64_t seed, std::size_t session, Journal& journal)
    : random_(derive(seed, session)), journal_(journal) {}

SessionPlan Conversation::write(std::uint64_t commands) {
  greet();
  if (!authenticated_) log_in();
  const std::uint64_t overflow_at = random_.chance(20) ? commands / 2 : commands * 2;
  bool overflowed = false;
  while (begun_ < commands) {
    if (unwaited_ + longest_batch > most_unanswered || random_.chance(20)) {
      script_->client_waits();
      unwaited_ = 0;
    }
    const std::uint64_t kind = random_.below(100);
    if (kind < 60)
      batch();
    else if (kind < 67)
      append_accepted();
    else if (kind < 74)
      append_rejected();
    else if (kind < 80)
      append_answered_early();
    else if (kind < 82)
      append_impatient();
    else if (kind < 88)
      idle();
    else if (kind < 92)
      authenticate(false);
    else if (kind < 94)
      refused_switch();
    else if (kind < 97)
      stray_line();
    else
      desync();
    if (begun_ > overflow_at && !std::exchange(overflowed, true)) overflow();
  }
  return end();
}

SessionPlan Conversation::write_odd_greeting() {
  constexpr std::array<std::string_view, 6> undefined = {
      "421 Server is busy\r\n",       " NO LOGOUT Intrusion prevention active\r\n",
      "HTTP/1.1 400 Bad Request\r\n", "* HELLO [ALERT] I am new\r\n",
      "OK [ALERT] no star\r\n",       "* OKAY\r\n"};
  const StatusText& text = random_.pick(status_texts());
  const std::uint64_t kind = random_.below(10);
  if (kind < 3) {
    status_line(random_.chance(30) ? "* bye" : "* BYE", "greeting", "BYE", text);
    journal_.bye("greeting");
    journal_.closed("upstream_bye");
  } else if (kind < 6) {
    const std::string_view condition = random_.chance(50) ? "NO" : "BAD";
    status_line("* " + std::string(condition), "greeting", condition, text);
    journal_.anomaly("upstream", "greeting_malformed");
    journal_.closed("upstream_eof");
  } else {
    script_->say_server(random_.pick(undefined));
    journal_.undefined_status();
    journal_.anomaly("upstream", "greeting_malformed");
    if (random_.chance(50)) status_line("* OK", "untagged", "OK", random_.pick(status_texts()));
    journal_.closed("upstream_eof");
  }
  return plan_script(script_, false);
}

void Conversation::greet() {
  const bool preauth = random_.chance(15);
  const std::string_view start = preauth ? "* PREAUTH" : random_.chance(20) ? "* ok" : "* OK";
  status_line(start, "greeting", preauth ? "PREAUTH" : "OK", random_.pick(status_texts()));
  if (preauth) authenticated();
}

void Conversation::authenticated() {
  authenticated_ = true;
  journal_.add("imapmeter_sessions_authenticated_total");
}

void Conversation::log_in() {
  constexpr std::array<std::string_view, 4> lines = {"user pass\r\n", "\"us\\\"er\" \"p {4}\"\r\n",
                                                     "{4+}\r\nuser {8+}\r\na1 NOOP\n\r\n", "{4+}\r\nuser \"x\"\r\n"};
  constexpr std::array<unsigned, 4> octets = {0, 0, 12, 4};
  for (bool refused = random_.chance(40);; refused = random_.chance(20)) {
    script_->client_waits();
    if (!refused && random_.chance(50)) return authenticate(true);
    const std::size_t form = random_.below(lines.size());
    const Begun login{new_tag(), "LOGIN"};
    begin(login, " LOGIN " + std::string(lines[form]));
    journal_.literal("client_to_server", octets[form]);
    script_->server_waits();
    noise();
    if (refused) {
      answer(login, "NO", {" [AUTHENTICATIONFAILED] no", "AUTHENTICATIONFAILED"});
    } else {
      answer(login, "OK", {" [CAPABILITY IMAP4rev1] Logged in", "CAPABILITY"});
      authenticated();
      return;
    }
  }
}

void Conversation::batch() {
  const std::uint64_t size = random_.chance(30) ? 1 : random_.between(2, longest_batch);
  for (std::uint64_t index = 0; index < size; ++index) {
    random_.chance(80) ? begin_plain() : begin_with_literals();
    if (random_.chance(20)) {
      script_->server_waits();
      answer_one();
    }
  }
  script_->server_waits();
  answer_all();
}

void Conversation::begin(const Begun& command, std::string_view arguments_and_end) {
  script_->say_client(command.tag);
  script_->say_client(arguments_and_end);
  journal_.started();
  ++begun_;
  ++unwaited_;
}

void Conversation::begin_plain() {
  const CommandLine& line = random_.pick(command_lines());
  const bool bare = random_.chance(2);
  Begun command{new_tag(), std::string(line.label)};
  begin(command, " " + std::string(line.wire) + (bare ? "\n" : "\r\n"));
  if (bare) journal_.anomaly("client", "bare_lf");
  pending_.push_back(std::move(command));
}

void Conversation::begin_with_literals() {
  struct Form {
    std::string_view start;
    std::string_view label;
    std::string_view last;  // behind the last literal
  };
  constexpr std::array<Form, 6> forms = {{{" APPEND x (\\Seen) ", "APPEND", "\r\n"},
                                          {" append x ~", "APPEND", "\r\n"},
                                          {" SEARCH CHARSET UTF-8 TEXT ", "SEARCH", " UNSEEN\r\n"},
                                          {" SEARCH TEXT \"open ", "SEARCH", "\r\n"},
                                          {" XBAD ", "other", " {x}\r\n"},
                                          {" REPLACE 4 Drafts ", "REPLACE", "\r\n"}}};
  const Form& form = random_.pick(forms);
  Begun command{new_tag(), std::string(form.label)};
  begin(command, form.start);
  const std::uint64_t literals = random_.chance(80) ? 1 : random_.between(2, 4);
  for (std::uint64_t index = 0; index < literals; ++index) {
    if (index > 0) script_->say_client(" ");
    const std::size_t octets = body_size();
    client_literal(octets, "+}\r\n");
    script_->say_client(body(command.tag, octets));
    if (command.label == "APPEND" && octets > 0) ++command.messages;
  }
  script_->say_client(form.last);
  pending_.push_back(std::move(command));
}

// In any order, but of commands with the same tag the first one first.
void Conversation::answer_one() {
  const std::size_t chosen = random_.below(pending_.size());
  std::size_t first = 0;
  while (pending_[first].tag != pending_[chosen].tag) ++first;
  noise();
  if (random_.chance(3)) undefined_line(pending_[first]);
  answer(pending_[first]);
  pending_.erase(pending_.begin() + static_cast<std::ptrdiff_t>(first));
  between_completions();
}

void Conversation::answer_all() {
  while (!pending_.empty()) answer_one();
}

void Conversation::answer(const Begun& command, std::string_view condition, const StatusText& text, When when) {
  status_line(command.tag + " " + std::string(condition), "tagged", condition, text);
  journal_.ended(command.label, condition);
  if (when == When::in_time) journal_.timed(command.label);
  if (condition == "OK") journal_.messages("appended", command.messages);
  if (command.label == "LOGIN" || command.label == "AUTHENTICATE")
    journal_.login_answered({command.mechanism, condition, text.code, command.cancelled});
}

void Conversation::answer(const Begun& command) {
  const std::uint64_t kind = random_.below(10);
  answer(command, kind < 7 ? "OK" : kind < 9 ? "NO" : "BAD", random_.pick(status_texts()));
}

SessionPlan Conversation::end() {
  const std::uint64_t kind = random_.below(10);
  if (kind < 7) {
    log_out();
  } else {
    leave(kind == 7);
    if (kind > 7) journal_.closed(kind == 8 ? "upstream_eof" : "client_eof");
  }
  return plan_script(script_, kind == 9);
}

void Conversation::log_out() {
  constexpr std::array<std::string_view, 4> texts = {" Logging out", " Disconnected for inactivity.", "", " [ALERT] x"};
  const Begun command{new_tag(), "LOGOUT"};
  begin(command, " LOGOUT\r\n");
  script_->server_waits();
  noise();
  const std::string_view text = random_.pick(texts);
  status_line("* BYE", "untagged", "BYE", {text, text.find('[') == 1 ? "ALERT" : "none"});
  journal_.bye("logout");
  if (random_.chance(20)) {
    status_line("* bye", "untagged", "BYE", {" idle", "none"});
    journal_.anomaly("upstream", "repeated_bye");
  }
  answer(command, "OK", {" done", "none"});
  journal_.closed("logout");
}

// Commands stay unanswered; the last word is a BYE or nobody's.
void Conversation::leave(bool with_bye) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 6> byes = {{
      {" Disconnected for inactivity.", "inactivity"},
      {" Autologout; IDLE for too long", "inactivity"},
      {" session TimeOut", "inactivity"},
      {" Server shutting down.", "shutdown"},
      {" Connection closed. 14", "shutdown"},
      {"", "shutdown"},
  }};
  for (std::uint64_t left = random_.below(5); left > 0; --left) begin_plain();
  script_->server_waits();
  noise();
  if (with_bye) {
    const auto& [text, reason] = random_.pick(byes);
    status_line("* BYE", "untagged", "BYE", {text, "none"});
    journal_.bye(reason);
    journal_.closed("upstream_bye");
  }
  for (const Begun& command : pending_) journal_.ended(command.label, "aborted");
}

}  // namespace traffic
