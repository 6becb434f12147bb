// What the fuzz targets share. A run allocates nothing, and what it heard is kept as a number: speed is what finds
// bugs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string_view>

// A property of the code under test; unlike assert() it is never compiled out.
#define REQUIRE(property)                                                           \
  do {                                                                              \
    if (!(property)) [[unlikely]] {                                                 \
      std::fprintf(stderr, "%s:%d: violated: %s\n", __FILE__, __LINE__, #property); \
      std::abort();                                                                 \
    }                                                                               \
  } while (false)

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace imapmeter::fuzz {

inline constexpr std::size_t max_input = 8192;  // octets of one input: -max_len

// Calls of operator new so far, see allocations.cc.
std::size_t allocations() noexcept;
// Whether the next new (std::nothrow) fails, once.
void refuse_allocation(bool next) noexcept;

// The same numbers for the same seed.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) noexcept : state_(seed) {}
  std::uint32_t roll(std::uint32_t sides) noexcept {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return static_cast<std::uint32_t>(((state_ >> 32U) * sides) >> 32U);
  }

 private:
  std::uint64_t state_;
};

// Cuts a stream: not at all, or into pieces of at most 1, 2, 4, … 128 octets as the seed says.
class Cutter {
 public:
  static Cutter whole() noexcept { return {0, 0}; }
  explicit Cutter(std::uint8_t seed) noexcept : Cutter(1U << (seed & 7U), seed) {}

  std::size_t next(std::size_t left) noexcept {
    if (max_ == 0) return left;
    const std::size_t size = max_ == 1 ? 1 : 1 + dice_.roll(max_);
    return size < left ? size : left;
  }

 private:
  Cutter(std::uint32_t max, std::uint8_t seed) noexcept : max_(max), dice_(seed) {}

  std::uint32_t max_;
  Dice dice_;
};

// Everything that was heard, in order, as one number.
class Trace {
 public:
  void add(std::uint64_t value) noexcept {
    value_ = (value_ ^ value) * 0x9e3779b97f4a7c15U;
    value_ ^= value_ >> 29U;
  }
  friend bool operator==(const Trace&, const Trace&) = default;

 private:
  std::uint64_t value_ = 0xcbf29ce484222325U;
};

// The first octets of an input say how to run it, the rest is the wire.
struct Input {
  std::uint8_t options = 0;
  std::uint8_t seed = 0;
  std::string_view wire;

  Input(const std::uint8_t* data, std::size_t size) noexcept {
    if (size < 2 || size > max_input) return;
    options = data[0];
    seed = data[1];
    wire = {reinterpret_cast<const char*>(data) + 2, size - 2};
  }
};

// Reads a wire as a script: octets from `first_order` on are orders to the target, what is between them are pieces.
class Script {
 public:
  Script(std::string_view wire, std::uint8_t first_order) noexcept : wire_(wire), first_order_(first_order) {}

  struct Step {
    std::uint8_t order = 0;  // 0: a piece
    std::string_view piece;
  };
  // False at the end.
  bool next(Step& step) noexcept {
    if (wire_.empty()) return false;
    std::size_t size = 0;
    while (size < wire_.size() && octet(size) < first_order_) ++size;
    if (size == 0) {
      step = {octet(0), {}};
      size = 1;
    } else {
      step = {0, wire_.substr(0, size)};
    }
    wire_.remove_prefix(size);
    return true;
  }

 private:
  std::uint8_t octet(std::size_t at) const noexcept { return static_cast<std::uint8_t>(wire_[at]); }

  std::string_view wire_;
  std::uint8_t first_order_;
};

}  // namespace imapmeter::fuzz
