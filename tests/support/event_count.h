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
  std::uint64_t data = 0;
  std::uint64_t messages = 0;
  std::uint64_t compressions = 0;
  std::uint64_t multiplex_removed = 0;
  std::uint64_t deflated = 0;
  std::uint64_t inflated = 0;
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
  void on_data(const imap::Data& responses) noexcept override { data += responses.responses; }
  void on_capabilities(const imap::Capabilities&) noexcept override {}
  void on_continuation() noexcept override {}
  void on_bye(imap::ByeReason) noexcept override { ++byes; }
  void on_state(imap::SessionState from, imap::SessionState to) noexcept override {
    states_join = states_join && from == state && from != to;
    state = to;
  }
  void on_authenticated() noexcept override {}
  void on_command_started(const imap::CommandStart&) noexcept override { ++started; }
  void on_command_ended(const imap::CommandEnd& end) noexcept override {
    ++(end.result == imap::CommandResult::untracked ? untracked : ended);
  }
  void on_idle(std::chrono::nanoseconds) noexcept override {}
  void on_client_line(imap::ClientLine, std::uint32_t) noexcept override {}
  void on_first_response(imap::Command, std::chrono::nanoseconds) noexcept override { ++first_responses; }
  void on_auth_attempt(const imap::AuthAttempt&) noexcept override {}
  void on_literal(imap::Direction, std::size_t octets) noexcept override { literal_octets += octets; }
  void on_messages(imap::MessageOperation, std::size_t count) noexcept override { messages += count; }
  void on_provider_signal(imap::ProviderSignal) noexcept override {}
  void on_compress(imap::CompressResult) noexcept override { ++compressions; }
  void on_inflated(imap::Direction, std::size_t from, std::size_t to) noexcept override {
    deflated += from;
    inflated += to;
  }
  void on_anomaly(imap::Anomaly) noexcept override { ++anomalies; }
  void on_opaque(imap::OpaqueReason) noexcept override { ++opaque; }
  void on_capability_removed() noexcept override { ++words_removed; }
  void on_multiplex_removed() noexcept override { ++multiplex_removed; }
  void on_outcome(imap::Outcome) noexcept override { ++outcomes; }
};

}  // namespace imapmeter::test
