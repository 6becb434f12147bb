#include "proxy/imap/flight_recorder.h"

#include <algorithm>
#include <limits>
#include <new>

namespace imapmeter::imap {
namespace {

template <class Number>
void add(Number& to, std::size_t n) noexcept {
  constexpr std::size_t most = std::numeric_limits<Number>::max();
  to = n > most - to ? static_cast<Number>(most) : static_cast<Number>(to + n);
}

std::uint32_t milliseconds(FlightRecorder::Time at) noexcept {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(at).count();
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(ms, 0, UINT32_MAX));
}

FlightKind kind_of(ResponseKind kind) noexcept {
  switch (kind) {
    case ResponseKind::greeting:
      return FlightKind::greeting;
    case ResponseKind::tagged:
      return FlightKind::tagged;
    case ResponseKind::untagged:
      break;
  }
  return FlightKind::untagged;
}

}  // namespace

void FlightRecorder::status(Time at, const Status& status) noexcept {
  FlightEvent* event = note(at, kind_of(status.kind));
  if (event == nullptr) return;
  event->octets = status.octets;
  event->a = static_cast<std::uint8_t>(status.condition);
  event->b = static_cast<std::uint8_t>(status.code);
  event->c = not_told;
}

void FlightRecorder::data(Time at, const Data& data) noexcept {
  FlightEvent* event = last();
  if (event == nullptr || event->kind != FlightKind::open_literal) event = note(at, FlightKind::data);
  if (event == nullptr) return;
  event->kind = FlightKind::data;
  event->octets = data.octets;
  event->a = static_cast<std::uint8_t>(data.keyword);
  event->b = static_cast<std::uint8_t>(data.responses);
  join_data();
}

// Two neighbours of one keyword become one.
void FlightRecorder::join_data() noexcept {
  if (noted_ < 2) return;
  const FlightEvent& event = (*ring_)[(noted_ - 1) % kept];
  FlightEvent& before = (*ring_)[(noted_ - 2) % kept];
  if (before.kind != FlightKind::data || before.a != event.a || before.b + event.b > UINT8_MAX) return;
  add(before.octets, event.octets);
  add(before.literal, event.literal);
  add(before.b, event.b);
  --noted_;
}

void FlightRecorder::command_started(Time at, const CommandStart& start) noexcept {
  FlightEvent* event = note(at, FlightKind::command);
  if (event == nullptr) return;
  event->octets = start.octets;
  event->a = static_cast<std::uint8_t>(start.command);
  event->b = static_cast<std::uint8_t>(start.mechanism);
}

void FlightRecorder::command_ended(const CommandEnd& end) noexcept {
  const bool answered = end.result <= CommandResult::bad;
  FlightEvent* event = answered ? last_status() : nullptr;
  if (event != nullptr) event->c = static_cast<std::uint8_t>(end.command);
}

void FlightRecorder::client_line(Time at, ClientLine line, std::uint32_t octets) noexcept {
  FlightEvent* event = note(at, FlightKind::line);
  if (event == nullptr) return;
  event->octets = octets;
  event->a = static_cast<std::uint8_t>(line);
}

void FlightRecorder::literal(Time at, Direction direction, std::size_t octets) noexcept {
  const FlightKind kind = direction == Direction::client_to_server ? FlightKind::literal : FlightKind::open_literal;
  FlightEvent* event = last();
  if (event == nullptr || event->kind != kind) event = note(at, kind);
  if (event != nullptr) add(event->literal, octets);
}

void FlightRecorder::bye(ByeReason reason) noexcept {
  if (FlightEvent* event = last_status()) event->c = static_cast<std::uint8_t>(reason);
}

void FlightRecorder::provider_signal(ProviderSignal signal) noexcept {
  if (FlightEvent* event = last_status()) event->signal = static_cast<std::uint8_t>(signal) & 0xfU;
}

void FlightRecorder::messages(MessageOperation operation, std::size_t messages) noexcept {
  FlightEvent* event = operation == MessageOperation::fetched ? last() : last_status();
  if (event == nullptr) return;
  if (event->kind == FlightKind::data) add(event->c, messages);
  if (event->kind == FlightKind::tagged) add(event->literal, messages);
}

void FlightRecorder::anomaly(Time at, Anomaly anomaly) noexcept {
  FlightEvent* event = note(at, FlightKind::anomaly);
  if (event != nullptr) event->a = static_cast<std::uint8_t>(anomaly);
}

void FlightRecorder::opaque(Time at, OpaqueReason reason) noexcept {
  FlightEvent* event = note(at, FlightKind::opaque);
  if (event != nullptr) event->a = static_cast<std::uint8_t>(reason);
}

FlightEvent* FlightRecorder::note(Time at, FlightKind kind) noexcept {
  if (!ring_) ring_.reset(new (std::nothrow) Events{});
  if (!ring_) return nullptr;
  if (noted_ == UINT32_MAX) noted_ -= std::uint32_t{1} << 31U;  // a multiple of what is kept
  FlightEvent& event = (*ring_)[noted_++ % kept];
  event = FlightEvent{};
  event.at = milliseconds(at);
  event.kind = kind;
  return &event;
}

FlightEvent* FlightRecorder::last() noexcept { return noted_ == 0 ? nullptr : &(*ring_)[(noted_ - 1) % kept]; }

FlightEvent* FlightRecorder::last_status() noexcept {
  for (std::uint32_t at = noted_; at > 0 && noted_ - at < kept; --at) {
    FlightEvent& event = (*ring_)[(at - 1) % kept];
    if (event.kind == FlightKind::anomaly) continue;
    const bool status =
        event.kind == FlightKind::greeting || event.kind == FlightKind::untagged || event.kind == FlightKind::tagged;
    return status ? &event : nullptr;
  }
  return nullptr;
}

std::vector<FlightEvent> FlightRecorder::events() const {
  std::vector<FlightEvent> found;
  for (std::uint32_t at = noted_ < kept ? 0 : static_cast<std::uint32_t>(noted_ - kept); at < noted_; ++at)
    found.push_back((*ring_)[at % kept]);
  return found;
}

}  // namespace imapmeter::imap
