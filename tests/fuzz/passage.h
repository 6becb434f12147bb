// Octets that pass through code which may take some out.
#pragma once

#include <sanitizer/asan_interface.h>

#include <array>
#include <cstring>

#include "proxy/imap/capability_filter.h"
#include "tests/fuzz/fuzzing.h"

namespace imapmeter::fuzz {

// Lays octets out as the product gets them, with the capability filter's headroom in front; with ASan none may be read
// behind their end.
class Scratch {
 public:
  std::span<char> lay(std::string_view octets) noexcept {
    char* const begin = room_.data() + imap::capability_headroom;
    ASAN_UNPOISON_MEMORY_REGION(begin + size_, guard);
    size_ = octets.size();
    std::memcpy(begin, octets.data(), octets.size());
    ASAN_POISON_MEMORY_REGION(begin + size_, guard);
    return {begin, size_};
  }

 private:
  static constexpr std::size_t guard = 64;
  alignas(8) std::array<char, imap::capability_headroom + max_input + guard> room_{};
  std::size_t size_ = 0;
};

// Checks that what comes out is what went in, but for octets that were taken out.
class Passage {
 public:
  void start() noexcept { in_size_ = at_ = left_out_ = 0; }
  void in(std::span<const char> octets) noexcept {
    REQUIRE(octets.size() <= in_.size() - in_size_);
    std::memcpy(in_.data() + in_size_, octets.data(), octets.size());
    in_size_ += octets.size();
  }
  void out(std::span<const char> octets) noexcept {
    if (octets.empty()) return;
    if (octets.size() <= in_size_ - at_ && std::memcmp(octets.data(), in_.data() + at_, octets.size()) == 0) {
      at_ += octets.size();
      return;
    }
    for (const char octet : octets) {
      while (at_ < in_size_ && in_[at_] != octet) {
        ++at_;
        ++left_out_;
      }
      REQUIRE(at_ < in_size_);
      ++at_;
    }
  }
  std::size_t missing() const noexcept { return left_out_ + in_size_ - at_; }

 private:
  std::array<char, 4 * max_input> in_{};  // short pieces, deflated, are longer than they were
  std::size_t in_size_ = 0;
  std::size_t at_ = 0;
  std::size_t left_out_ = 0;
};

}  // namespace imapmeter::fuzz
