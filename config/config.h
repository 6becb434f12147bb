// The settings as plain structs with their defaults and units. Who fills them: args (flags, environment), load (YAML).
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace imapmeter::config {

using std::chrono::milliseconds;
using namespace std::chrono_literals;

// host:port, IPv6 hosts without brackets here ("::1") and with them in text ("[::1]:993"). Port 0: any free port. Or a
// unix socket: then `path` is not empty, and the text is "unix:/PATH".
struct Address {
  std::string host = {};
  std::uint16_t port = 0;
  std::string path = {};

  bool is_unix() const { return !path.empty(); }
  bool operator==(const Address&) const = default;
};
// "host:port", with brackets where the host is an IPv6 address, or "unix:/PATH": how an address is printed and
// labelled.
std::string to_string(const Address& address);
// The reverse: HOST:PORT with a name or an IPv4 address, [HOST]:PORT with an IPv6 address. Nothing where it is neither.
std::optional<Address> parse_address(std::string_view text);
// 127.0.0.0/8, ::1, the name localhost, and unix sockets.
bool is_loopback(const Address& address);
bool is_loopback(const std::string& host);
// An IPv4 or IPv6 address, not a name.
bool is_numeric(const std::string& host);

// The addresses that begin with the same `prefix` bits. IPv4 addresses as ::ffff:a.b.c.d, their prefixes plus 96.
struct Network {
  std::array<std::uint8_t, 16> address{};
  std::uint8_t prefix = 128;

  bool operator==(const Network&) const = default;
};

// Whether connections have TLS, and from where on: what the scheme of a URL says.
enum class Tls : std::uint8_t {
  none,      // imap://
  implicit,  // imaps://, from the first octet
  starttls,  // imap+starttls://, after STARTTLS and never without it
};

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
  Tls tls = Tls::implicit;
  std::vector<Address> binds = {};             // at least one
  std::vector<Certificate> certificates = {};  // the first is served to clients whose SNI matches none
  bool self_signed = false;
  std::string self_signed_dir = {};  // empty: in memory only
  std::string upstream = "default";
  Capabilities capabilities = Capabilities::auto_;
  // Not empty: each connection begins with a PROXY header, and only these networks may send one.
  std::vector<Network> proxy_protocol = {};
  std::vector<Network> trusted_networks =
      {};               // Dovecot proxies: what they ask for in ID so as to multiplex is taken out
  bool observe = true;  // false: relayed and not read

  bool operator==(const Listener&) const = default;
};

// How a session's server is chosen among those that are up.
enum class Balance : std::uint8_t {
  least_sessions,
  failover,  // the first that is up, in the order of the configuration
};

struct HealthCheck {
  milliseconds interval = 10s;  // 0: none is made, and each server counts as up
  milliseconds timeout = 5s;
  unsigned rise = 2;  // successes in a row after which a server that was down is up
  unsigned fall = 3;  // failures in a row after which a server that was up is down

  bool operator==(const HealthCheck&) const = default;
};

// What keeps the choice among them in one machine word.
inline constexpr std::size_t most_servers = 64;

struct Upstream {
  std::string name = "default";
  Tls tls = Tls::implicit;
  std::vector<Address> servers = {};  // 1 to most_servers
  std::string ca = {};                // PEM file; empty: the system's
  bool insecure_skip_certificate_verification = false;
  bool allow_plaintext = false;  // imap:// to an address that is not loopback
  Balance balance = Balance::least_sessions;
  bool any_server_serves_any_user = false;  // said by the operator where there are several servers
  bool proxy_protocol = false;              // send a PROXY header, version 2, to the servers
  std::vector<std::string> sources =
      {};  // addresses of this machine to connect from, in order; empty: the system's choice
  HealthCheck health_check = {};

  bool operator==(const Upstream&) const = default;
};

struct Timeouts {
  milliseconds handshake = 10s;
  milliseconds connect = 10s;
  milliseconds greeting = 30s;
  milliseconds preauth = 180s;    // from the greeting to the login
  milliseconds idle = 0s;         // nothing in either direction; 0: none
  milliseconds stall = 30min;     // one side does not read what is waiting for it
  milliseconds keepalive = 120s;  // TCP asks a silent peer whether it is there, and gives it up after as long again
  milliseconds half_close = 10s;
  milliseconds drain = 30s;

  bool operator==(const Timeouts&) const = default;
};

// 0: no limit, but what is said.
struct Limits {
  unsigned sessions = 0;               // in all; 0: what the limit of open files suffices for
  unsigned sessions_per_network = 0;   // of one client network: /24, /48
  unsigned sessions_per_upstream = 0;  // of each upstream
  unsigned handshakes = 0;             // TLS handshakes of clients at once, per listener
  unsigned handshakes_per_second = 0;  // new connections to a TLS listener
  unsigned inflated_sessions = 1000;   // that use COMPRESS and are read, 86 KiB each; more go on unread; 0: none is
  std::uint64_t relay_buffers =
      256 << 20;             // octets: what sessions may keep, all together, of what a peer does not take
  std::uint64_t memory = 0;  // octets resident; 0: what the system allows this process, if anything

  bool operator==(const Limits&) const = default;
};

// How a client's address stands in the log.
enum class ClientAddress : std::uint8_t {
  off,
  truncated,  // its network: /24, /48
  hashed,     // the same for one address while the process lives
  clear,
};

enum class LogLevel : std::uint8_t { trace, debug, info, warn, error, off };

struct Config {
  std::vector<Listener> listeners;
  std::vector<Upstream> upstreams;
  std::string admin = "127.0.0.1:19143";  // host:port or unix:/path; "none" for no admin listener
  std::string metrics;                    // host:port; empty: none
  std::string user;                       // whom to become when started as root; empty: stay root
  unsigned workers = 0;                   // 0: the CPUs this process may use, at most 4
  Timeouts timeouts;
  Limits limits;
  LogLevel log_level = LogLevel::info;
  bool log_sessions = true;  // one line per session and per failed login
  ClientAddress log_client_address = ClientAddress::truncated;

  bool operator==(const Config&) const = default;
};

}  // namespace imapmeter::config
