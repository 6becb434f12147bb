// The engine of a session: moves octets from one leg to the other, through a tap. Knows no loop and no IMAP.
//
// No more is read from a side than the other has room for: a direction whose sink holds unsent octets is not read, so
// back-pressure needs no further code and nothing is kept beyond one read.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>

#include "proxy/imap/event.h"
#include "proxy/leg.h"

namespace imapmeter::proxy {

// What the octets of a session pass between read and write.
class Tap {
 public:
  virtual ~Tap() = default;
  // Octets just read; returns what is to be written, which may begin up to ThreadBuffers::headroom in front.
  virtual std::span<char> observe(imap::Direction direction, std::span<char> octets) noexcept = 0;
  // `octets` were taken by the receiving leg.
  virtual void moved(imap::Direction direction, std::size_t octets) noexcept = 0;
  // How long octets took from the read until all of them had been handed on; 1 turn in ThreadBuffers::timed_turns.
  virtual void timed(imap::Direction direction, std::chrono::nanoseconds delay) noexcept = 0;
};

// One direction of a session.
struct Flow {
  std::uint32_t quantum =
      min_quantum;          // what one read takes: doubled while all leaves at once, small after a full socket
  Io end = Io::again;       // how the source ended; again: it has not
  bool discard = false;     // the sink is gone: what the source still sends is read and dropped
  bool closed = false;      // the end has been handed on
  bool compressed = false;  // small reads, one a turn: each may inflate to much more, and is read then
};

enum class Pumped : std::uint8_t {
  idle,     // nothing more to read for now, or the source has ended
  blocked,  // the sink does not take more
  more,     // the turn's budget is used up
};

// Moves what can be moved, at most a few reads. Octets from the client are cleansed from the buffers afterwards.
Pumped pump(Flow& flow, imap::Direction direction, Leg& from, Leg& to, ThreadBuffers& buffers, Tap& tap) noexcept;

}  // namespace imapmeter::proxy
