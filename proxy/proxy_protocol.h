// The PROXY protocol of HAProxy (doc/proxy-protocol.txt there): what a proxy says of its client before the client's own
// octets. Pure: no I/O, nothing allocated. The checksum (PP2_TYPE_CRC32C) is neither sent nor verified: TCP has its
// own.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "proxy/net.h"

namespace imapmeter::proxy {

inline constexpr std::size_t longest_proxy_header_v1 = 107;  // the longest line that version 1 allows
inline constexpr std::size_t proxy_header_v2_prefix = 16;    // signature, command, family, length
// Addresses take 216 octets at most; the rest is for extensions: a certificate's name, an identifier, no more.
inline constexpr std::size_t longest_proxy_header = proxy_header_v2_prefix + 2048;

struct ProxyHeader {
  enum class Status : std::uint8_t {
    need_more,  // the beginning of a header
    complete,
    malformed,
  };
  Status status = Status::malformed;
  bool proxied = false;    // false: LOCAL, UNKNOWN or no TCP over IP: the connection's own addresses hold
  std::size_t octets = 0;  // of a complete header: its length
  IpEndpoint source = {};  // where proxied: the client
  IpEndpoint destination = {};
};

// `octets`: the beginning of a connection, all of it so far; what follows a header is not looked at. Versions 1 and 2.
// The first octet that no header can have makes it malformed. Extensions are skipped.
ProxyHeader parse_proxy_header(std::span<const char> octets) noexcept;

// A header of version 2 to be sent.
class ProxyHeaderText {
 public:
  std::span<const char> octets() const noexcept { return {octets_.data(), size_}; }
  void append(std::string_view more) noexcept;
  void append(std::uint16_t number) noexcept;
  // A type, a length that set_length() fills in; returns where.
  std::size_t begin_extension(std::uint8_t type) noexcept;
  void set_length(std::size_t at) noexcept;

 private:
  std::array<char, 256> octets_{};
  std::size_t size_ = 0;
};

// The client's TLS, as SSL_get_version() and SSL_get_cipher_name() name it. An empty version: none.
struct ProxiedTls {
  std::string_view version = {};
  std::string_view cipher = {};
};

// Of a client: PROXY with both addresses, IPv4 where both are, else IPv6, and with its TLS; LOCAL where `source` is not
// known.
ProxyHeaderText proxy_header(const IpEndpoint& source, const IpEndpoint& destination, const ProxiedTls& tls) noexcept;
// Of a connection of our own, such as a health check: LOCAL.
ProxyHeaderText local_proxy_header() noexcept;

}  // namespace imapmeter::proxy
