// Lines and literals, the one framing of both directions (RFC 9051 sections 2.2 and 4.3).
//
// A line is a chain of parts: each part ends in LF, and a part that ends in `{n}` before its line end announces n
// literal octets after which the line goes on. Most octets are never looked at one by one: memchr finds the line end,
// the literal marker is read backwards from it, literals are counted down unread. What crosses from one span to the
// next is the few octets of LiteralMarker and QuoteState, so that any cut gives the same answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace imapmeter::imap {

// `{digits}` or `{digits+}` at the end of what was folded, a CR after it included.
class LiteralMarker {
 public:
  // Takes the next octets of the line; no LF among them.
  void fold(std::span<const char> octets) noexcept;
  void start() noexcept { *this = LiteralMarker{}; }
  void count_down(std::uint64_t octets) noexcept { size_ -= octets; }

  bool begun() const noexcept { return stage_ != Stage::none; }
  bool complete() const noexcept { return stage_ == Stage::closed || stage_ == Stage::cr; }
  std::uint64_t size() const noexcept { return size_; }   // octets; meaningless if too_large()
  bool plus() const noexcept { return plus_; }            // non-synchronising (RFC 7888)
  bool too_large() const noexcept { return too_large_; }  // above 2^63-1

 private:
  enum class Stage : std::uint8_t { none, open, digits, plus, closed, cr };
  void step(char octet) noexcept;
  void digit(char octet) noexcept;

  std::uint64_t size_ = 0;
  Stage stage_ = Stage::none;
  bool plus_ = false;
  bool too_large_ = false;
};

// Whether a quoted string is open. Only a hint: real servers leave quotes unescaped.
struct QuoteState {
  bool open = false;
  bool escaped = false;

  void fold(std::span<const char> octets) noexcept;
  // Behind the quote that closes the string, or `end`.
  const char* close(const char* at, const char* end) noexcept;
};

class LineFramer {
 public:
  // What a part of a line was like, valid when take_part() has said `ended`.
  struct Part {
    std::size_t octets = 0;  // taken
    bool ended = false;      // by LF, which is among them
  };

  // Where the line ends: its octets up to and including the next LF, or all.
  static Part find_end(std::span<const char> octets) noexcept;
  // Takes octets of the line without its LF; `ended`: it comes next. `markers`: a literal may be announced here.
  void take(std::span<const char> content, bool ended, bool markers) noexcept;
  // Takes the octets of the line up to and including the next LF: both in one.
  Part take_part(std::span<const char> octets, bool markers) noexcept;
  // The marker of the part that just ended was believed: its literal begins.
  void begin_literal() noexcept;
  // Takes literal octets; how many.
  std::size_t take_literal(std::size_t available) noexcept;
  // The next octet begins a new line, or goes on with one after its literal.
  void begin_part() noexcept;

  const LiteralMarker& marker() const noexcept { return marker_; }
  std::uint64_t literal_left() const noexcept { return marker_.size(); }  // between begin_literal() and its end
  bool bare_lf() const noexcept { return !last_cr_; }                     // the part that ended had no CR before its LF
  bool has_nul() const noexcept { return nul_; }                          // a NUL was in the part
  bool quote_open() const noexcept { return quote_.open; }                // known only when a marker is complete

 private:
  [[no_unique_address]] LiteralMarker marker_;  // while a literal passes, its size counts down
  QuoteState quote_;
  bool last_cr_ = false;
  bool nul_ = false;
};

}  // namespace imapmeter::imap
