// What workers know of the configuration: immutable, made on the control thread, swapped between turns. A session keeps
// the one it started with.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "proxy/balance.h"
#include "proxy/net.h"
#include "proxy/tls_context.h"

namespace imapmeter::proxy {

struct ServerTarget {
  std::string name;                      // host:port as configured
  std::string host;                      // for SNI and the certificate
  std::vector<SocketAddress> addresses;  // empty: not resolved so far
};

// Shared by all workers and snapshots.
struct UpstreamState {
  explicit UpstreamState(std::size_t count) : servers(count) {}
  std::vector<ServerState> servers;            // as the configuration numbers them
  std::atomic<std::size_t> turn{0};            // moves on with each choice of a server
  std::atomic<std::uint8_t> findings_told{0};  // what the log has said of its capabilities
};

struct UpstreamTarget {
  std::string name;
  std::shared_ptr<SSL_CTX> tls;  // null: plaintext
  bool starttls = false;         // TLS begins after STARTTLS
  std::vector<ServerTarget> servers;
  std::vector<SocketAddress> sources;  // to connect from, in order; port 0
  bool proxy_protocol = false;         // each connection begins with a PROXY header
  config::Balance balance = config::Balance::least_sessions;
  std::shared_ptr<UpstreamState> state;
};

struct ListenerSettings {
  std::string name;
  std::shared_ptr<const ServerTls> tls;  // null: plaintext
  std::size_t upstream = 0;              // index into Snapshot::upstreams
  config::Capabilities capabilities = config::Capabilities::auto_;
  std::vector<config::Network> proxy_senders = {};     // not empty: each connection begins with a PROXY header
  bool observe = true;                                 // false: relayed and not read
  bool starttls = false;                               // TLS begins after STARTTLS
  std::vector<config::Network> trusted_networks = {};  // what their clients ask for in ID to multiplex is taken out
};

struct Snapshot {
  std::vector<ListenerSettings> listeners;
  std::vector<UpstreamTarget> upstreams;
  config::Timeouts timeouts;
};

}  // namespace imapmeter::proxy
