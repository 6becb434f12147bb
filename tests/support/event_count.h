// An imap::Observer that only counts, and allocates nothing.
#pragma once

#include <cstdint>

#include "proxy/imap/observer.h"

namespace imapmeter::test {

struct EventCount final : imap::Observer {
  std::uint64_t statuses = 0;
  std::uint64_t started = 0;
  std::uint64_t ended = 0;  // with an answer or aborted
  std::uint64_t untracked = 0;
  std::uint64_t first_responses = 0;
  std::uint64_t anomalies = 0;
  std::uint64_t literal_octets = 0;
  std::uint64_t opaque = 0;
  std::uint64_t byes = 0;
  std::uint64_t outcomes = 0;
  std::uint64_t words_removed = 0;
  imap::SessionState state = imap::SessionState::connecting;
  bool states_join = true;  // each move began where the last one ended

  void on_status(const imap::Status&) noexcept override { ++statuses; }
  void on_undefined_status() noexcept override {}
  void on_bye(imap::ByeReason) noexcept override { ++byes; }
  void on_state(imap::SessionState from, imap::SessionState to) noexcept override {
    states_join = states_join && from == state && from != to;
    state = to;
  }
  void on_authenticated() noexcept override {}
  void on_command_started(imap::Command) noexcept override { ++started; }
  void on_command_ended(imap::Command, imap::CommandResult result) noexcept override {
    ++(result == imap::CommandResult::untracked ? untracked : ended);
  }
  void on_first_response(imap::Command, std::chrono::nanoseconds) noexcept override { ++first_responses; }
  void on_auth_attempt(const imap::AuthAttempt&) noexcept override {}
  void on_literal(imap::Direction, std::size_t octets) noexcept override { literal_octets += octets; }
  void on_anomaly(imap::Anomaly) noexcept override { ++anomalies; }
  void on_opaque(imap::OpaqueReason) noexcept override { ++opaque; }
  void on_capability_removed() noexcept override { ++words_removed; }
  void on_outcome(imap::Outcome) noexcept override { ++outcomes; }
};

}  // namespace imapmeter::test
