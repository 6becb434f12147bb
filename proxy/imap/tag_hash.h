// A tag as it passes: its length and a keyed hash, never its text.
#pragma once

#include <cstdint>

namespace imapmeter::imap {

// A polynomial modulo 2^61-1 whose point is the secret key: peers cannot construct two tags that collide.
struct TagHash {
  static constexpr std::uint64_t modulus = (std::uint64_t{1} << 61) - 1;

  std::uint64_t value = 0;
  std::uint32_t length = 0;  // saturates

  void start() noexcept { *this = TagHash{}; }

  void step(std::uint64_t key, char octet) noexcept {
    __extension__ using Wide = unsigned __int128;
    // a key of 0 (tests) still spreads the octets
    const std::uint64_t point = (key & modulus) | (std::uint64_t{1} << 33);
    const Wide product = static_cast<Wide>(value) * point + static_cast<unsigned char>(octet) + 1;
    const std::uint64_t folded =
        static_cast<std::uint64_t>(product & modulus) + static_cast<std::uint64_t>(product >> 61);
    value = folded >= modulus ? folded - modulus : folded;
    if (length != UINT32_MAX) ++length;
  }

  friend constexpr bool operator==(const TagHash&, const TagHash&) = default;
};

}  // namespace imapmeter::imap
