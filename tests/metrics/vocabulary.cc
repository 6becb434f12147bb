// Prints an exposition in which every family shows every label value it has, those that hide zeros included: what
// expressions may name.
#include <prometheus/text_serializer.h>

#include <array>
#include <bit>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

#include "metrics/families.h"
#include "tests/metrics/drive.h"

namespace {

using namespace imapmeter;

// Both kinds of totals hold nothing but numbers of this type: with each of them 1, nothing is hidden.
template <class Numbers>
Numbers all_ones() {
  static_assert(sizeof(Numbers) % sizeof(std::uint64_t) == 0);
  std::array<std::uint64_t, sizeof(Numbers) / sizeof(std::uint64_t)> ones{};
  ones.fill(1);
  return std::bit_cast<Numbers>(ones);
}

}  // namespace

int main() {
  metrics::Metrics metrics(metrics::one_listener(), 1, metrics::build());
  metrics.set_certificate_expiry(0, "mail.pem", std::chrono::system_clock::now());
  // Those of proxy/main.cc: the test compares.
  for (const char* limit : {"sessions", "sessions_per_network", "sessions_per_upstream", "relay_buffer_bytes",
                            "memory_bytes", "handshakes", "handshakes_per_second"})
    metrics.set_limit("all", limit, 1);

  metrics::Snapshot snapshot = metrics.snapshot();
  for (metrics::ListenerSnapshot& listener : snapshot.listeners) listener.totals = all_ones<metrics::Totals>();
  for (metrics::UpstreamSnapshot& upstream : snapshot.upstreams) {
    for (auto& [server, totals] : upstream.servers) totals = all_ones<metrics::ServerTotals>();
  }
  const std::string text = prometheus::TextSerializer().Serialize(metrics::families(snapshot));
  return std::fputs(text.c_str(), stdout) < 0 ? 1 : 0;
}
