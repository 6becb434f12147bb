// Takes words out of CAPABILITY data and CAPABILITY response codes as they pass: the one place that changes an octet
// (FAULTS.md, invariant I1 c). Works on the span that the tracker has just read, in place: output <= input + held.
//
// DRAFT of the interface that proxy/session relies on; the owner of this folder fills it in.
#pragma once

#include <cstddef>
#include <span>

namespace imapmeter::imap {

// The caller leaves this many writable octets free before the span it passes: a held word may come out in front.
inline constexpr std::size_t capability_headroom = 64;

}  // namespace imapmeter::imap
