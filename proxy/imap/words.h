// Recognises a word of a closed list while its octets pass, in any case, keeping three octets of state and no text.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proxy/imap/octets.h"

namespace imapmeter::imap {

// At most 254 upper-case words, sorted, each with the index that it had in the list it was made from.
template <std::size_t N>
struct WordTable {
  static_assert(N < 255);
  struct Entry {
    std::string_view word;
    std::uint8_t index = 0;
  };
  std::array<Entry, N> entries{};
  std::array<std::uint8_t, 129> first{};  // first[c]: the first entry whose first octet is >= c

  // `skip` words at the front of the list are no words of the protocol ("none", "other").
  template <std::size_t M>
  static constexpr WordTable make(const std::array<std::string_view, M>& words) {
    constexpr std::size_t skip = M - N;
    WordTable table;
    for (std::size_t i = 0; i < N; ++i) table.entries[i] = {words[i + skip], static_cast<std::uint8_t>(i + skip)};
    std::sort(table.entries.begin(), table.entries.end(),
              [](const Entry& a, const Entry& b) { return a.word < b.word; });
    std::size_t at = 0;
    for (std::size_t c = 0; c < table.first.size(); ++c) {
      while (at < N && static_cast<std::size_t>(table.entries[at].word.front()) < c) ++at;
      table.first[c] = static_cast<std::uint8_t>(at);
    }
    return table;
  }
};

// A word in the making: the range of the table's entries that start with what was read.
struct WordMatcher {
  std::uint8_t low = 0;
  std::uint8_t high = 0;
  std::uint8_t depth = 0;

  void start() noexcept { *this = WordMatcher{}; }
  // It is none of the table's, whatever follows.
  void fail() noexcept { low = high = 0, depth = 1; }

  // Feeds the next octet; false when no word of the table starts like this (it stays so).
  template <std::size_t N>
  bool step(const WordTable<N>& table, char octet) noexcept {
    const char c = upper(octet);
    if (depth == 0) {
      const auto index = static_cast<unsigned char>(c);
      low = index < 128 ? table.first[index] : std::uint8_t{0};
      high = index < 128 ? table.first[index + 1U] : std::uint8_t{0};
      depth = 1;
      return low < high;
    }
    while (low < high && (table.entries[low].word.size() <= depth || table.entries[low].word[depth] < c)) ++low;
    std::uint8_t end = low;
    while (end < high && table.entries[end].word[depth] == c) ++end;
    high = end;
    if (low < high) ++depth;
    return low < high;
  }

  // Feeds octets for as long as a word of the table may go on, or to the end of the atom; returns the first octet that
  // was not fed (it may end the word: found() answers), or `end`.
  template <std::size_t N>
  const char* take(const WordTable<N>& table, const char* at, const char* end) noexcept {
    if (depth == 0) {
      const char* stop = at;
      while (stop != end && is_atom_char(*stop)) ++stop;
      if (stop != end) return look_up(table, {at, stop}), stop;
    }
    while (at != end) {
      WordMatcher next = *this;
      if (!next.step(table, *at)) break;
      *this = next;
      ++at;
      if (low + 1 == high) at = rest(table.entries[low].word, at, end);
    }
    return at;
  }

  // Feeds a whole word.
  template <std::size_t N>
  void look_up(const WordTable<N>& table, std::string_view word) noexcept {
    if (word.empty()) return;
    const auto c = static_cast<unsigned char>(upper(word.front()));
    fail();
    if (c >= 128) return;
    const auto* entry = table.entries.data() + table.first[c];
    const auto* const last = table.entries.data() + table.first[c + 1U];
    while (entry != last && !is_word(word, entry->word)) ++entry;
    if (entry == last) return;
    low = static_cast<std::uint8_t>(entry - table.entries.data());
    high = static_cast<std::uint8_t>(low + 1);
    depth = static_cast<std::uint8_t>(word.size());
  }

  // Feeds octets of `word`, the only one that is left, for as long as they are its.
  const char* rest(std::string_view word, const char* at, const char* end) noexcept {
    const char* expected = word.data() + depth;
    const char* const last = word.data() + word.size();
    for (; expected != last && at != end && upper(*at) == *expected; ++at) ++expected;
    depth = static_cast<std::uint8_t>(expected - word.data());
    return at;
  }

  // The index of the word that was read as a whole, or `none`.
  template <std::size_t N>
  std::size_t found(const WordTable<N>& table, std::size_t none) const noexcept {
    return low < high && table.entries[low].word.size() == depth ? table.entries[low].index : none;
  }
};

}  // namespace imapmeter::imap
