// All that is counted: one Shard per worker and listener, summed when somebody looks.
#pragma once

#include <prometheus/collectable.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.h"
#include "metrics/history.h"
#include "metrics/process_usage.h"
#include "metrics/shard.h"
#include "metrics/snapshot.h"
#include "metrics/verdict.h"
#include "proxy/open_session.h"

namespace imapmeter::metrics {

// Outlives the workers and the admin server. Everything but shard() may be called on any thread at any time. No look
// takes a lock that a relay thread takes, but for the one of the log's queue.
class Metrics final : public prometheus::Collectable {
 public:
  // Allocates every shard. `workers` is the real number of them, not config.workers.
  Metrics(const config::Config& config, unsigned workers, BuildInfo build,
          Clock clock = std::chrono::steady_clock::now);

  // What a worker's sessions of config.listeners[listener] report to. Throws std::out_of_range.
  Shard& shard(unsigned worker, std::size_t listener);

  // A certificate that is now served: `certificate` is its file name as configured, or "self_signed".
  void set_certificate_expiry(std::size_t listener, const std::string& certificate,
                              std::chrono::system_clock::time_point not_after);

  // Who knows how many lines of the log were dropped; nobody: none. Call before the first look.
  void ask_for_dropped_lines(std::function<std::uint64_t()> dropped) { dropped_lines_ = std::move(dropped); }
  // A limit that is in force, "all" where it is not one of a listener's.
  void set_limit(const std::string& listener, const std::string& limit, std::uint64_t value);
  // A server was asked for its greeting: whether it gave one, and whether it counts as up now. From the control thread.
  void note_health_check(std::size_t upstream, std::size_t server, bool succeeded, bool up);
  // Whether a server of the upstream counts as up; nothing where no upstream has that name.
  std::optional<bool> is_usable(std::string_view upstream) const;
  // Tells the octets that sessions keep now; on any thread. Before the first look.
  void set_relay_buffers(std::function<std::uint64_t()> lent) { relay_buffers_ = std::move(lent); }

  // Who knows the sessions that are open now; may wait for a moment. Before the first look.
  void set_open_sessions(std::function<proxy::OpenSessions()> open) { open_sessions_ = std::move(open); }
  // The settings were to be read again.
  void note_reload(bool succeeded);
  // Once in every History::step: the history goes on, and a verdict is found.
  void step(const Snapshot& now);

  Snapshot snapshot() const;
  std::vector<prometheus::MetricFamily> Collect() const override;
  const Skeletons& skeletons() const noexcept { return skeletons_; }
  Events& events() noexcept { return events_; }
  const Events& events() const noexcept { return events_; }
  const History& history() const noexcept { return history_; }
  Verdict verdict() const { return judge_.verdict(); }
  // /api/v1/sessions
  std::string open_sessions() const;
  // The answer to GET /metrics: Prometheus text format 0.0.4.
  std::string exposition() const;
  // Of these the series that count something and are not zero; of histograms count and sum.
  std::string counted() const;

 private:
  struct ListenerSlot {
    config::Listener config;
    std::size_t upstream = 0;  // upstreams_.size() where there is none of that name
    std::unique_ptr<SkeletonNames> names;
    std::vector<std::unique_ptr<Shard>> shards;  // by worker
  };

  ListenerSnapshot listener_snapshot(const ListenerSlot& slot) const;

  Clock clock_;
  BuildInfo build_;
  std::vector<config::Upstream> upstreams_;
  Skeletons skeletons_;
  Events events_;
  History history_;
  Judge judge_;
  std::vector<std::unique_ptr<CapabilityHistory>> capabilities_;  // by upstream
  std::vector<ListenerSlot> listeners_;
  std::function<std::uint64_t()> dropped_lines_;
  std::function<std::uint64_t()> relay_buffers_ = [] { return std::uint64_t{0}; };

  std::function<proxy::OpenSessions()> open_sessions_ = [] { return proxy::OpenSessions{}; };
  const double start_;

  // Between the control thread, which sets, and whoever looks; never taken by a relay thread.
  mutable std::mutex mutex_;
  std::vector<std::map<std::string, double>> certificates_;  // by listener
  std::vector<LimitSnapshot> limits_;
  ReloadState reloads_;
  std::vector<std::vector<ServerHealth>> health_;  // by upstream and server
  mutable ProcessReader process_;
};

}  // namespace imapmeter::metrics
