// What is known of one session beside how it ended: for its line in the log. A block of its own, allocated with the
// session, as it is written a few times in the session's life and read once.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/imap/event.h"
#include "proxy/imap/flight_recorder.h"
#include "proxy/net.h"
#include "proxy/observer.h"

namespace imapmeter::proxy {

// Of a session's id: its worker, and which of the worker's sessions it is.
inline constexpr unsigned session_id_worker_shift = 48;
inline constexpr std::uint64_t session_id_count_mask = (std::uint64_t{1} << session_id_worker_shift) - 1;

// "3-42": what the log, the API and the operator call a session.
inline std::string session_id_text(std::uint64_t id) {
  return std::to_string(id >> session_id_worker_shift) + "-" + std::to_string(id & session_id_count_mask);
}

struct SessionFacts {
  static constexpr std::uint32_t not_taken = UINT32_MAX;

  struct Tls {
    TlsVersion version = TlsVersion::none;
    bool resumed = false;
  };

  std::uint64_t id = 0;
  imap::TimePoint step_began{};                               // the step that goes on, login excepted
  imap::TimePoint dial_began{};                               // of the first server
  imap::TimePoint login_began{};                              // the epoch: none has begun
  std::array<std::uint64_t, imap::direction_count> octets{};  // accepted by the receiving leg
  std::array<std::uint32_t, imap::command_result_count> commands{};
  std::array<std::uint32_t, step_count> steps{not_taken, not_taken, not_taken, not_taken, not_taken};  // microseconds
  IpEndpoint client;                                                                                   // its address
  std::uint64_t network = 0;            // the client's, by network_of(); known from the first attempt to log in
  IpEndpoint source;                    // ours towards the server, once connected
  std::optional<std::uint16_t> server;  // of the upstream's, the last that was tried
  std::array<Tls, side_count> tls{};
  std::optional<imap::ByeReason> bye;
  imap::FlightRecorder flight;
  imap::ClientSoftware client_software = imap::ClientSoftware::none;
  std::optional<imap::Outcome> outcome;  // none where no greeting was seen

  void take(Step step, std::chrono::nanoseconds time) noexcept {
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(time).count();
    steps[static_cast<std::size_t>(step)] = us < 0            ? 0
                                            : us >= not_taken ? not_taken - 1
                                                              : static_cast<std::uint32_t>(us);
  }
  bool has_taken(Step step) const noexcept { return steps[static_cast<std::size_t>(step)] != not_taken; }
  // The step that goes on is over, and the next one begins.
  void end_step(Step step) noexcept {
    const imap::TimePoint now = std::chrono::steady_clock::now();
    take(step, now - step_began);
    step_began = now;
  }
  // A server is dialled: what is known of one that was tried before is of no use, but the time that it took.
  void forget_server() noexcept {
    step_began = dial_began;
    for (const Step step : {Step::connect, Step::upstream_tls, Step::greeting})
      steps[static_cast<std::size_t>(step)] = not_taken;
    source = {};
    tls[static_cast<std::size_t>(Side::upstream)] = {};
  }
};
// Paid once per session, like sizeof(Session).
static_assert(sizeof(SessionFacts) <= 216);

}  // namespace imapmeter::proxy
