// Character classes of the IMAP grammar (RFC 9051 section 9), as far as framing needs them.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace imapmeter::imap {

inline constexpr char cr = '\r';
inline constexpr char lf = '\n';

namespace detail {

inline constexpr std::uint8_t atom_bit = 1;  // ATOM-CHAR
inline constexpr std::uint8_t tag_bit = 2;   // ASTRING-CHAR but "+"

constexpr std::array<std::uint8_t, 256> make_classes() {
  std::array<std::uint8_t, 256> classes{};
  for (std::size_t octet = 0x21; octet < 0x7f; ++octet) {
    const char c = static_cast<char>(octet);
    const bool special = std::string_view("(){%*\"\\").find(c) != std::string_view::npos;
    if (!special && c != ']') classes[octet] |= atom_bit;
    if (!special && c != '+') classes[octet] |= tag_bit;
  }
  return classes;
}

inline constexpr std::array<std::uint8_t, 256> classes = make_classes();

}  // namespace detail

constexpr bool is_atom_char(char c) noexcept {
  return (detail::classes[static_cast<unsigned char>(c)] & detail::atom_bit) != 0;
}
constexpr bool is_tag_char(char c) noexcept {
  return (detail::classes[static_cast<unsigned char>(c)] & detail::tag_bit) != 0;
}
constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
constexpr char upper(char c) noexcept { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }
// Whether `text` is this word, in any case.
constexpr bool is_word(std::string_view text, std::string_view upper_case) noexcept {
  return std::equal(text.begin(), text.end(), upper_case.begin(), upper_case.end(),
                    [](char a, char b) { return upper(a) == b; });
}

}  // namespace imapmeter::imap
