// The last events of a session as enums, lengths and times: what happened before it ended badly. It holds no text of a
// peer by construction, so that it can be shown to anybody.
//
// Rules
// - Data responses of one keyword that follow each other are one event; so are the literals of a command.
// - What the tracker derives (states, outcomes, durations) is not in it: a replay derives it again.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/imap/event.h"

namespace imapmeter::imap {

enum class FlightKind : std::uint8_t {
  command,       // a: Command, b: Mechanism
  line,          // of the client that is no command. a: ClientLine
  literal,       // of the client
  greeting,      // a: Condition, b: ResponseCode, c: of the first BYE its ByeReason, else not_told
  untagged,      // the same
  tagged,        // a, b: the same, c: Command that it completed, else not_told
  undefined,     // a line in status position without a condition
  data,          // a: DataKeyword, b: how many, c: messages among them
  open_literal,  // of the server, in a response that has not ended
  continuation,
  anomaly,  // a: Anomaly
  opaque,   // a: OpaqueReason
};

inline constexpr std::uint8_t not_told = 0xff;
inline constexpr std::uint8_t no_signal = 0xf;

struct FlightEvent {
  std::uint32_t at = 0;       // milliseconds since the session was accepted; saturates, as all numbers here
  std::uint32_t octets = 0;   // of lines, line ends included
  std::uint32_t literal = 0;  // octets of literals; of a tagged OK to APPEND: messages
  FlightKind kind : 4 = FlightKind::command;
  std::uint8_t signal : 4 = no_signal;  // of a status response: its ProviderSignal
  std::uint8_t a = 0;
  std::uint8_t b = 0;
  std::uint8_t c = 0;

  friend bool operator==(const FlightEvent&, const FlightEvent&) = default;
};

// "+2.310 S tagged NO [UNAVAILABLE] LOGIN 44 B", without line end.
std::string text(const FlightEvent& event);
// The reverse; nothing where it is not such a line.
std::optional<FlightEvent> parse_flight_event(std::string_view line);

class FlightRecorder {
 public:
  static constexpr std::size_t kept = 32;
  using Events = std::array<FlightEvent, kept>;
  static_assert(sizeof(Events) <= 512);

  using Time = std::chrono::nanoseconds;  // since the session was accepted

  void status(Time at, const Status& status) noexcept;
  void undefined_status(Time at) noexcept { note(at, FlightKind::undefined); }
  void data(Time at, const Data& data) noexcept;
  void continuation(Time at) noexcept { note(at, FlightKind::continuation); }
  void command_started(Time at, const CommandStart& start) noexcept;
  // These three belong to the last status(); only anomalies stand between them and it.
  void command_ended(const CommandEnd& end) noexcept;
  void bye(ByeReason reason) noexcept;
  void provider_signal(ProviderSignal signal) noexcept;
  void client_line(Time at, ClientLine line, std::uint32_t octets) noexcept;
  void literal(Time at, Direction direction, std::size_t octets) noexcept;
  // Belongs to the last data() or status().
  void messages(MessageOperation operation, std::size_t messages) noexcept;
  void anomaly(Time at, Anomaly anomaly) noexcept;
  void opaque(Time at, OpaqueReason reason) noexcept;

  std::uint32_t noted() const noexcept { return noted_; }  // in all, the forgotten ones included
  std::vector<FlightEvent> events() const;                 // oldest first

 private:
  // None where there is no memory for it: the session goes on without.
  FlightEvent* note(Time at, FlightKind kind) noexcept;
  FlightEvent* last() noexcept;
  FlightEvent* last_status() noexcept;
  void join_data() noexcept;

  std::unique_ptr<Events> ring_;  // from the first event on
  std::uint32_t noted_ = 0;
};

}  // namespace imapmeter::imap
