#include "proxy/replay.h"

#include <array>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "proxy/imap/session_tracker.h"
#include "proxy/plain_inflater.h"

namespace imapmeter::proxy {
namespace {

using imap::Direction;

constexpr std::size_t tag_blocks = 1;

[[noreturn]] void fail(std::size_t number, const std::string& expected) {
  throw std::runtime_error("line " + std::to_string(number) + ": expected " + expected);
}

int hex_digit(char c) {
  const std::string_view digits = "0123456789abcdef";
  const std::size_t value = digits.find(c);
  return value == std::string_view::npos ? -1 : static_cast<int>(value);
}

// \r \n \\ and \xNN
std::string unescaped(std::string_view text, std::size_t number) {
  std::string octets;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      octets += text[i];
      continue;
    }
    const char c = ++i < text.size() ? text[i] : ' ';
    if (c == 'x' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0) {
      octets += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
      continue;
    }
    if (c != 'r' && c != 'n' && c != '\\') fail(number, R"(one of the escapes \r \n \\ \xNN)");
    octets += c == 'r' ? '\r' : c == 'n' ? '\n' : '\\';
  }
  return octets;
}

class TranscriptReader {
 public:
  Transcript read(std::istream& from) {
    std::size_t number = 0;
    for (std::string line; std::getline(from, line);) read_line(line, ++number);
    return std::move(transcript_);
  }

 private:
  void read_line(const std::string& line, std::size_t number) {
    const std::string key = line.substr(0, 2);
    const std::string text = line.size() > 3 ? line.substr(3) : "";
    if (line.empty() || line[0] == '#') return;
    if (line.starts_with("    = ")) {
      transcript_.events.push_back(line.substr(6));
    } else if (key == "C:" || key == "S:") {
      say(key, text + "\r\n");
    } else if (key == "C!" || key == "S!") {
      say(key, unescaped(text, number));
    } else if (key == ">:") {
      transcript_.to_client += text + "\r\n";
    } else if (key == "T:") {
      wait(text, number);
    } else if (line == "deflate C" || line == "deflate S" || line == "plain C" || line == "plain S") {
      deflated_[line.back() == 'S' ? 1 : 0] = line.starts_with("deflate");
    } else if (line == "filter") {
      transcript_.filters = true;
      transcript_.rules = {.enabled = true, .strip_starttls = true};
    } else {
      fail(number,
           "C: S: C! S! T: >: filter, deflate, plain, an event after \"    = \", or # (tests/transcripts/README.md)");
    }
  }

  void say(const std::string& key, std::string octets) {
    const Direction direction = key[0] == 'C' ? Direction::client_to_server : Direction::server_to_client;
    const bool deflated = deflated_[static_cast<std::size_t>(direction)];
    transcript_.steps.push_back({direction, std::move(octets), std::exchange(pending_, {}), deflated});
  }

  void wait(const std::string& text, std::size_t number) {
    std::size_t read = 0;
    try {
      pending_ += std::chrono::seconds(std::stoi(text, &read));
    } catch (const std::exception&) {
      read = 0;
    }
    if (read == 0 || read != text.size()) fail(number, "a number of seconds after T:");
  }

  Transcript transcript_;
  std::chrono::nanoseconds pending_{};
  std::array<bool, imap::direction_count> deflated_{};
};

bool begins_a_skeleton(std::istream& from) {
  const std::istream::pos_type begin = from.tellg();
  std::string line;
  std::getline(from, line);
  from.clear();
  from.seekg(begin);
  return line.starts_with("session ") || imap::parse_flight_event(line).has_value();
}

}  // namespace

Transcript read_transcript(std::istream& from) { return TranscriptReader().read(from); }

std::vector<imap::FlightEvent> read_skeleton(std::istream& from) {
  std::vector<imap::FlightEvent> events;
  std::size_t number = 0;
  for (std::string line; std::getline(from, line);) {
    ++number;
    if (line.empty() || line.starts_with("session ") || line.starts_with("outcome ")) continue;
    const auto event = imap::parse_flight_event(line);
    if (!event) fail(number, "an event as imapmeter why prints it, such as \"+0.010 C LOGIN 41 B\"");
    events.push_back(*event);
  }
  return events;
}

void replay(const Transcript& transcript, imap::Observer& observer) {
  imap::TagPool tags(tag_blocks);
  imap::CapabilityRules rules = transcript.rules;
  imap::TrackerContext context;
  context.tags = &tags;
  context.rules = &rules;
  PlainInflaters inflaters;
  context.inflaters = &inflaters;
  imap::SessionTracker tracker(observer, context);
  imap::TimePoint now{};
  for (const Transcript::Step& step : transcript.steps) {
    now += step.later;
    if (step.direction == Direction::client_to_server) {
      tracker.client(step.octets, now);
      continue;
    }
    std::vector<char> room(imap::capability_headroom);
    room.insert(room.end(), step.octets.begin(), step.octets.end());
    tracker.server(std::span(room).subspan(imap::capability_headroom), now);
  }
  tracker.finish(now);
}

void replay(std::istream& from, imap::Observer& observer) {
  if (begins_a_skeleton(from))
    replay(read_skeleton(from), observer);
  else
    replay(read_transcript(from), observer);
}

}  // namespace imapmeter::proxy
