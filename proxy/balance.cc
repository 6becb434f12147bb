#include "proxy/balance.h"

namespace imapmeter::proxy {

std::size_t choose_server(config::Balance balance, std::span<const ServerState> servers, ServerSet tried,
                          std::size_t turn) noexcept {
  const bool in_order = balance == config::Balance::failover;
  const std::size_t none = servers.size();
  std::size_t best = none;
  bool best_up = false;
  std::uint32_t best_sessions = 0;
  for (std::size_t step = 0; step < servers.size(); ++step) {
    const std::size_t number = in_order ? step : (turn + step) % servers.size();
    if ((tried >> number & 1) != 0) continue;
    const bool up = servers[number].up.load(std::memory_order_relaxed);
    const std::uint32_t sessions = in_order ? 0 : servers[number].sessions.load(std::memory_order_relaxed);
    const bool better = up != best_up ? up : sessions < best_sessions;
    if (best != none && !better) continue;
    best = number;
    best_up = up;
    best_sessions = sessions;
  }
  return best;
}

}  // namespace imapmeter::proxy
