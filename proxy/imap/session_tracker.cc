#include "proxy/imap/session_tracker.h"

namespace imapmeter::imap {

SessionTracker::SessionTracker(Observer&, TrackerContext&) noexcept {}
SessionTracker::~SessionTracker() = default;
void SessionTracker::client(std::span<const char>, TimePoint) noexcept {}
std::span<char> SessionTracker::server(std::span<char> octets, TimePoint) noexcept { return octets; }
bool SessionTracker::holds_octets() const noexcept { return false; }
std::span<const char> SessionTracker::release_held() noexcept { return {}; }
void SessionTracker::go_opaque(OpaqueReason) noexcept {}
void SessionTracker::finish() noexcept {}
SessionState SessionTracker::state() const noexcept { return SessionState::connecting; }
bool SessionTracker::greeting_seen() const noexcept { return false; }
bool SessionTracker::ever_authenticated() const noexcept { return false; }
bool SessionTracker::logout_completed() const noexcept { return false; }
bool SessionTracker::bye_seen() const noexcept { return false; }
bool SessionTracker::at_response_boundary() const noexcept { return false; }

}  // namespace imapmeter::imap
