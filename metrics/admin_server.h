// The two HTTP listeners, on a thread of their own: one for scrapers, which may be open to the network, one for the
// operator on this machine. GET and HEAD of a few fixed pages, one request per connection, and nothing from disk.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "metrics/metrics.h"

namespace imapmeter::metrics {

// What a peer can make us spend. The defaults are the product's; tests shorten the waits.
struct AdminLimits {
  std::size_t header_octets = 8192;                 // request line and header fields
  std::chrono::milliseconds request_timeout{5000};  // from accept to the end of the header
  std::chrono::milliseconds write_timeout{10000};   // for the whole answer, until the peer closes
  std::size_t connections = 16;                   // per listener; one more drops the oldest that is not being answered
  unsigned scrapes_per_second = 10;               // from one address, on a listener that is open to the network
  std::size_t spare_descriptors = 4;              // for answers while the process has no descriptor left
  std::chrono::milliseconds accept_backoff{100};  // after a failed accept
};

class AdminServer {
 public:
  // Binds `metrics` (host:port; empty: none) and `admin` (host:port or unix:/path; "none" or empty: none). Throws
  // std::runtime_error with a sentence that names the address and the reason. `ready` answers /readyz, on the HTTP
  // thread. `metrics_source` outlives this object.
  AdminServer(const std::string& metrics, const std::string& admin, const Metrics& metrics_source,
              std::function<bool()> ready, const AdminLimits& limits = {});
  // Stops.
  ~AdminServer();
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  // Serves from now on; until then connections wait in the kernel. Once.
  void start();
  // Ends the thread and closes everything. A second call does nothing.
  void stop();

  // The address really bound (port 0 is replaced): "127.0.0.1:19143", "unix:/run/imapmeter.sock"; empty: none.
  const std::string& metrics_address() const;
  const std::string& admin_address() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace imapmeter::metrics
