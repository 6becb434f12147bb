// Lines and literals as they should be found: simple, slow, over whole lines.
#pragma once

#include <array>
#include <cstring>
#include <string_view>

#include "tests/fuzz/fuzzing.h"

namespace imapmeter::fuzz {

struct Marker {
  bool there = false;
  bool plus = false;
  bool too_large = false;
  std::uint64_t size = 0;
};

// `content` is a line without its LF.
inline Marker reference_marker(std::string_view content) {
  Marker marker;
  if (content.ends_with('\r')) content.remove_suffix(1);
  if (!content.ends_with('}')) return marker;
  content.remove_suffix(1);
  marker.plus = content.ends_with('+');
  if (marker.plus) content.remove_suffix(1);
  const std::size_t open = content.find_last_not_of("0123456789");
  if (open == std::string_view::npos || content[open] != '{' || open + 1 == content.size()) return {};
  marker.there = true;
  for (const char digit : content.substr(open + 1)) {
    if (marker.size > 922337203685477580U || (marker.size == 922337203685477580U && digit > '7'))
      marker.too_large = true;
    marker.size = marker.size * 10 + static_cast<std::uint64_t>(digit - '0');
  }
  return marker;
}

// Follows a scanner through the parts of lines and the literals between them, and says where it cannot be right.
class Parts {
 public:
  void take(std::span<const char> octets) noexcept {
    REQUIRE(literal_left_ == 0);
    REQUIRE(octets.size() <= room_.size() - size_);
    if (!octets.empty()) std::memcpy(room_.data() + size_, octets.data(), octets.size());
    size_ += octets.size();
  }
  void take_literal(std::size_t octets) noexcept {
    REQUIRE(octets > 0 && octets <= literal_left_);
    literal_left_ -= octets;
  }
  void begin_literal(std::uint64_t octets) noexcept { literal_left_ = octets; }
  // A part has ended: its octets without LF, valid until the next call.
  std::string_view end() noexcept {
    const std::string_view part(room_.data(), size_);
    size_ = 0;
    REQUIRE(!part.empty() && part.find('\n') == part.size() - 1);
    return part.substr(0, part.size() - 1);
  }

 private:
  static inline std::array<char, 2 * max_input> room_;
  std::size_t size_ = 0;
  std::uint64_t literal_left_ = 0;
};

}  // namespace imapmeter::fuzz
