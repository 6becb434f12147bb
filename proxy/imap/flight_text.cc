// A flight recorder's events as lines, and back.
#include <charconv>

#include "proxy/imap/flight_recorder.h"

namespace imapmeter::imap {
namespace {

std::string_view side_of(const FlightEvent& event) {
  switch (event.kind) {
    case FlightKind::command:
    case FlightKind::line:
    case FlightKind::literal:
      return "C";
    case FlightKind::anomaly:
      return side(static_cast<Anomaly>(event.a)) == Direction::client_to_server ? "C" : "S";
    case FlightKind::opaque:
      return "-";
    default:
      return "S";
  }
}

std::string code_text(std::uint8_t code) {
  const auto value = static_cast<ResponseCode>(code);
  return value == ResponseCode::none ? "" : " [" + std::string(name(value)) + "]";
}

std::string status_text(const FlightEvent& event, const char* kind) {
  return kind + (" " + std::string(name(static_cast<Condition>(event.a)))) + code_text(event.b);
}

template <class Enum>
std::string told(std::uint8_t value) {
  return value == not_told ? "" : " " + std::string(name(static_cast<Enum>(value)));
}

std::string what(const FlightEvent& event) {
  switch (event.kind) {
    case FlightKind::command: {
      const auto command = static_cast<Command>(event.a);
      const std::string mechanism =
          command == Command::authenticate ? " " + std::string(name(static_cast<Mechanism>(event.b))) : "";
      return std::string(name(command)) + mechanism;
    }
    case FlightKind::line:
      return std::string(name(static_cast<ClientLine>(event.a)));
    case FlightKind::literal:
    case FlightKind::open_literal:
      return "";
    case FlightKind::greeting:
      return status_text(event, "greeting") + told<ByeReason>(event.c);
    case FlightKind::untagged:
      return status_text(event, "untagged") + told<ByeReason>(event.c);
    case FlightKind::tagged:
      return status_text(event, "tagged") + told<Command>(event.c);
    case FlightKind::undefined:
      return "undefined";
    case FlightKind::data:
      return "data " + std::string(name(static_cast<DataKeyword>(event.a))) + " x" + std::to_string(event.b);
    case FlightKind::continuation:
      return "+";
    case FlightKind::anomaly:
      return "anomaly " + std::string(name(static_cast<Anomaly>(event.a)));
    case FlightKind::opaque:
      return "opaque " + std::string(name(static_cast<OpaqueReason>(event.a)));
  }
  return "";
}

std::string time_text(std::uint32_t ms) {
  const std::string thousandths = std::to_string(1000 + ms % 1000);
  return "+" + std::to_string(ms / 1000) + "." + thousandths.substr(1);
}

// --- back ---------------------------------------------------------------------------------------------------------

template <class Number>
bool read_number(std::string_view text, Number& to) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), to);
  return error == std::errc() && end == text.data() + text.size();
}

// Takes the last word off; empty where there is none.
std::string_view pop_word(std::string_view& line) {
  const std::size_t space = line.rfind(' ');
  const std::string_view word = space == std::string_view::npos ? line : line.substr(space + 1);
  line = space == std::string_view::npos ? std::string_view() : line.substr(0, space);
  return word;
}

std::string_view first_word(std::string_view& line) {
  const std::size_t space = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, space);
  line.remove_prefix(std::min(space + 1, line.size()));
  return word;
}

// Takes "KEY NUMBER" off the end, where it stands there, or "NUMBER B" without a key.
template <class Number>
bool pop_field(std::string_view& line, std::string_view key, Number& to) {
  std::string_view rest = line;
  const std::string_view value = pop_word(rest);
  if (rest != key && !rest.ends_with(" " + std::string(key))) return true;
  if (!read_number(value, to)) return false;
  pop_word(rest);
  line = rest;
  return true;
}

template <class Enum>
bool read_name(std::string_view text, std::size_t count, std::uint8_t& to) {
  for (std::size_t i = 0; i < count; ++i) {
    if (name(static_cast<Enum>(i)) != text) continue;
    to = static_cast<std::uint8_t>(i);
    return true;
  }
  return false;
}

bool pop_signal(std::string_view& line, FlightEvent& event) {
  std::string_view rest = line;
  const std::string_view value = pop_word(rest);
  if (!rest.ends_with(" signal")) return true;
  pop_word(rest);
  line = rest;
  std::uint8_t signal = 0;
  if (!read_name<ProviderSignal>(value, provider_signal_count, signal)) return false;
  event.signal = signal & 0xfU;
  return true;
}

bool read_time(std::string_view word, std::uint32_t& ms) {
  if (!word.starts_with('+') || word.size() < 6 || word[word.size() - 4] != '.') return false;
  std::uint32_t seconds = 0;
  std::uint32_t thousandths = 0;
  if (!read_number(word.substr(1, word.size() - 5), seconds) || !read_number(word.substr(word.size() - 3), thousandths))
    return false;
  const std::uint64_t sum = std::uint64_t{seconds} * 1000 + thousandths;
  ms = static_cast<std::uint32_t>(std::min<std::uint64_t>(sum, UINT32_MAX));
  return true;
}

bool read_octets(std::string_view& line, std::uint32_t& to) {
  if (!line.ends_with(" B")) return true;
  line.remove_suffix(2);
  return read_number(pop_word(line), to);
}

bool read_status(std::string_view words, FlightEvent& event) {
  if (!read_name<Condition>(first_word(words), condition_count, event.a)) return false;
  if (words.starts_with('[')) {
    const std::string_view code = first_word(words);
    if (!code.ends_with(']') || !read_name<ResponseCode>(code.substr(1, code.size() - 2), response_code_count, event.b))
      return false;
  }
  event.c = not_told;
  if (words.empty()) return true;
  return event.kind == FlightKind::tagged ? read_name<Command>(words, command_count, event.c)
                                          : read_name<ByeReason>(words, bye_reason_count, event.c);
}

bool read_command(std::string_view words, FlightEvent& event) {
  if (read_name<ClientLine>(words, client_line_count, event.a)) {
    event.kind = FlightKind::line;
    return true;
  }
  if (words.starts_with(std::string(name(Command::authenticate)) + " ")) {
    first_word(words);
    event.a = static_cast<std::uint8_t>(Command::authenticate);
    return read_name<Mechanism>(words, mechanism_count, event.b);
  }
  if (words == name(Command::login)) event.b = static_cast<std::uint8_t>(Mechanism::login_command);
  return read_name<Command>(words, command_count, event.a);
}

bool read_data(std::string_view words, FlightEvent& event) {
  const std::string_view count = pop_word(words);
  return count.starts_with('x') && read_number(count.substr(1), event.b) && event.b != 0 &&
         read_name<DataKeyword>(words, data_keyword_count, event.a);
}

// The anomalies of the two sides share names.
bool read_anomaly(std::string_view word, Direction from, FlightEvent& event) {
  for (std::size_t i = 0; i < anomaly_count; ++i) {
    const auto anomaly = static_cast<Anomaly>(i);
    if (side(anomaly) != from || name(anomaly) != word) continue;
    event.a = static_cast<std::uint8_t>(i);
    return true;
  }
  return false;
}

bool read_server(std::string_view words, FlightEvent& event) {
  const std::string_view all = words;
  const std::string_view first = first_word(words);
  const auto is = [&](std::string_view word, FlightKind kind) {
    if (first == word) event.kind = kind;
    return first == word;
  };
  if (is("greeting", FlightKind::greeting) || is("untagged", FlightKind::untagged) || is("tagged", FlightKind::tagged))
    return read_status(words, event);
  if (is("data", FlightKind::data)) return read_data(words, event);
  if (is("anomaly", FlightKind::anomaly)) return read_anomaly(words, Direction::server_to_client, event);
  if (all.empty()) {
    event.kind = FlightKind::open_literal;
    return event.literal != 0;
  }
  return words.empty() && (is("+", FlightKind::continuation) || is("undefined", FlightKind::undefined));
}

bool read_client(std::string_view words, FlightEvent& event) {
  if (words.empty()) {
    event.kind = FlightKind::literal;
    return event.literal != 0;
  }
  if (!words.starts_with("anomaly ")) return read_command(words, event);
  event.kind = FlightKind::anomaly;
  first_word(words);
  return read_anomaly(words, Direction::client_to_server, event);
}

}  // namespace

std::string text(const FlightEvent& event) {
  std::string line = time_text(event.at) + " " + std::string(side_of(event));
  const std::string words = what(event);
  if (!words.empty()) line += " " + words;
  const bool appended = event.kind == FlightKind::tagged;
  if (event.octets != 0) line += " " + std::to_string(event.octets) + " B";
  if (!appended && event.literal != 0) line += " literal " + std::to_string(event.literal);
  if (appended && event.literal != 0) line += " messages " + std::to_string(event.literal);
  if (event.kind == FlightKind::data && event.c != 0) line += " messages " + std::to_string(event.c);
  if (event.signal != no_signal) line += " signal " + std::string(name(static_cast<ProviderSignal>(event.signal)));
  return line;
}

std::optional<FlightEvent> parse_flight_event(std::string_view line) {
  FlightEvent event;
  if (!read_time(first_word(line), event.at)) return std::nullopt;
  const std::string_view from = first_word(line);
  std::uint32_t messages = 0;
  // an empty word in front, so that a field may be all there is
  std::string held = " " + std::string(line);
  std::string_view words = held;
  if (!pop_signal(words, event) || !pop_field(words, "messages", messages) ||
      !pop_field(words, "literal", event.literal) || !read_octets(words, event.octets))
    return std::nullopt;
  words.remove_prefix(words.starts_with(' ') ? 1 : 0);
  bool read = false;
  if (from == "C") read = read_client(words, event);
  if (from == "S") read = read_server(words, event);
  if (from == "-" && words.starts_with("opaque ")) {
    event.kind = FlightKind::opaque;
    read = read_name<OpaqueReason>(words.substr(7), opaque_reason_count, event.a);
  }
  if (!read) return std::nullopt;
  if (event.kind == FlightKind::tagged) event.literal = messages;
  if (event.kind == FlightKind::data) event.c = static_cast<std::uint8_t>(std::min<std::uint32_t>(messages, UINT8_MAX));
  return event;
}

}  // namespace imapmeter::imap
