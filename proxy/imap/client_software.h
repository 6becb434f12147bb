// Which program a client says it is: the `name` field of its ID command (RFC 2971), recognised while its octets pass.
//
// Rules
// - A value is recognised when it is a word of the closed list, in any case, or begins with one that neither a letter
//   nor a digit follows: `Outlook-iOS/2.0`, `Thunderbird Daily`. The longest such word wins.
// - The first `name` that has a string decides, for the whole session, in whichever ID command it comes. Strings are
//   quoted or literals; NIL and atoms are none.
// - Nothing is kept of a value but the place in the list.
#pragma once

#include <cstdint>
#include <span>

#include "proxy/imap/event.h"
#include "proxy/imap/words.h"

namespace imapmeter::imap {

class ClientSoftwareMatcher {
 public:
  // An ID command begins, what comes next are its arguments.
  void begin() noexcept;
  // Octets of the command's lines, line ends included.
  void line(std::span<const char> octets) noexcept;
  // Octets of its literals; `last`: with these, which may be none, the literal is complete.
  void literal(std::span<const char> octets, bool last) noexcept;

  // So far; `other` from the first ID command until a name was read to its end.
  ClientSoftware found() const noexcept { return found_; }

 private:
  enum class Stage : std::uint8_t {
    over,  // until the next ID command, or for good
    between,
    atom,
    quoted,
    escaped,
    marker,  // of a literal: it begins after the line end
    literal,
  };
  enum class Field : std::uint8_t { key, value, name };

  void step(char octet) noexcept;
  void step_between(char octet) noexcept;
  void begin_string() noexcept;
  void string_octet(char octet) noexcept;
  void end_string() noexcept;
  void end_field() noexcept;
  void note_word() noexcept;

  WordMatcher word_;
  Stage stage_ = Stage::over;
  Field field_ = Field::key;                          // what the next or present string is
  ClientSoftware beginning_ = ClientSoftware::other;  // the word that the name begins with
  ClientSoftware found_ = ClientSoftware::none;
  bool decided_ = false;
};

}  // namespace imapmeter::imap
