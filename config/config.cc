#include "config/config.h"

#include <arpa/inet.h>

#include <algorithm>

#include "config/scalars.h"

namespace imapmeter::config {

namespace {

constexpr std::size_t longest_name = 253;  // RFC 1035 section 2.3.4, without the final dot

bool is_ipv4(const std::string& host) {
  in_addr address{};
  return inet_pton(AF_INET, host.c_str(), &address) == 1;
}

bool is_ipv6(const std::string& host) {
  in6_addr address{};
  return inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

bool is_host_name(std::string_view host) {
  // "1.2.3" and "127.0.0.256" are mistyped addresses, not names.
  const bool only_digits = host.find_first_not_of("0123456789.") == std::string_view::npos;
  if (host.empty() || host.size() > longest_name || only_digits) return false;
  return std::all_of(host.begin(), host.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_';
  });
}

}  // namespace

std::string to_string(const Address& address) {
  if (address.is_unix()) return "unix:" + address.path;
  const bool ipv6 = address.host.find(':') != std::string::npos;
  return (ipv6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

std::optional<Address> parse_address(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  auto host = std::string(text.substr(0, colon));
  const auto port = parse_unsigned(text.substr(colon + 1), 65535);
  if (!port) return std::nullopt;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
    if (!is_ipv6(host)) return std::nullopt;
  } else if (!is_ipv4(host) && !is_host_name(host)) {
    return std::nullopt;
  }
  return Address{.host = std::move(host), .port = static_cast<std::uint16_t>(*port)};
}

bool is_numeric(const std::string& host) { return is_ipv4(host) || is_ipv6(host); }

bool is_loopback(const Address& address) { return address.is_unix() || is_loopback(address.host); }

bool is_loopback(const std::string& host) {
  return host == "localhost" || host == "::1" || (is_ipv4(host) && host.starts_with("127."));
}

}  // namespace imapmeter::config
