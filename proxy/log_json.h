// Text as the inside of a JSON string (RFC 8259 section 7), so that a record of the log is one line whatever is in it.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace imapmeter::proxy {

namespace detail {

inline constexpr char32_t not_utf8 = 0xffffffff;

struct CodePoint {
  char32_t value = not_utf8;
  std::size_t octets = 1;  // of the text; 1 where it is no UTF-8
};

// The first code point of `text`, which is not empty: shortest form, no surrogates, at most U+10FFFF (RFC 3629).
constexpr CodePoint first_code_point(std::string_view text) noexcept {
  constexpr std::array<char32_t, 5> smallest = {0, 0, 0x80, 0x800, 0x10000};
  const auto lead = static_cast<unsigned char>(text.front());
  if (lead < 0x80) return {lead, 1};
  const std::size_t octets = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < octets) return {};
  char32_t value = lead & (0x7fU >> octets);
  for (const char c : text.substr(1, octets - 1)) {
    if ((static_cast<unsigned char>(c) & 0xc0U) != 0x80) return {};
    value = value << 6 | (static_cast<unsigned char>(c) & 0x3fU);
  }
  const bool surrogate = value >= 0xd800 && value <= 0xdfff;
  if (surrogate || value < smallest[octets] || value > 0x10ffff) return {};
  return {value, octets};
}

// What some reader takes for the end of a line or for an order to a terminal.
constexpr bool is_control(char32_t c) noexcept {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029;
}

}  // namespace detail

// Takes any octets: what is not UTF-8 becomes U+FFFD, octet by octet; control characters, quotes and backslashes are
// escaped; all else stays as it is.
inline std::string json_escape(std::string_view text) {
  constexpr std::string_view hex = "0123456789abcdef";
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const detail::CodePoint c = detail::first_code_point(text);
    if (c.value == detail::not_utf8) {
      out += "\\ufffd";
    } else if (c.value == '"' || c.value == '\\') {
      out += '\\';
      out += text.front();
    } else if (detail::is_control(c.value)) {
      out += "\\u";
      for (int shift = 12; shift >= 0; shift -= 4) out += hex[c.value >> shift & 0xfU];
    } else {
      out += text.substr(0, c.octets);
    }
    text.remove_prefix(c.octets);
  }
  return out;
}

}  // namespace imapmeter::proxy
