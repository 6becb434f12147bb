// The counters of one worker and listener: what both observers tell, added to plain tables. No look-up, lock or
// allocation after construction.
#pragma once

#include <chrono>
#include <cstddef>
#include <vector>

#include "metrics/counts.h"
#include "metrics/failing_networks.h"
#include "metrics/rates.h"
#include "metrics/skeletons.h"
#include "proxy/imap/observer.h"
#include "proxy/observer.h"

namespace imapmeter::metrics {

using Clock = imap::TimePoint (*)();

// What a session's numbers stand for.
struct SkeletonNames {
  std::string listener;
  std::vector<std::string> servers;
};

// Where a shard reports what is not a number; each may be absent.
struct Shared {
  Skeletons* skeletons = nullptr;  // and then `names`, too
  const SkeletonNames* names = nullptr;
  CapabilityHistory* capabilities = nullptr;
  Events* events = nullptr;
};

// Written by its worker only; counts(), server() and rates() may be read on any thread at any time. Each is allocated
// by itself and begins with what is only read, so that two workers do not write to one cache line.
class Shard final : public imap::Observer, public proxy::Observer {
 public:
  // `servers`: how many the listener's upstream has; a number beyond them is not counted.
  explicit Shard(std::size_t servers, Clock clock = std::chrono::steady_clock::now);
  // What is shared beyond one worker; outlives this object.
  void share(const Shared& shared) noexcept { shared_ = shared; }

  void on_status(const imap::Status& status) noexcept override;
  void on_undefined_status() noexcept override;
  void on_data(const imap::Data& data) noexcept override;
  void on_capabilities(const imap::Capabilities& /*capabilities*/) noexcept override {}
  void on_continuation() noexcept override {}
  void on_bye(imap::ByeReason reason) noexcept override;
  void on_state(imap::SessionState from, imap::SessionState to) noexcept override;
  void on_authenticated() noexcept override;
  void on_command_started(const imap::CommandStart& start) noexcept override;
  void on_command_ended(const imap::CommandEnd& end) noexcept override;
  void on_idle(std::chrono::nanoseconds duration) noexcept override;
  void on_client_line(imap::ClientLine /*line*/, std::uint32_t /*octets*/) noexcept override {}
  void on_first_response(imap::Command command, std::chrono::nanoseconds time) noexcept override;
  void on_auth_attempt(const imap::AuthAttempt& attempt) noexcept override;
  void on_literal(imap::Direction direction, std::size_t octets) noexcept override;
  void on_messages(imap::MessageOperation operation, std::size_t messages) noexcept override;
  void on_provider_signal(imap::ProviderSignal signal) noexcept override;
  void on_anomaly(imap::Anomaly anomaly) noexcept override;
  void on_compress(imap::CompressResult result) noexcept override;
  void on_inflated(imap::Direction direction, std::size_t deflated, std::size_t inflated) noexcept override;
  void on_opaque(imap::OpaqueReason reason) noexcept override;
  void on_capability_removed() noexcept override;
  void on_multiplex_removed() noexcept override;
  void on_outcome(imap::Outcome outcome) noexcept override;

  void on_accepted() noexcept override;
  void on_handshake(const proxy::Handshake& handshake) noexcept override;
  void on_starttls(proxy::Side side, proxy::StarttlsResult result) noexcept override;
  void on_plaintext_login_refused() noexcept override;
  void on_upstream_connect(std::size_t server, proxy::ConnectResult result) noexcept override;
  void on_upstream_sessions(std::size_t server, int change) noexcept override;
  void on_bytes(imap::Direction direction, std::size_t octets) noexcept override;
  void on_authored(proxy::Authored what) noexcept override;
  void on_blocked(proxy::Side side, int change, std::chrono::nanoseconds waited) noexcept override;
  void on_relay_delay(imap::Direction direction, std::chrono::nanoseconds delay) noexcept override;
  void on_step(proxy::Step step, std::chrono::nanoseconds time) noexcept override;
  void on_server_status(std::size_t server, imap::Condition condition) noexcept override;
  void on_server_capabilities(std::size_t server, const imap::Capabilities& capabilities) noexcept override;
  void on_server_first_response(std::size_t server, std::chrono::nanoseconds time) noexcept override;
  void on_auth_attempt(std::size_t server, const proxy::SessionFacts& session,
                       const imap::AuthAttempt& attempt) noexcept override;
  void on_closed(const proxy::Closed& closed) noexcept override;

  const Counts<Cell>& counts() const noexcept { return counts_; }
  const std::vector<ServerCounts<Cell>>& servers() const noexcept { return servers_; }
  const Rates& rates() const noexcept { return rates_; }
  const FailingNetworks& failing_networks() const noexcept { return failing_networks_; }

 private:
  void count(std::optional<Failure> failure) noexcept;
  void tell_limit(proxy::CloseReason limit) noexcept;
  void keep_skeleton(const proxy::Closed& closed) noexcept;

  Clock clock_;
  Counts<Cell> counts_;
  std::vector<ServerCounts<Cell>> servers_;
  Rates rates_;
  FailingNetworks failing_networks_;
  Shared shared_;
  std::array<bool, proxy::close_reason_count> limits_told_{};
  // The last set of each server: one that is seen again costs no lock.
  std::vector<std::array<imap::CapabilitySet, capability_states>> last_capabilities_;
};

}  // namespace imapmeter::metrics
