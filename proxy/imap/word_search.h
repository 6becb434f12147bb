// Looks for a handful of words in a text while it passes, by the Shift-And algorithm: all words side by side in one
// machine word. Keeps no text.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace imapmeter::imap {

// Words in upper case, at most 64 octets in all.
struct WordSearch {
  std::array<std::uint64_t, 256> has{};  // has[c]: the places that hold c, in any case
  std::uint64_t begins = 0;
  unsigned used = 0;

  // Adds words; the result has one bit for each.
  constexpr std::uint64_t add(std::span<const std::string_view> words) {
    std::uint64_t ends = 0;
    for (const std::string_view word : words) {
      begins |= std::uint64_t{1} << used;
      for (const char c : word) {
        has[static_cast<unsigned char>(c)] |= std::uint64_t{1} << used;
        if (c >= 'A' && c <= 'Z') has[static_cast<unsigned char>(c - 'A' + 'a')] |= std::uint64_t{1} << used;
        ++used;
      }
      ends |= std::uint64_t{1} << (used - 1);
    }
    return ends;
  }

  // Takes the next octet; the bits of the words that it ends are set in the result.
  constexpr std::uint64_t step(std::uint64_t matching, char octet) const noexcept {
    return ((matching << 1) | begins) & has[static_cast<unsigned char>(octet)];
  }
};

}  // namespace imapmeter::imap
