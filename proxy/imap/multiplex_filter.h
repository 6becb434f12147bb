// Takes the pair `"x-multiplex" "0"` out of a client's ID (FAULTS.md, invariant I1 d). With it a Dovecot proxy asks a
// Dovecot server, before login, to send several streams in one: the server says `* MULTIPLEX 0`, and the rest of the
// session can no longer be read. Without the pair nothing is asked for, and nothing is missed.
//
// Rules
// - The pair is a quoted key in any case, SP, and a quoted digit, where a key stands in the list (RFC 2971). The SP
//   before it goes with it; before the first pair there is none, and the SP behind it goes. Anything else passes.
// - What may become the pair is held back, at most 18 octets; nothing else is.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "proxy/imap/capability_filter.h"

namespace imapmeter::imap {

class MultiplexFilter {
 public:
  // Another command begins.
  void start() noexcept;
  // Octets of an ID command, its literals left out; `output` is of the read that they are in. How many pairs were
  // taken out.
  std::size_t take(std::span<const char> octets, FilterOutput& output) noexcept;

  bool holds() const noexcept { return size_ != 0; }
  // The octets held back, to go out as they came: valid until the next call.
  std::string_view release() noexcept;

 private:
  static constexpr std::string_view pair = " \"X-MULTIPLEX\" \"0\"";  // any case, any digit
  static constexpr std::uint8_t key_end = 13;
  static constexpr std::uint8_t value_begin = 16;

  enum class Stage : std::uint8_t {
    before,  // the list
    first,   // of the list, an octet
    between,
    candidate,  // the first `matched_` octets of `pair` were read
    space,      // the first pair was taken out: so is the SP behind it
    quoted,
    escaped,
    atom,
    marker,  // of a literal: what comes after its line end is behind the literal
  };

  // What an octet was: of no pair, as far as is known, or the first that may be of one; a further one that may; the
  // last of a pair; the SP behind a pair.
  enum class Step : std::uint8_t { pass, goes_on, pair, space };

  Step step(char octet) noexcept;
  bool matches(char octet) const noexcept;
  void miss() noexcept;
  void step_plain(char octet) noexcept;
  void end_string() noexcept;

  std::array<char, pair.size()> held_{};
  std::uint8_t size_ = 0;  // octets in held_
  std::uint8_t matched_ = 0;
  Stage stage_ = Stage::before;
  bool key_ = true;         // the next or present string is a key
  bool with_space_ = true;  // the candidate began with SP
};

}  // namespace imapmeter::imap
