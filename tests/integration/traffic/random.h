// Deterministic randomness: the same seed gives the same traffic on both ends of a session and on every machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace traffic {

// SplitMix64: small, fast, and good enough to choose sizes, words and octets.
struct Random {
  std::uint64_t state = 0;

  explicit Random(std::uint64_t seed) noexcept : state(seed) {}

  std::uint64_t next() noexcept {
    std::uint64_t z = (state += 0x9E3779B97F4A7C15ULL);
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31U);
  }
  // 0 <= result < limit; limit > 0.
  std::uint64_t below(std::uint64_t limit) noexcept { return next() % limit; }
  // first <= result <= last.
  std::uint64_t between(std::uint64_t first, std::uint64_t last) noexcept { return first + below(last - first + 1); }
  bool chance(unsigned percent) noexcept { return below(100) < percent; }
  template <typename Range>
  const auto& pick(const Range& range) noexcept {
    return range[below(std::size(range))];
  }
};

// An independent generator for part `index` of a run.
inline Random derive(std::uint64_t seed, std::uint64_t index) noexcept {
  Random mixed(seed ^ (index * 0xD6E8FEB86659FD93ULL));
  return Random(mixed.next());
}

// 1 octet to 64 KiB, every order of magnitude about as often as any other.
inline std::size_t random_chunk(Random& random) noexcept {
  const std::uint64_t limit = std::uint64_t{1} << random.between(0, 16);
  return static_cast<std::size_t>(random.between(limit / 2 + 1, limit));
}

}  // namespace traffic
