// Which of an upstream's servers a session goes to.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "config/config.h"

namespace imapmeter::proxy {

// What all workers and health checks know of one server together.
struct ServerState {
  std::atomic<bool> up{true};              // by its health checks; until they have said otherwise, it is
  std::atomic<std::uint32_t> sessions{0};  // that have chosen it and not left it
};

// The servers that a session has tried, by number; config::most_servers is the bits there are.
using ServerSet = std::uint64_t;
static_assert(config::most_servers == sizeof(ServerSet) * 8);

// The number of the best server that is not in `tried`, servers.size() when all are. Servers that are down come last,
// and still come: a wrong health check must not stop mail. `turn` differs from choice to choice, so that servers with
// as many sessions take turns.
std::size_t choose_server(config::Balance balance, std::span<const ServerState> servers, ServerSet tried,
                          std::size_t turn) noexcept;

}  // namespace imapmeter::proxy
