// Commands in more than one line, and clients and servers that lose their way.
#include <array>
#include <vector>

#include "tests/integration/traffic/conversation.h"
#include "tests/integration/traffic/vocabulary.h"

namespace traffic {
namespace {

using namespace std::string_view_literals;

// How many commands a proxy must track at once.
constexpr std::size_t tracked = 256;

}  // namespace

// Announces octets that will be sent; "}\r\n" waits for the server's word, "+}\r\n" does not.
void Conversation::client_literal(std::size_t octets, std::string_view marker_end) {
  script_->say_client("{" + std::to_string(octets) + std::string(marker_end));
  journal_.literal("client_to_server", octets);
}

void Conversation::continuation() {
  constexpr std::array lines = {"+ go ahead\r\n"sv, "+\r\n"sv, "+ \r\n"sv, "+ OK [ALERT] ready {3}\r\n"sv};
  script_->say_server(random_.pick(lines));
}

void Conversation::append_accepted() {
  for (std::uint64_t left = random_.below(3); left > 0; --left) begin_plain();
  Begun command{unique_tag(), random_.chance(50) ? "APPEND" : "SETMETADATA"};
  begin(command, " " + command.label + " x");
  for (std::uint64_t left = random_.between(1, 3); left > 0; --left) {
    const std::size_t octets = body_size();
    script_->say_client(random_.chance(80) ? " " : " ~");
    client_literal(octets, "}\r\n");
    if (command.label == "APPEND" && octets > 0) ++command.messages;
    script_->server_waits();
    noise();
    if (!pending_.empty() && random_.chance(50)) answer_one();
    continuation();
    script_->client_waits();
    script_->say_client(body(command.tag, octets));
  }
  script_->say_client("\r\n");
  script_->server_waits();
  pending_.push_back(command);
  answer_all();
}

// The octets never come: the next the client says is a command.
void Conversation::append_rejected() {
  for (std::uint64_t left = random_.below(3); left > 0; --left) begin_plain();
  const Begun command{unique_tag(), random_.chance(70) ? "APPEND" : "LOGIN"};
  begin(command, " " + command.label + " ");
  if (random_.chance(30)) {
    client_literal(4, "}\r\n");
    script_->server_waits();
    continuation();
    script_->client_waits();
    script_->say_client("abcd ");
  }
  script_->say_client("{" + std::to_string(random_.below(random_.chance(50) ? 20 : 1U << 30U)) + "}\r\n");
  script_->server_waits();
  noise();
  if (!pending_.empty() && random_.chance(50)) answer_one();
  answer(command, random_.chance(70) ? "NO" : "BAD", random_.pick(status_texts()));
  between_completions();
  script_->client_waits();
  if (!pending_.empty() && random_.chance(50)) begin_plain();
  script_->server_waits();
  answer_all();
}

// The server refuses while octets of a non-synchronising literal are still to come: they belong to the command.
void Conversation::append_answered_early() {
  const Begun command{unique_tag(), "APPEND"};
  const std::size_t octets = body_size() + 2;
  begin(command, " APPEND x ");
  client_literal(octets, "+}\r\n");
  const std::string text = body(command.tag, octets);
  const std::size_t before = random_.below(octets);
  script_->say_client(std::string_view(text).substr(0, before));
  script_->server_waits();
  noise();
  answer(command, random_.chance(70) ? "NO" : "BAD", random_.pick(status_texts()), When::early);
  journal_.anomaly("upstream", "early_completion");
  between_completions();
  script_->client_waits();
  script_->say_client(std::string_view(text).substr(before));
  if (random_.chance(20)) {
    script_->say_client(" ");
    client_literal(5, "+}\r\na NO\n");
    script_->say_client(" more");
  }
  script_->say_client("\r\n");
}

// The octets of a synchronising literal come before the server has asked for them; it asks all the same.
void Conversation::append_impatient() {
  script_->client_waits();
  const std::size_t octets = body_size() + 1;
  const Begun command{unique_tag(), "APPEND", 1};
  begin(command, " APPEND x ");
  client_literal(octets, "}\r\n");
  script_->say_client(body(command.tag, octets));
  script_->say_client("\r\n");
  journal_.anomaly("client", "impatient_literal");
  script_->server_waits();
  continuation();
  noise();
  answer(command);
  script_->client_waits();
}

void Conversation::idle() {
  constexpr std::array done = {"DONE\r\n"sv, "done\r\n"sv, "Done\r\n"sv};
  const Begun command{unique_tag(), "IDLE"};
  begin(command, random_.chance(80) ? " IDLE\r\n" : " idle\r\n");
  script_->server_waits();
  noise();
  if (random_.chance(20)) {
    answer(command, random_.chance(50) ? "NO" : "BAD", random_.pick(status_texts()));
    return script_->client_waits();
  }
  script_->say_server(random_.chance(80) ? "+ idling\r\n" : "+\r\n");
  journal_.add("imapmeter_idle_duration_seconds_count");
  noise();
  script_->client_waits();
  script_->say_client(random_.pick(done));  // whatever comes next is pipelined behind it
  if (random_.chance(50)) script_->server_waits();
  noise();
  script_->server_waits();
  answer(command, "OK", random_.pick(status_texts()));
  between_completions();
}

// What a client says in here is no command, whatever it looks like.
void Conversation::authenticate(bool succeeds) {
  struct Form {
    std::string_view line;
    unsigned rounds;
    bool may_succeed;
    bool cancelled;
    std::string_view mechanism;
  };
  constexpr std::array<Form, 6> forms = {
      {{" AUTHENTICATE PLAIN AHVzZXIAcGFzcw==\r\n", 0, true, false, "PLAIN"},
       {" authenticate plain\r\n", 1, true, false, "PLAIN"},
       {" AUTHENTICATE LOGIN\r\n", 2, true, false, "LOGIN"},
       {" AUTHENTICATE XOAUTH2 dXNlcj1hAWF1dGg9QmVhcmVyIHgBAQ==\r\n", 1, false, false, "XOAUTH2"},
       {" AUTHENTICATE CRAM-MD5\r\n", 1, false, true, "CRAM-MD5"},
       {" AUTHENTICATE =\r\n", 0, false, false, "other"}}};
  constexpr std::array answers = {"AHVzZXIAcGFzcw==\r\n"sv, "\r\n"sv, "DONE\r\n"sv, "b\r\n"sv, "a NOOP\r\n"sv};
  constexpr std::array challenges = {"+ \r\n"sv, "+\r\n"sv, "+ VXNlcm5hbWU6\r\n"sv, "+ OK [ALERT] x\r\n"sv};
  const Form& form = forms[random_.below(succeeds ? 3 : forms.size())];
  const Begun command{unique_tag(), "AUTHENTICATE", 0, form.mechanism, form.cancelled};
  begin(command, form.line);
  for (unsigned round = 0; round < form.rounds; ++round) {
    script_->server_waits();
    noise();
    script_->say_server(random_.pick(challenges));
    script_->client_waits();
    script_->say_client(form.cancelled ? "*\r\n"sv : random_.pick(answers));
  }
  script_->server_waits();
  noise();
  answer(command, succeeds ? "OK" : form.cancelled ? "BAD" : "NO", random_.pick(status_texts()));
  if (succeeds) authenticated();
  script_->client_waits();
}

// What would change the stream if it were accepted.
void Conversation::refused_switch() {
  struct Switch {
    std::string_view line;
    std::string_view label;
  };
  constexpr std::array<Switch, 3> switches = {{{" COMPRESS DEFLATE\r\n", "COMPRESS"},
                                               {" STARTTLS\r\n", "STARTTLS"},
                                               {" UNAUTHENTICATE\r\n", "UNAUTHENTICATE"}}};
  const Switch& refused = random_.pick(switches);
  script_->client_waits();
  const Begun command{unique_tag(), std::string(refused.label)};
  begin(command, refused.line);
  script_->server_waits();
  answer(command, "BAD", random_.pick(status_texts()));
  script_->client_waits();
}

void Conversation::stray_line() {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 4> lines = {
      {{"\r\n", "empty_line"}, {"DONE\r\n", "stray_done"}, {"*\r\n", "no_command"}, {"stray\r\n", "no_command"}}};
  const auto& [line, anomaly] = random_.pick(lines);
  script_->client_waits();
  script_->say_client(line);
  journal_.anomaly("client", anomaly);
  script_->server_waits();
  status_line("* BAD", "untagged", "BAD", {" Error in IMAP command", "none"});
}

// Nothing counts between the place where the server lost its framing and the next answer.
void Conversation::desync() {
  const Begun command{unique_tag(), "FETCH"};
  begin(command, " FETCH 1 BODY[]\r\n");
  script_->server_waits();
  script_->say_server("* 1 FETCH (BODY[] {3}\r\nabc");
  const bool whole = random_.chance(50);
  script_->say_server(whole ? ")\r\nServer Unavailable. 15\r\n" : "def)\r\n");
  if (whole) journal_.data("FETCH");
  if (whole) journal_.messages("fetched", 1);
  journal_.literal("server_to_client", 3);
  journal_.anomaly("upstream", "desync");
  if (random_.chance(70)) script_->say_server("* OK [ALERT] not counted\r\n");
  if (random_.chance(50)) script_->say_server("junk OK\r\n* 5 EXISTS\r\n\r\n");
  answer(command, "OK", {" [READ-ONLY] in step again", "READ-ONLY"});
}

// More commands at once than a proxy must track: those beyond count as untracked, and so do not count when answered.
void Conversation::overflow() {
  script_->client_waits();
  const std::size_t count = tracked + random_.between(1, 40);
  std::vector<std::pair<Begun, bool>> commands;
  for (std::size_t index = 0; index < count; ++index) {
    commands.push_back({{unique_tag(), "NOOP"}, index < tracked});
    begin(commands.back().first, " NOOP\r\n");
    if (index >= tracked) journal_.ended("NOOP", "untracked");
  }
  script_->server_waits();
  while (!commands.empty()) {
    const std::size_t chosen = random_.below(commands.size());
    const auto& [command, is_tracked] = commands[chosen];
    status_line(command.tag + " OK", "tagged", "OK", {" done", "none"});
    if (is_tracked) journal_.ended(command.label, "OK");
    if (is_tracked) journal_.timed(command.label);
    commands.erase(commands.begin() + static_cast<std::ptrdiff_t>(chosen));
  }
  script_->client_waits();
}

}  // namespace traffic
