#include "proxy/session_record.h"

#include <fmt/format.h>

#include <iterator>
#include <utility>

namespace imapmeter::proxy {
namespace {

using imap::Direction;

// Members of one JSON object, one after the other.
class Members {
 public:
  // `value` needs no escape: a name of ours, or escaped.
  void text(std::string_view key, std::string_view value) { put(R"("{}":"{}")", key, value); }
  void text_or_null(std::string_view key, std::string_view value) { value.empty() ? null(key) : text(key, value); }
  void number(std::string_view key, std::uint64_t value) { put(R"("{}":{})", key, value); }
  void boolean(std::string_view key, bool value) { put(R"("{}":{})", key, value); }
  void milliseconds(std::string_view key, std::int64_t us) { put(R"("{}":{}.{:03})", key, us / 1000, us % 1000); }
  void null(std::string_view key) { put(R"("{}":null)", key); }
  void object(std::string_view key, const Members& inner) { put(R"("{}":{{{}}})", key, inner.out_); }
  std::string take() { return std::move(out_); }

 private:
  template <class... Args>
  void put(fmt::format_string<Args...> text, Args&&... args) {
    if (!out_.empty()) out_ += ',';
    fmt::format_to(std::back_inserter(out_), text, std::forward<Args>(args)...);
  }
  std::string out_;
};

template <class Enum>
std::string_view name_or_none(const std::optional<Enum>& value) {
  return value ? name(*value) : "none";
}

std::string_view server_name(const RecordNames& names, const SessionFacts& facts) {
  return facts.server ? std::string_view(names.servers.at(*facts.server)) : std::string_view();
}

void add_ends(Members& to, const RecordNames& names, std::string_view client, const SessionFacts* facts) {
  if (facts != nullptr) to.text("id", session_id_text(facts->id));
  to.text("listener", names.listener);
  to.text_or_null("client", client);
  if (facts == nullptr) return;
  to.text_or_null("server", server_name(names, *facts));
}

void add_steps(Members& to, const SessionFacts& facts) {
  for (std::size_t i = 0; i < step_count; ++i) {
    const std::string key = fmt::format("{}_ms", step_names[i]);
    facts.steps[i] == SessionFacts::not_taken ? to.null(key) : to.milliseconds(key, facts.steps[i]);
  }
}

void add_commands(Members& to, const SessionFacts& facts) {
  Members commands;
  for (std::size_t i = 0; i < imap::command_result_count; ++i)
    commands.number(name(static_cast<imap::CommandResult>(i)), facts.commands[i]);
  to.object("commands", commands);
}

void add_tls(Members& to, const SessionFacts& facts) {
  for (const Side side : {Side::client, Side::upstream}) {
    const SessionFacts::Tls& tls = facts.tls[static_cast<std::size_t>(side)];
    to.text(fmt::format("{}_tls", name(side)), name(tls.version));
    to.boolean(fmt::format("{}_tls_resumed", name(side)), tls.resumed);
  }
}

}  // namespace

std::string session_record(const RecordNames& names, std::string_view client, const Closed& closed) {
  const SessionFacts* facts = closed.facts;
  Members out;
  out.text("event", "session");
  add_ends(out, names, client, facts);
  if (facts != nullptr) {
    out.text_or_null("source", facts->source.known ? address_text(facts->source) : "");
    facts->source.known ? out.number("source_port", facts->source.port) : out.null("source_port");
  }
  out.text("reason", name(closed.reason));
  out.text("phase", name(closed.phase));
  out.text("state", name(closed.state));
  if (facts != nullptr) out.text("outcome", name_or_none(facts->outcome));
  out.milliseconds("duration_ms", std::chrono::duration_cast<std::chrono::microseconds>(closed.duration).count());
  if (facts == nullptr) return out.take();
  add_steps(out, *facts);
  for (const Direction direction : {Direction::client_to_server, Direction::server_to_client})
    out.number(fmt::format("{}_octets", name(direction)), facts->octets[static_cast<std::size_t>(direction)]);
  add_commands(out, *facts);
  out.text("bye", name_or_none(facts->bye));
  out.text("client_software", name(facts->client_software));
  add_tls(out, *facts);
  return out.take();
}

std::string auth_record(const RecordNames& names, std::string_view client, const SessionFacts& session,
                        const imap::AuthAttempt& attempt) {
  Members out;
  out.text("event", "auth");
  add_ends(out, names, client, &session);
  out.text("mechanism", name(attempt.mechanism));
  out.text("result", name(attempt.result));
  out.text("code", name(attempt.code));
  return out.take();
}

}  // namespace imapmeter::proxy
