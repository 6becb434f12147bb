#include "metrics/failing_networks.h"

#include <algorithm>

namespace imapmeter::metrics {
namespace {

std::uint32_t seconds(imap::TimePoint time) noexcept {
  const auto since = std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
  return static_cast<std::uint32_t>(since) + 1;  // never 0
}

bool within(std::uint32_t then, std::uint32_t now) noexcept {
  // `then` may be the later one: what was noted after a scrape has looked at the clock
  return then != 0 && now <= then + std::chrono::seconds(failing_networks_window).count();
}

}  // namespace

void FailingNetworks::note(std::uint64_t network, bool success, imap::TimePoint now) noexcept {
  Place& place = place_of(network);
  (success ? place.succeeded : place.failed).store(seconds(now), std::memory_order_relaxed);
}

FailingNetworks::Place& FailingNetworks::place_of(std::uint64_t network) noexcept {
  const std::size_t home = network * 0x9e3779b97f4a7c15 >> 32;
  Place* oldest = nullptr;
  std::uint32_t oldest_time = UINT32_MAX;
  for (std::size_t probe = 0; probe < probes; ++probe) {
    Place& place = places_[(home + probe) % places];
    if (place.network.load(std::memory_order_relaxed) == network) return place;
    const std::uint32_t last =
        std::max(place.failed.load(std::memory_order_relaxed), place.succeeded.load(std::memory_order_relaxed));
    if (last >= oldest_time) continue;
    oldest = &place;
    oldest_time = last;
  }
  // A reader between these stores sees a network without times.
  oldest->network.store(0, std::memory_order_relaxed);
  oldest->failed.store(0, std::memory_order_relaxed);
  oldest->succeeded.store(0, std::memory_order_relaxed);
  oldest->network.store(network, std::memory_order_release);
  return *oldest;
}

void FailingNetworks::merge_into(Merged& merged) const {
  for (const Place& place : places_) {
    const std::uint64_t network = place.network.load(std::memory_order_acquire);
    if (network == 0) continue;
    Times& times = merged[network];
    times.failed = std::max(times.failed, place.failed.load(std::memory_order_relaxed));
    times.succeeded = std::max(times.succeeded, place.succeeded.load(std::memory_order_relaxed));
  }
}

std::size_t FailingNetworks::count(const Merged& merged, imap::TimePoint now) noexcept {
  const std::uint32_t at = seconds(now);
  return static_cast<std::size_t>(std::count_if(merged.begin(), merged.end(), [at](const auto& each) {
    return within(each.second.failed, at) && !within(each.second.succeeded, at);
  }));
}

}  // namespace imapmeter::metrics
