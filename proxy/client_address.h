// A client's address as the log may show it (log.client_address).
#pragma once

#include <array>
#include <string>

#include "config/config.h"
#include "proxy/net.h"

namespace imapmeter::proxy {

// The same for all threads; made once, as its key is this process's.
class ClientAddressText {
 public:
  explicit ClientAddressText(config::ClientAddress mode);  // throws std::runtime_error without random octets

  // truncated: its network, "192.0.2.0/24" or "2001:db8:1::/48". hashed: 16 hexadecimal digits, the same for the same
  // address. clear: the address without its port. "unix" where it has none; nothing where the log may not show it.
  std::string operator()(const IpEndpoint& client) const;

 private:
  std::string hashed(const IpEndpoint& client) const;

  config::ClientAddress mode_;
  std::array<unsigned char, 32> key_{};
};

}  // namespace imapmeter::proxy
