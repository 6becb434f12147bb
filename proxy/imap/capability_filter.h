// Takes words out of CAPABILITY data and CAPABILITY response codes as they pass: the one place that changes an octet
// (FAULTS.md, invariant I1 c). Works on the span that the tracker has just read, in place: output <= input + held.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace imapmeter::imap {

// The caller leaves this many writable octets free before the span it passes: a held word may come out in front.
inline constexpr std::size_t capability_headroom = 64;

// What to take out. One per worker and upstream, shared by its sessions; the filter remembers in `plus_families` what
// this upstream has offered, so that a list that arrives in pieces is treated like the last whole one.
struct CapabilityRules {
  bool enabled = true;             // false: nothing is changed, findings are still told
  bool strip_starttls = false;     // this leg of the client has TLS already
  std::uint8_t plus_families = 0;  // bit n: SCRAM family n was seen with -PLUS
};

}  // namespace imapmeter::imap
