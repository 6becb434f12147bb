// Joins both directions of one IMAP session: which command a response completes, what state the session is in, why
// the server said BYE, and when reading must stop. Bytes in, events out; it never waits, throws or allocates, and any
// chunking of the same octets gives the same events.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "proxy/imap/capability_filter.h"
#include "proxy/imap/event.h"
#include "proxy/imap/observer.h"
#include "proxy/imap/tag_pool.h"

namespace imapmeter::imap {

// What all sessions of one worker and listener share; outlives them.
struct TrackerContext {
  TagPool* tags = nullptr;
  CapabilityRules* rules = nullptr;
  std::uint64_t tag_key = 0;  // random, kept from peers
};

class SessionTracker {
 public:
  SessionTracker(Observer& observer, TrackerContext& context) noexcept;
  ~SessionTracker();

  // Octets in the order in which they were read. Views are only used during the call.
  void client(std::span<const char> octets, TimePoint now) noexcept;
  // Returns what is to be forwarded: `octets` itself, or less where capability words were taken out, or up to
  // capability_headroom octets more, in front, where octets held back before come out. The caller leaves that many
  // writable octets free in front of `octets`.
  std::span<char> server(std::span<char> octets, TimePoint now) noexcept;
  // Octets of an unfinished capability word are held back since the last server(); after 1 s without more the caller
  // takes them with release_held() and forwards them. The view is valid until the next call.
  bool holds_octets() const noexcept;
  std::span<const char> release_held() noexcept;
  // Reads no more; the bytes flow on.
  void go_opaque(OpaqueReason reason) noexcept;
  // The session is over: commands still outstanding are aborted, the outcome is told. Call once, last.
  void finish() noexcept;

  SessionState state() const noexcept;
  bool greeting_seen() const noexcept;  // the first server line was complete, in whatever shape
  bool ever_authenticated() const noexcept;
  bool logout_completed() const noexcept;  // a tagged OK to LOGOUT was read
  bool bye_seen() const noexcept;          // a BYE was read, the greeting included
  // True where imapmeter may say BYE itself: in step, still read, no line or literal open towards the client, nothing
  // held, no command outstanding but IDLE.
  bool at_response_boundary() const noexcept;
};

}  // namespace imapmeter::imap
