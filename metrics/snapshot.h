// All numbers at one moment, summed over the workers: what /metrics and the API are written from.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "metrics/counts.h"
#include "metrics/process_usage.h"
#include "metrics/rates.h"

namespace imapmeter::metrics {

// A time as the metrics and the API have it: seconds since the epoch.
inline double epoch(std::chrono::system_clock::time_point time) noexcept {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

struct BuildInfo {
  std::string version;
  std::string revision;
  std::string openssl;
  std::string boost;
};

struct ListenerSnapshot {
  std::string name;
  std::vector<std::string> binds;  // addresses as configured
  std::string upstream;
  Totals totals;
  RateValues rates{};
  std::size_t failing_networks = 0;
  std::map<std::string, double> certificates;  // file name -> notAfter, seconds since the epoch
};

struct ServerHealth {
  bool up = true;               // sessions go there first; by its checks, or until they have said otherwise
  bool last_succeeded = false;  // the last check
  std::uint64_t ok = 0;
  std::uint64_t failed = 0;
};

struct UpstreamSnapshot {
  std::string name;
  bool tls_verified = false;
  bool checked = true;                          // by health checks
  std::map<std::string, ServerHealth> health;   // by host:port as configured
  std::map<std::string, ServerTotals> servers;  // by host:port as configured
};

struct LimitSnapshot {
  std::string listener;  // "all"
  std::string limit;
  std::uint64_t value = 0;
};

// Of the settings that are in force.
struct ReloadState {
  std::uint64_t succeeded = 0;
  std::uint64_t failed = 0;
  bool last_succeeded = true;
  double last_success = 0;  // seconds since the epoch: the start, at first
};

struct Snapshot {
  std::vector<ListenerSnapshot> listeners;
  std::vector<UpstreamSnapshot> upstreams;
  std::vector<LimitSnapshot> limits;
  std::uint64_t relay_buffer_bytes = 0;
  BuildInfo build;
  unsigned workers = 0;
  double time = 0;   // seconds since the epoch
  double start = 0;  // of this process, the same
  ReloadState reloads;
  std::uint64_t log_lines_dropped = 0;
  std::optional<ProcessUsage> process;
};

// Commands begun and unanswered, IDLE excepted.
std::uint64_t commands_in_flight(const Totals& totals) noexcept;

}  // namespace imapmeter::metrics
