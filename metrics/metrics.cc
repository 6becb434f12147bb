#include "metrics/metrics.h"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <sstream>
#include <utility>

#include "metrics/families.h"
#include "metrics/session_table.h"

namespace imapmeter::metrics {

Metrics::Metrics(const config::Config& config, unsigned workers, BuildInfo build, Clock clock)
    : clock_(clock),
      build_(std::move(build)),
      upstreams_(config.upstreams),
      start_(epoch(std::chrono::system_clock::now())),
      certificates_(config.listeners.size()) {
  reloads_.last_success = start_;
  for (const config::Upstream& upstream : upstreams_) {
    health_.emplace_back(upstream.servers.size());
    std::vector<std::string> servers;
    for (const config::Address& each : upstream.servers) servers.push_back(config::to_string(each));
    capabilities_.push_back(std::make_unique<CapabilityHistory>(upstream.name, std::move(servers), events_));
  }
  for (const config::Listener& listener : config.listeners) {
    const auto upstream = std::find_if(upstreams_.begin(), upstreams_.end(),
                                       [&](const config::Upstream& u) { return u.name == listener.upstream; });
    ListenerSlot slot;
    slot.config = listener;
    slot.upstream = static_cast<std::size_t>(upstream - upstreams_.begin());
    const std::size_t servers = upstream == upstreams_.end() ? 0 : upstream->servers.size();
    slot.names = std::make_unique<SkeletonNames>(SkeletonNames{listener.name, {}});
    for (std::size_t i = 0; i < servers; ++i) slot.names->servers.push_back(config::to_string(upstream->servers[i]));
    for (unsigned worker = 0; worker < workers; ++worker) {
      slot.shards.push_back(std::make_unique<Shard>(servers, clock));
      slot.shards.back()->share({&skeletons_, slot.names.get(),
                                 upstream == upstreams_.end() ? nullptr : capabilities_[slot.upstream].get(),
                                 &events_});
    }
    listeners_.push_back(std::move(slot));
  }
}

void Metrics::note_health_check(std::size_t upstream, std::size_t server, bool succeeded, bool up) {
  const std::lock_guard lock(mutex_);
  ServerHealth& health = health_.at(upstream).at(server);
  const bool changed = std::exchange(health.up, up) != up;
  health.last_succeeded = succeeded;
  ++(succeeded ? health.ok : health.failed);
  if (!changed) return;
  events_.note(
      {up ? "server_up" : "server_down",
       {{"upstream", upstreams_[upstream].name}, {"server", config::to_string(upstreams_[upstream].servers[server])}}});
}

std::optional<bool> Metrics::is_usable(std::string_view upstream) const {
  const auto found =
      std::find_if(upstreams_.begin(), upstreams_.end(), [&](const auto& u) { return u.name == upstream; });
  if (found == upstreams_.end()) return std::nullopt;
  const std::lock_guard lock(mutex_);
  const auto& health = health_[static_cast<std::size_t>(found - upstreams_.begin())];
  return std::any_of(health.begin(), health.end(), [](const ServerHealth& each) { return each.up; });
}

Shard& Metrics::shard(unsigned worker, std::size_t listener) { return *listeners_.at(listener).shards.at(worker); }

void Metrics::set_certificate_expiry(std::size_t listener, const std::string& certificate,
                                     std::chrono::system_clock::time_point not_after) {
  const std::lock_guard lock(mutex_);
  const auto since_epoch = std::chrono::duration_cast<std::chrono::seconds>(not_after.time_since_epoch());
  certificates_.at(listener)[certificate] = static_cast<double>(since_epoch.count());
}

void Metrics::note_reload(bool succeeded) {
  const std::lock_guard lock(mutex_);
  ++(succeeded ? reloads_.succeeded : reloads_.failed);
  reloads_.last_succeeded = succeeded;
  if (succeeded) reloads_.last_success = epoch(std::chrono::system_clock::now());
}

void Metrics::step(const Snapshot& now) {
  const auto time = std::chrono::system_clock::now();
  history_.note(now, time);
  if (!judge_.note(now, time)) return;
  const Verdict verdict = judge_.verdict();
  events_.note({"verdict", {{"state", std::string(name(verdict.state))}, {"sentence", verdict.sentence}}});
}

std::string Metrics::open_sessions() const {
  std::vector<const SkeletonNames*> names;
  for (const ListenerSlot& slot : listeners_) names.push_back(slot.names.get());
  return sessions_json(open_sessions_(), names);
}

void Metrics::set_limit(const std::string& listener, const std::string& limit, std::uint64_t value) {
  const std::lock_guard lock(mutex_);
  limits_.push_back({listener, limit, value});
}

ListenerSnapshot Metrics::listener_snapshot(const ListenerSlot& slot) const {
  ListenerSnapshot snapshot;
  snapshot.name = slot.config.name;
  for (const config::Address& each : slot.config.binds) snapshot.binds.push_back(config::to_string(each));
  snapshot.upstream = slot.config.upstream;
  const imap::TimePoint now = clock_();
  FailingNetworks::Merged networks;
  for (const auto& shard : slot.shards) {
    shard->failing_networks().merge_into(networks);
    add(snapshot.totals, shard->counts());
    add(snapshot.rates, shard->rates().at(now));
  }
  snapshot.failing_networks = FailingNetworks::count(networks, now);
  return snapshot;
}

Snapshot Metrics::snapshot() const {
  Snapshot snapshot;
  snapshot.build = build_;
  snapshot.workers = listeners_.empty() ? 0 : static_cast<unsigned>(listeners_.front().shards.size());
  snapshot.time = epoch(std::chrono::system_clock::now());
  snapshot.start = start_;
  if (dropped_lines_) snapshot.log_lines_dropped = dropped_lines_();
  for (const config::Upstream& upstream : upstreams_) {
    UpstreamSnapshot& to = snapshot.upstreams.emplace_back();
    to.name = upstream.name;
    to.tls_verified = upstream.tls != config::Tls::none && !upstream.insecure_skip_certificate_verification;
    to.checked = upstream.health_check.interval.count() != 0;
    for (const config::Address& server : upstream.servers) to.servers[config::to_string(server)];
  }
  for (const ListenerSlot& slot : listeners_) {
    snapshot.listeners.push_back(listener_snapshot(slot));
    if (slot.upstream == upstreams_.size()) continue;
    const auto& servers = upstreams_[slot.upstream].servers;
    for (const auto& shard : slot.shards) {
      for (std::size_t i = 0; i < servers.size(); ++i) {
        add(snapshot.upstreams[slot.upstream].servers[config::to_string(servers[i])], shard->servers()[i]);
      }
    }
  }
  snapshot.relay_buffer_bytes = relay_buffers_();
  const std::lock_guard lock(mutex_);
  snapshot.limits = limits_;
  snapshot.reloads = reloads_;
  for (std::size_t i = 0; i < health_.size(); ++i) {
    for (std::size_t server = 0; server < health_[i].size(); ++server)
      snapshot.upstreams[i].health[config::to_string(upstreams_[i].servers[server])] = health_[i][server];
  }
  for (std::size_t i = 0; i < certificates_.size(); ++i) snapshot.listeners[i].certificates = certificates_[i];
  snapshot.process = process_.read();
  return snapshot;
}

std::vector<prometheus::MetricFamily> Metrics::Collect() const { return families(snapshot()); }

std::string Metrics::exposition() const { return prometheus::TextSerializer().Serialize(Collect()); }

std::string Metrics::counted() const {
  std::istringstream lines(exposition());
  std::string counted;
  bool counts = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# TYPE ")) counts = line.ends_with(" counter") || line.ends_with(" histogram");
    const bool ours = line.starts_with("imapmeter_") && line.find("_bucket{") == std::string::npos;
    if (counts && ours && !line.ends_with(" 0")) counted += line + "\n";
  }
  return counted;
}

}  // namespace imapmeter::metrics
