// What one side of a session sends, in pieces. The receiving side holds an equal source and checks against it in place.
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>

namespace traffic {

// Besides a number of octets, a piece can wait for all that the other side sends, or for its end of stream.
inline constexpr std::uint64_t after_all = std::numeric_limits<std::uint64_t>::max() - 1;
inline constexpr std::uint64_t after_eof = std::numeric_limits<std::uint64_t>::max();

struct Piece {
  std::string_view octets;
  std::uint64_t after = 0;  // may be sent once that many octets of the other side have been received
};

class Source {
 public:
  Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  virtual ~Source() = default;

  // The view is valid until the next call. Empty octets: the stream is over.
  virtual Piece next() = 0;
};

}  // namespace traffic
