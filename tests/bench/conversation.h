// What both ends of the benchmark say, octet for octet: the server sends it, the client checks that it arrives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace imapmeter::bench {

enum class Verb : std::uint8_t { login, select, noop, status, fetch_bulk, fetch_lines, idle, done, logout };
inline constexpr std::size_t kVerbCount = 9;

// One command and its whole answer. All views live as long as the process.
struct Exchange {
  std::string_view command;     // after the tag, without CRLF
  std::string_view body;        // everything before the tagged line
  std::string_view completion;  // the tagged line after its tag, with CRLF; empty: none yet (IDLE)
  bool tagged = true;           // false: sent without a tag and answered with the tag before (DONE)
  unsigned untagged_ok = 0;     // `* OK` lines in the body
  unsigned untagged_bye = 0;    // `* BYE` lines in the body
  unsigned exists = 0;          // `* n EXISTS` lines in the body
};

const Exchange& exchange(Verb verb);
// The line that the server sends first, with CRLF.
std::string_view greeting();
// What the server says to one of those in IDLE with every second answer to a STATUS, with CRLF.
std::string_view new_mail();
// The verb of a command as it stands on the wire after its tag (or without one: DONE), without CRLF.
std::optional<Verb> verb_of(std::string_view command);

// Size of the literal of fetch_bulk, in octets.
inline constexpr std::size_t kLiteral = std::size_t{1024} * 1024;
// FETCH responses in the answer to fetch_lines.
inline constexpr unsigned kFetchLines = 4096;

}  // namespace imapmeter::bench
