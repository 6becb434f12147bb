// Reads COMPRESS=DEFLATE as it passes (RFC 4978): raw deflate, with zlib.
//
// Rules
// - Memory is a block of fixed size for both directions of a session, allocated at once: zlib gets what it asks for out
//   of it, and asks for nothing later (FAULTS.md B21).
// - A step gives out at most inflated_at_once octets, whatever the input is.
// - A step ends with a sync flush, so that the octets behind UNAUTHENTICATE (RFC 8437) are never taken for deflate: the
//   input is cut before and behind the last octet of each 00 00 FF FF. They were a flush if zlib then stands between
//   two blocks and nothing came out with that octet; else they were data.
// - What the client has sent is overwritten: in what was given out, and in the history when the session ends.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>

#include "proxy/imap/inflater.h"

namespace imapmeter::imap {

// How many sessions of the process are inflated, and how many may be.
struct InflatedSessions {
  explicit InflatedSessions(unsigned most) noexcept : limit(most) {}
  const unsigned limit;
  std::atomic<unsigned> count{0};
};

inline constexpr std::size_t inflated_at_once = 16 * 1024;
// Of one direction: zlib's state (7 KiB) and 32 KiB of history.
inline constexpr std::size_t inflater_memory = 43 * 1024;

class DeflateTaps final : public InflaterSource {
 public:
  // `sessions` outlives it.
  explicit DeflateTaps(InflatedSessions& sessions) noexcept : sessions_(sessions) {}
  std::unique_ptr<Inflater> make() noexcept override;

 private:
  InflatedSessions& sessions_;
  std::array<char, inflated_at_once> out_;  // lent to one step after the other
};

}  // namespace imapmeter::imap
