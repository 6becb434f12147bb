// What the fuzz targets share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <span>
#include <string_view>

// A property of the code under test; unlike assert() it is never compiled out.
#define REQUIRE(property)                                                           \
  do {                                                                              \
    if (!(property)) {                                                              \
      std::fprintf(stderr, "%s:%d: violated: %s\n", __FILE__, __LINE__, #property); \
      std::abort();                                                                 \
    }                                                                               \
  } while (false)

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace imapmeter::fuzz {

// Calls of operator new so far, see allocations.cc.
std::size_t allocations() noexcept;

// Cuts a stream: whole, octet by octet, or at random.
class Cutter {
 public:
  enum class Mode { whole, octets, random };
  Cutter(Mode mode, std::uint32_t seed) : mode_(mode), dice_(seed) {}

  std::size_t next(std::size_t left) {
    if (mode_ == Mode::whole) return left;
    const std::size_t size = mode_ == Mode::octets ? 1 : 1 + dice_() % 24;
    return size < left ? size : left;
  }

 private:
  Mode mode_;
  std::minstd_rand dice_;
};

// Everything that was heard, in order, as one number (FNV-1a).
class Trace {
 public:
  void add(std::uint64_t value) noexcept {
    for (int shift = 0; shift < 64; shift += 8) value_ = (value_ ^ ((value >> shift) & 0xffU)) * 0x100000001b3U;
  }
  friend bool operator==(const Trace&, const Trace&) = default;

 private:
  std::uint64_t value_ = 0xcbf29ce484222325U;
};

// The first octets of an input say how to run it, the rest is the wire.
struct Input {
  std::uint8_t options = 0;
  std::uint32_t seed = 0;
  std::string_view wire;

  Input(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return;
    options = data[0];
    seed = data[1] + 1U;
    wire = {reinterpret_cast<const char*>(data) + 2, size - 2};
  }
};

}  // namespace imapmeter::fuzz
