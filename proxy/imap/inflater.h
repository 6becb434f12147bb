// COMPRESS=DEFLATE (RFC 4978) as the session tracker needs it: what passes, inflated, to be read. Implemented by
// deflate_tap, the one file with zlib.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "proxy/imap/event.h"

namespace imapmeter::imap {

// How a step of inflation ended.
enum class Inflation : std::uint8_t {
  more,     // go on with the octets that are left
  full,     // more comes out even without further octets: go on in any case
  flushed,  // the octets taken end in the 00 00 FF FF of a sync flush
  ended,    // the stream is over; the octets behind it were not taken
  failed,   // this is no deflate
};

// How the octets of a direction are to be read.
enum class Coding : std::uint8_t {
  deflated,
  ending,  // deflated up to the end of the stream or its next flush
  plain,
};

// Both directions of one session, each a stream of its own. Nothing is allocated once it exists.
class Inflater {
 public:
  Inflater() = default;
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  virtual ~Inflater() = default;

  // A new stream begins.
  virtual void start(Direction direction) noexcept = 0;

  struct Step {
    std::size_t taken = 0;  // octets, from the front
    std::span<char> out;    // valid until the next call for any session of this worker
    Inflation state = Inflation::more;
  };
  // Takes octets until `out` is full, a flush or the stream ends, or all are taken. What was given out is gone after
  // the next call; wipe() overwrites it at once.
  virtual Step inflate(Direction direction, std::span<const char> octets) noexcept = 0;
  virtual void wipe() noexcept = 0;

  Coding& coding(Direction direction) noexcept { return codings_[static_cast<std::size_t>(direction)]; }

 private:
  std::array<Coding, direction_count> codings_{};
};

// Makes inflaters, for the sessions of one worker; outlives them.
class InflaterSource {
 public:
  InflaterSource() = default;
  InflaterSource(const InflaterSource&) = delete;
  InflaterSource& operator=(const InflaterSource&) = delete;
  virtual ~InflaterSource() = default;

  // Both streams are started. Null when as many exist as may, or memory is short.
  virtual std::unique_ptr<Inflater> make() noexcept = 0;
};

}  // namespace imapmeter::imap
