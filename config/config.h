// The settings as plain structs with their defaults and units. Who fills them: args (flags, environment), load (YAML).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace imapmeter::config {

using std::chrono::milliseconds;
using namespace std::chrono_literals;

// host:port, IPv6 hosts without brackets here ("::1") and with them in text ("[::1]:993"). Port 0: any free port.
struct Address {
  std::string host;
  std::uint16_t port = 0;

  bool operator==(const Address&) const = default;
};
// "host:port", with brackets where the host is an IPv6 address: how an address is printed and labelled.
std::string to_string(const Address& address);
// The reverse: HOST:PORT with a name or an IPv4 address, [HOST]:PORT with an IPv6 address. Nothing where it is neither.
std::optional<Address> parse_address(std::string_view text);
// 127.0.0.0/8, ::1 and the name localhost.
bool is_loopback(const std::string& host);
// An IPv4 or IPv6 address, not a name.
bool is_numeric(const std::string& host);

enum class Capabilities : std::uint8_t {
  auto_,  // take out what cannot work through a TLS-ending proxy (STARTTLS, channel-binding SASL)
  pass,   // change nothing
};

// PEM files. The certificate file holds the leaf first, then its chain.
struct Certificate {
  std::string cert;
  std::string key;

  bool operator==(const Certificate&) const = default;
};

struct Listener {
  std::string name = "default";
  bool tls = true;  // imaps:// or imap://
  Address bind = {};
  std::vector<Certificate> certificates = {};  // the first is served to clients whose SNI matches none
  bool self_signed = false;
  std::string self_signed_dir = {};  // empty: in memory only
  std::string upstream = "default";
  Capabilities capabilities = Capabilities::auto_;

  bool operator==(const Listener&) const = default;
};

struct Upstream {
  std::string name = "default";
  bool tls = true;  // imaps:// or imap://
  std::vector<Address> servers = {};
  std::string ca = {};  // PEM file; empty: the system's
  bool insecure_skip_certificate_verification = false;
  bool allow_plaintext = false;  // imap:// to an address that is not loopback

  bool operator==(const Upstream&) const = default;
};

struct Timeouts {
  milliseconds handshake = 10s;
  milliseconds connect = 10s;
  milliseconds greeting = 30s;
  milliseconds stall = 30min;  // one side does not read what is waiting for it
  milliseconds half_close = 10s;
  milliseconds drain = 30s;

  bool operator==(const Timeouts&) const = default;
};

enum class LogLevel : std::uint8_t { trace, debug, info, warn, error, off };

struct Config {
  std::vector<Listener> listeners;
  std::vector<Upstream> upstreams;
  std::string admin = "127.0.0.1:19143";  // host:port or unix:/path; "none" for no admin listener
  std::string metrics;                    // host:port; empty: none
  unsigned workers = 0;                   // 0: the CPUs this process may use, at most 4
  Timeouts timeouts;
  LogLevel log_level = LogLevel::info;

  bool operator==(const Config&) const = default;
};

}  // namespace imapmeter::config
