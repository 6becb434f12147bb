// COMPRESS=DEFLATE (RFC 4978) and what ends it, UNAUTHENTICATE (RFC 8437).
//
// Rules
// - Only a tagged OK to COMPRESS starts the streams: the server's with the octet behind its LF, the client's with the
//   octet behind the LF of its command. The client has to wait in between. If it does not, its octets are read as plain
//   (NO and BAD mean that they are), and after OK the session is opaque: what they were cannot be told.
// - Read is what comes out; what passes on is what came in, unchanged and at once.
// - UNAUTHENTICATE: the client's stream ends with the next flush behind its LF, the server's with the next flush behind
//   the LF of the tagged OK; or with the stream's own end. What follows is plain, until another COMPRESS.
// - NO or BAD to UNAUTHENTICATE in a compressed session, OK to a second COMPRESS, octets behind the end of a stream, no
//   deflate: opaque `compress_error`. More out of a turn than max_inflated_in_turn: `compress_ratio`. No inflater to be
//   had: `compress_limit`.
// - OK to a COMPRESS, or to an UNAUTHENTICATE in a compressed session, whose line has not ended: `compress_error`.
// - A SASL layer over a compressed session (COMPRESS before AUTHENTICATE) is not looked for: it is no deflate.
#include "proxy/imap/session_tracker.h"

namespace imapmeter::imap {

bool SessionTracker::inflating(Direction direction) const noexcept {
  return inflater_ && inflater_->coding(direction) != Coding::plain;
}

// OK to it changes how what follows is coded.
bool SessionTracker::recodes(Command command) const noexcept {
  return command == Command::compress || (command == Command::unauthenticate && inflater_);
}

// Reads what `octets` hold; returns how many of them belong to the stream.
std::size_t SessionTracker::inflate(Direction direction, std::span<const char> octets) noexcept {
  std::size_t taken = 0;
  std::size_t inflated = 0;
  Inflater::Step step;
  do {
    step = inflater_->inflate(direction, octets.subspan(taken));
    taken += step.taken;
    inflated += step.out.size();
    read_inflated(direction, step.out);
    if (opaque_) break;
    if (step.state == Inflation::failed) {
      go_opaque(OpaqueReason::compress_error);
    } else if (inflated > max_inflated_in_turn) {
      go_opaque(OpaqueReason::compress_ratio);
    } else if (inflater_->coding(direction) == Coding::ending && step.state >= Inflation::flushed) {
      end_stream(direction);
    }
  } while (inflating(direction) && (taken < octets.size() || step.state == Inflation::full));
  observer_.on_inflated(direction, taken, inflated);
  return taken;
}

void SessionTracker::read_inflated(Direction direction, std::span<char> octets) noexcept {
  if (direction == Direction::server_to_client) {
    FilterOutput unchanged(octets);
    read_server(octets, unchanged);
    return;
  }
  read_client(octets, nullptr);
  if (inflater_) inflater_->wipe();
}

void SessionTracker::end_stream(Direction direction) noexcept {
  inflater_->coding(direction) = Coding::plain;
  if (!inflating(Direction::client_to_server) && !inflating(Direction::server_to_client)) inflater_.reset();
}

void SessionTracker::await_compression() noexcept {
  compress_pending_ = true;
  compress_overrun_ = false;
}

void SessionTracker::octets_before_answer() noexcept {
  if (compress_overrun_) return;
  compress_overrun_ = true;
  observer_.on_anomaly(Anomaly::client_octets_during_compress);
}

void SessionTracker::compress_answered(Condition condition) noexcept {
  const bool ok = condition == Condition::ok;
  observer_.on_compress(ok ? CompressResult::active : CompressResult::refused);
  compress_pending_ = false;
  if (!ok) return;
  if (compress_overrun_ || inflater_) return go_opaque(OpaqueReason::compress_error);
  if (context_.inflaters != nullptr) inflater_ = context_.inflaters->make();
  if (!inflater_) go_opaque(OpaqueReason::compress_limit);
}

void SessionTracker::unauthenticate_answered(Condition condition) noexcept {
  if (condition == Condition::no) observer_.on_anomaly(Anomaly::unauthenticate_no);
  if (condition != Condition::ok) {
    if (inflater_) go_opaque(OpaqueReason::compress_error);
    return;
  }
  base_ = SessionState::not_authenticated;
  login_unseen_ = false;
  end_with_next_flush(Direction::server_to_client);
}

void SessionTracker::end_with_next_flush(Direction direction) noexcept {
  if (inflating(direction)) inflater_->coding(direction) = Coding::ending;
}

}  // namespace imapmeter::imap
