// How many messages an APPEND carries, counted while it passes: its message literals (RFC 9051 section 6.3.12,
// RFC 3502 MULTIAPPEND, RFC 4469 CATENATE).
//
// Rules
// - A literal in the place of the first argument is the mailbox.
// - Of the literals in one parenthesis only the first counts: a CATENATE is one message, `UTF8 (~{n}` too.
// - An empty literal cancels (RFC 3502) and is none.
#pragma once

#include <cstdint>
#include <span>

#include "proxy/imap/octets.h"

namespace imapmeter::imap {

class AppendMessages {
 public:
  // An APPEND begins, what comes next are its arguments.
  void begin() noexcept { *this = AppendMessages{}; }
  // Octets of its lines, line ends included.
  void line(std::span<const char> octets) noexcept {
    for (const char octet : octets) step(octet);
  }
  // The line that ended announced a literal, which begins.
  void literal(bool empty) noexcept {
    const bool mailbox = !mailbox_;
    mailbox_ = true;
    quoted_ = escaped_ = false;
    if (mailbox || empty || (open_ && counted_)) return;
    counted_ = true;
    if (messages_ != UINT16_MAX) ++messages_;
  }
  std::uint16_t messages() const noexcept { return messages_; }

 private:
  void step(char octet) noexcept {
    if (quoted_) {
      const bool ends = octet == '"' && !escaped_;
      escaped_ = octet == '\\' && !escaped_;
      quoted_ = !ends;
      return;
    }
    // a marker's brace, a `~` before it and its line end say nothing yet about what the first argument is
    const bool blank = octet == ' ' || octet == cr || octet == lf;
    if (in_marker_) {
      in_marker_ = is_digit(octet) || octet == '+' || octet == '}' || octet == cr || octet == lf;
      if (in_marker_) return;
    }
    if (octet == '{' || octet == '~') {
      in_marker_ = octet == '{';
      return;
    }
    if (!blank) mailbox_ = true;
    if (octet == '"') quoted_ = true;
    if (octet == '(') {
      open_ = true;
      counted_ = false;
    }
    if (octet == ')') open_ = false;
  }

  std::uint16_t messages_ = 0;
  bool mailbox_ = false;  // the first argument was seen
  bool quoted_ = false;
  bool escaped_ = false;
  bool in_marker_ = false;
  bool open_ = false;     // a parenthesis
  bool counted_ = false;  // a literal of it
};

}  // namespace imapmeter::imap
