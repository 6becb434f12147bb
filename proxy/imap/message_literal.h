// Whether the literal that a FETCH response announces is message data: the whole of a message or of one of its parts,
// rather than a header, a list of fields or some other string (RFC 9051 section 7.5.2, RFC 3516, RFC 3501).
//
// Rules
// - It is, directly after `]` or `]<0>` of a section that is not HEADER, HEADER.FIELDS, MIME or a list of fields, and
//   after RFC822 or RFC822.TEXT.
// - Only the few octets in front of the marker matter; they are kept from one span to the next.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace imapmeter::imap {

class MessageLiteral {
 public:
  void start() noexcept { *this = MessageLiteral{}; }
  // Takes the next octets of a part of the line. Enough to call when they are the last of their span or of the part.
  void fold(std::span<const char> octets) noexcept;
  // The part has ended in a marker.
  bool found() const noexcept { return is_message(tail()); }
  // `before`: what stands in front of the marker's `{`, at least the last 16 octets of it if there are more.
  static bool is_message(std::string_view before) noexcept;

 private:
  static constexpr std::size_t kept = 16;  // more than ` RFC822.TEXT `

  void keep(std::string_view octets) noexcept;
  std::string_view tail() const noexcept { return {tail_.data() + (kept - length_), length_}; }

  std::array<char, kept> tail_{};  // its last `length_` octets: what stands in front of the marker
  std::uint8_t length_ = 0;
  bool marker_ = false;  // a `{` was read, and nothing since that cannot belong to a marker
};

}  // namespace imapmeter::imap
