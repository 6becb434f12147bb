// What a server says besides the answers, and what mail looks like to a reader that has lost count.
#include <algorithm>
#include <array>

#include "tests/integration/traffic/conversation.h"
#include "tests/integration/traffic/vocabulary.h"

namespace traffic {
namespace {

using namespace std::string_view_literals;

constexpr std::array tags = {"a"sv, "b"sv, "a1"sv, "1"sv, "OK"sv, "."sv, "A]#"sv, "[x"sv, "NOOP"sv, "BYE"sv};

}  // namespace

void Conversation::noise() {
  for (std::uint64_t lines = random_.below(4); lines > 0; --lines) {
    const std::uint64_t kind = random_.below(100);
    const StatusText& text = random_.pick(status_texts());
    if (kind < 15)
      status_line("* OK", "untagged", "OK", text);
    else if (kind < 20)
      status_line("* No", "untagged", "NO", text);
    else if (kind < 24)
      status_line("* BAD", "untagged", "BAD", text);
    else if (kind < 70)
      data_line();
    else if (kind < 99 || !authenticated_)
      message(tags[random_.below(tags.size())]);
    else {
      status_line("* PREAUTH", "untagged", "PREAUTH", text);
      journal_.anomaly("upstream", "late_preauth");
    }
  }
}

void Conversation::status_line(std::string_view start, std::string_view kind, std::string_view condition,
                               const StatusText& text) {
  const bool bare = text.literal_octets == 0 && random_.chance(2);
  script_->say_server(start);
  script_->say_server(text.wire);
  script_->say_server(bare ? "\n" : "\r\n");
  journal_.status(kind, condition, text.code);
  journal_.literal("server_to_client", text.literal_octets);
  if (bare) journal_.anomaly("upstream", "bare_lf");
}

void Conversation::data_line() {
  if (random_.chance(1)) {
    script_->say_server("* SEARCH");
    for (std::uint64_t left = random_.below(4000); left > 0; --left) script_->say_server(" " + std::to_string(left));
    journal_.data("SEARCH");
    return script_->say_server("\r\n");
  }
  const DataLine& line = random_.pick(data_lines());
  script_->say_server(line.wire);
  journal_.literal("server_to_client", line.literal_octets);
  journal_.data(line.keyword);
  if (line.message) journal_.messages("fetched", 1);
  if (!line.anomaly.empty()) journal_.anomaly("upstream", line.anomaly);
}

// A message whose body is full of what would be responses outside of it.
void Conversation::message(std::string_view tag) {
  const std::size_t octets = body_size();
  const bool section = random_.chance(50);
  script_->say_server("* 7 FETCH (FLAGS (\\Seen) " + std::string(section ? "BODY[]" : "RFC822") + " {" +
                      std::to_string(octets) + "}\r\n");
  script_->say_server(body(tag, octets));
  script_->say_server(random_.chance(50) ? ")\r\n" : " UID 4)\r\n");
  journal_.data("FETCH");
  if (octets > 0) journal_.messages("fetched", 1);
  journal_.literal("server_to_client", octets);
}

// The tag of an outstanding command in front of what is no condition, or of one that is never tagged.
void Conversation::undefined_line(const Begun& command) {
  constexpr std::array words = {"FOO bar"sv, "OKAY done"sv, "OK: done"sv, "SEARCH 1 2"sv, "[ALERT] x"sv, "NOP"sv};
  const std::uint64_t kind = random_.below(4);
  if (kind == 0) {
    status_line(command.tag + " BYE", "tagged", "BYE", random_.pick(status_texts()));
    journal_.anomaly("upstream", "tagged_bye");
  } else if (kind == 1 && authenticated_) {
    status_line(command.tag + " PREAUTH", "tagged", "PREAUTH", random_.pick(status_texts()));
    journal_.anomaly("upstream", "late_preauth");
  } else {
    script_->say_server(command.tag + " " + std::string(random_.pick(words)) + "\r\n");
    journal_.undefined_status();
  }
}

// What only counts as it does while no literal was sent since the last completion; behind one it would be taken as a
// sign that the reader has lost its place.
void Conversation::between_completions() {
  if (random_.chance(3)) {
    const StatusText& text = random_.pick(status_texts());
    if (text.literal_octets > 0) return;
    status_line("nobody" + std::to_string(random_.below(5)) + " OK", "tagged", "OK", text);
    journal_.anomaly("upstream", "unmatched_tag");
  }
  if (random_.chance(2)) {
    script_->say_server("\r\n");
    journal_.anomaly("upstream", "empty_line");
  }
}

std::string Conversation::body(std::string_view tag, std::size_t octets) {
  constexpr std::array lines = {" OK [ALERT] x\r\n"sv, " NO\n"sv,     " NOOP\r\n"sv,          " OK {5}\r\n"sv,
                                "* BYE bye\r\n"sv,     "* BYE\r\n"sv, "* NO [ALERT] x\r\n"sv, "{5}\r\n"sv,
                                "DONE\r\n"sv,          "+ go\r\n"sv,  "* x {100}\r\n"sv,      "\r\n"sv};
  constexpr std::size_t tagged_lines = 4;
  std::string text;
  while (text.size() < octets) {
    const std::size_t line = random_.below(lines.size());
    if (line < tagged_lines) text += tag;
    text += lines[line];
    for (std::uint64_t left = random_.chance(20) ? random_.below(100) : 0; left > 0; --left) {
      text += static_cast<char>(random_.next());
    }
  }
  text.resize(octets);
  return text;
}

std::size_t Conversation::body_size() {
  const std::uint64_t kind = random_.below(100);
  return random_.below(kind < 70 ? 120 : kind < 97 ? 1500 : 30000);
}

std::string Conversation::new_tag() {
  if (random_.chance(50)) return std::string(random_.pick(tags));
  return unique_tag();
}

// Of any length, those that a reader can't keep whole included.
std::string Conversation::unique_tag() {
  const std::string tag = "t" + std::to_string(++unique_);
  return random_.chance(90) ? tag : std::string(random_.between(20, 90), 'x') + tag;
}

}  // namespace traffic
