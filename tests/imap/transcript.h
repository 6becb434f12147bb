// Reads tests/transcripts/*.txt; the format is described in tests/transcripts/README.md.
#pragma once

#include <array>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/conversation.h"
#include "tests/support/deflate.h"

namespace imapmeter::test {

struct Transcript {
  Conversation talk;
  imap::CapabilityRules rules{.enabled = false};
  std::vector<std::string> events;  // expected
  bool filters = false;
  std::string to_client;                                                   // expected, if `filters`
  std::array<std::unique_ptr<Deflater>, imap::direction_count> deflaters;  // while it is read
};

inline int hex_digit(char c) { return c >= 'a' ? c - 'a' + 10 : c - '0'; }

// \r \n \\ and \xNN
inline std::string unescaped(const std::string& text) {
  std::string octets;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      octets += text[i];
      continue;
    }
    const char c = text[++i];
    if (c == 'r') octets += '\r';
    if (c == 'n') octets += '\n';
    if (c == '\\') octets += '\\';
    if (c == 'x') {
      octets += static_cast<char>(hex_digit(text.at(i + 1)) * 16 + hex_digit(text.at(i + 2)));
      i += 2;
    }
  }
  return octets;
}

inline void say(Transcript& transcript, char who, const std::string& octets) {
  const auto& deflater = transcript.deflaters[who == 'S' ? 1 : 0];
  const std::string wire = deflater ? (*deflater)(octets) : octets;
  if (who == 'S') {
    transcript.talk.server(wire);
  } else {
    transcript.talk.client(wire);
  }
}

inline void read_line(Transcript& transcript, const std::string& line) {
  const std::string key = line.substr(0, 2);
  const std::string text = line.size() > 3 ? line.substr(3) : "";
  if (line.empty() || line[0] == '#') return;
  if (line.starts_with("    = ")) {
    transcript.events.push_back(line.substr(6));
  } else if (key == "C:" || key == "S:") {
    say(transcript, key[0], text + "\r\n");
  } else if (key == "C!" || key == "S!") {
    say(transcript, key[0], unescaped(text));
  } else if (line == "deflate C" || line == "deflate S") {
    transcript.deflaters[line.back() == 'S' ? 1 : 0] = std::make_unique<Deflater>();
  } else if (line == "plain C" || line == "plain S") {
    transcript.deflaters[line.back() == 'S' ? 1 : 0].reset();
  } else if (key == ">:") {
    transcript.to_client += text + "\r\n";
  } else if (key == "T:") {
    transcript.talk.wait(std::chrono::seconds(std::stoi(text)));
  } else if (line == "filter") {
    transcript.filters = true;
    transcript.rules = {.enabled = true, .strip_starttls = true};
  } else {
    throw std::runtime_error("not a line of a transcript: " + line);
  }
}

inline Transcript read_transcript(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path);
  Transcript transcript;
  for (std::string line; std::getline(file, line);) read_line(transcript, line);
  return transcript;
}

}  // namespace imapmeter::test
