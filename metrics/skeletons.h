// The last sessions that ended badly: what their flight recorders kept, and how they ended. No text of a peer.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/imap/flight_recorder.h"
#include "proxy/observer.h"

namespace imapmeter::metrics {

struct Skeleton {
  std::string id;  // as in the log
  std::string listener;
  std::string server;                         // empty: none was chosen
  std::chrono::system_clock::time_point end;  // for people; nothing is computed from it
  proxy::CloseReason reason = proxy::CloseReason::internal;
  proxy::Phase phase = proxy::Phase::handshake;
  imap::Outcome outcome = imap::Outcome::good;
  imap::ClientSoftware client_software = imap::ClientSoftware::none;
  std::chrono::nanoseconds duration{};
  std::uint32_t noted = 0;  // events in all; those before `events` are forgotten
  std::vector<imap::FlightEvent> events;
};

// Any thread, also several at once. A lock is taken at the end of a session that went badly, and by whoever looks.
class Skeletons {
 public:
  static constexpr std::size_t kept = 500;

  void keep(std::shared_ptr<const Skeleton> skeleton) noexcept;
  std::vector<std::shared_ptr<const Skeleton>> all() const;  // the latest first

 private:
  mutable std::mutex mutex_;
  std::array<std::shared_ptr<const Skeleton>, kept> ring_;
  std::size_t noted_ = 0;
};

// /api/v1/skeletons
std::string skeletons_json(const std::vector<std::shared_ptr<const Skeleton>>& skeletons);

}  // namespace imapmeter::metrics
