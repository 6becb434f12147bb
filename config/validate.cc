#include "config/validate.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <system_error>
#include <utility>

#include "config/scalars.h"

namespace imapmeter::config {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t longest_name = 64;        // it is repeated in thousands of series
constexpr milliseconds longest_timeout = 168h;  // more is a typing error: no deadline at all would be no less useful
constexpr std::string_view unix_prefix = "unix:";
constexpr milliseconds shortest_idle = 31min;  // RFC 9051 section 5.4 grants a client 30 minutes of silence
constexpr milliseconds shortest_interval = 100ms;
constexpr std::uint64_t least_relay_buffers = 16 << 20;  // a few sessions with full buffers per worker
constexpr std::uint64_t least_memory = 32 << 20;         // less than a process with its libraries needs

class Checks {
 public:
  explicit Checks(const Config& config) : config_(config) {}

  std::vector<Problem> run() {
    if (config_.listeners.empty()) add("listeners", "at least one is needed");
    if (config_.upstreams.empty()) add("upstreams", "at least one is needed");
    for (std::size_t i = 0; i < config_.listeners.size(); ++i) listener(config_.listeners[i], item("listeners", i));
    for (std::size_t i = 0; i < config_.upstreams.size(); ++i) upstream(config_.upstreams[i], item("upstreams", i));
    http("admin", config_.admin, config_.admin == "none", admin_expected);
    http("metrics", config_.metrics, config_.metrics.empty(), metrics_expected);
    if (config_.workers > max_workers) add("workers", mismatch(workers_expected, std::to_string(config_.workers)));
    timeouts();
    limits();
    return std::move(problems_);
  }

 private:
  static std::string item(const char* list, std::size_t i) { return std::string(list) + "[" + std::to_string(i) + "]"; }
  void add(std::string key, std::string why) { problems_.push_back({std::move(key), std::move(why)}); }

  void listener(const Listener& listener, const std::string& path);
  void certificates(const Listener& listener, const std::string& path);
  void upstream(const Upstream& upstream, const std::string& path);
  void servers(const Upstream& upstream, const std::string& path);
  void sources(const Upstream& upstream, const std::string& path);
  void health_check(const HealthCheck& check, const std::string& path);
  void name(const std::string& name, const std::string& path, std::set<std::string>& taken);
  void bind(const Address& address, const std::string& path);
  void http(const std::string& key, const std::string& text, bool off, std::string_view expected);
  void timeouts();
  void limits();
  void duration(const std::string& key, milliseconds value, milliseconds least);

  const Config& config_;
  std::vector<Problem> problems_;
  std::set<std::string> listener_names_;
  std::set<std::string> upstream_names_;
  std::set<std::string> bound_;
};

// Names become label values: words that need no escaping anywhere.
void Checks::name(const std::string& name, const std::string& path, std::set<std::string>& taken) {
  const bool words = std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_';
  });
  if (!words || name.empty() || name.size() > longest_name) {
    add(path + ".name", mismatch("1 to 64 letters, digits, dots, hyphens and underscores", name));
  } else if (name == "all") {
    add(path + ".name", "\"all\" is a label value of its own: choose another name");
  } else if (!taken.insert(name).second) {
    add(path + ".name", "there is already one called \"" + name + "\"");
  }
}

// Port 0 is any free port, as often as one likes.
void Checks::bind(const Address& address, const std::string& path) {
  if (address.is_unix()) {
    if (!bound_.insert(to_string(address)).second) add(path, to_string(address) + " is already taken here");
  } else if (!is_numeric(address.host) && address.host != "localhost") {
    add(path, "expected an address of this machine (0.0.0.0 and [::] are all of them), got \"" + address.host + "\"");
  } else if (address.port != 0 && !bound_.insert(to_string(address)).second) {
    add(path, to_string(address) + " is already taken by another listener here");
  }
}

void Checks::listener(const Listener& listener, const std::string& path) {
  name(listener.name, path, listener_names_);
  if (listener.binds.empty()) add(path + ".bind", "missing; expected " + std::string(url_expected));
  for (const Address& each : listener.binds) bind(each, path + ".bind");
  certificates(listener, path);
  const auto& all = config_.upstreams;
  if (std::none_of(all.begin(), all.end(), [&](const Upstream& u) { return u.name == listener.upstream; })) {
    add(path + ".upstream", "there is no upstream called \"" + listener.upstream + "\"");
  }
}

void Checks::certificates(const Listener& listener, const std::string& path) {
  const bool given = !listener.certificates.empty();
  if (listener.tls == Tls::none) {
    if (given) add(path + ".certificates", "an imap:// listener has no TLS to use them for");
    if (listener.self_signed) add(path + ".self_signed", "an imap:// listener has no TLS to use it for");
    return;
  }
  if (given && listener.self_signed) add(path + ".self_signed", "there are certificates already: one or the other");
  if (!given && !listener.self_signed)
    add(path, "an " + std::string(scheme(listener.tls)) +
                  " listener needs certificates or self_signed (--cert and --key, or --self-signed)");
  for (std::size_t i = 0; i < listener.certificates.size(); ++i) {
    const auto& certificate = listener.certificates[i];
    const std::string pair = path + ".certificates[" + std::to_string(i) + "]";
    if (certificate.cert.empty()) add(pair + ".cert", "missing; expected a PEM file");
    if (certificate.key.empty()) add(pair + ".key", "missing; expected a PEM file");
  }
}

void Checks::upstream(const Upstream& upstream, const std::string& path) {
  name(upstream.name, path, upstream_names_);
  servers(upstream, path);
  sources(upstream, path);
  health_check(upstream.health_check, path + ".health_check");
  const bool tls = upstream.tls != Tls::none;
  if (!tls && !upstream.ca.empty()) add(path + ".ca", "an imap:// upstream has no TLS to use it for");
  if (!upstream.insecure_skip_certificate_verification) return;
  const std::string insecure = path + ".insecure_skip_certificate_verification";
  if (!tls) add(insecure, "an imap:// upstream has no certificate to verify");
  if (!upstream.ca.empty()) add(insecure, "contradicts ca, which says how to verify");
}

void Checks::servers(const Upstream& upstream, const std::string& path) {
  if (upstream.servers.empty()) add(path + ".servers", "at least one is needed; expected " + std::string(url_expected));
  if (upstream.servers.size() > most_servers)
    add(path + ".servers",
        "expected at most " + std::to_string(most_servers) + ", got " + std::to_string(upstream.servers.size()));
  std::set<std::string> taken;
  for (std::size_t i = 0; i < upstream.servers.size(); ++i) {
    const Address& server = upstream.servers[i];
    const std::string server_path = path + ".servers[" + std::to_string(i) + "]";
    if (server.port == 0 && !server.is_unix()) add(server_path, "port 0 cannot be connected to");
    if (!taken.insert(to_string(server)).second) add(server_path, to_string(server) + " is there already");
    if (server.is_unix() && upstream.tls != Tls::none)
      add(server_path, "a unix socket has no name to verify: use imap://unix:/PATH");
    if (upstream.tls == Tls::none && !upstream.allow_plaintext && !is_loopback(server)) {
      add(server_path, "imap:// would send passwords unprotected to " + server.host +
                           ": use imaps:// or imap+starttls://, or set allow_plaintext (--allow-plaintext-upstream)");
    }
  }
}

void Checks::sources(const Upstream& upstream, const std::string& path) {
  for (std::size_t i = 0; i < upstream.sources.size(); ++i) {
    if (!is_numeric(upstream.sources[i]))
      add(path + ".source[" + std::to_string(i) + "]",
          mismatch("an IPv4 or IPv6 address of this machine", upstream.sources[i]));
  }
}

void Checks::health_check(const HealthCheck& check, const std::string& path) {
  if (check.interval != 0ms) duration(path + ".interval", check.interval, shortest_interval);
  duration(path + ".timeout", check.timeout, 1ms);
  if (check.rise == 0) add(path + ".rise", mismatch(checks_expected, "0"));
  if (check.fall == 0) add(path + ".fall", mismatch(checks_expected, "0"));
}

void Checks::http(const std::string& key, const std::string& text, bool off, std::string_view expected) {
  if (off) return;
  if (key == "admin" && text.starts_with(unix_prefix)) {
    const auto path = text.substr(unix_prefix.size());
    if (!path.starts_with('/') || path.size() > longest_unix_path) add(key, mismatch(expected, text));
  } else if (const auto address = parse_address(text)) {
    bind(*address, key);
  } else {
    add(key, mismatch(expected, text));
  }
}

void Checks::duration(const std::string& key, milliseconds value, milliseconds least) {
  if (value >= least && value <= longest_timeout) return;
  const std::string at_least = least == 1ms ? "more than 0" : "at least " + to_string(least);
  add(key, "expected " + at_least + " and at most " + to_string(longest_timeout) + ", got " + to_string(value));
}

void Checks::timeouts() {
  const Timeouts& t = config_.timeouts;
  const std::vector<std::pair<const char*, milliseconds>> all = {
      {"handshake", t.handshake}, {"connect", t.connect},       {"greeting", t.greeting}, {"preauth", t.preauth},
      {"stall", t.stall},         {"half_close", t.half_close}, {"drain", t.drain}};
  for (const auto& [key, value] : all) duration(std::string("timeouts.") + key, value, 1ms);
  duration("timeouts.keepalive", t.keepalive, 1s);
  if (t.idle != 0ms) duration("timeouts.idle", t.idle, shortest_idle);
}

void Checks::limits() {
  const Limits& l = config_.limits;
  if (l.relay_buffers < least_relay_buffers)
    add("limits.relay_buffers",
        "expected at least " + size_to_string(least_relay_buffers) + ", got " + size_to_string(l.relay_buffers));
  if (l.memory != 0 && l.memory < least_memory)
    add("limits.memory",
        "expected 0 or at least " + size_to_string(least_memory) + ", got " + size_to_string(l.memory));
}

void open_for_reading(const std::string& file, const std::string& path, std::vector<Problem>& out) {
  struct stat status = {};
  if (::stat(file.c_str(), &status) == 0) {
    if (S_ISDIR(status.st_mode)) return out.push_back({path, file + ": " + std::generic_category().message(EISDIR)});
    if (S_ISFIFO(status.st_mode)) return;  // opened twice it would be empty the second time
  }
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) return out.push_back({path, file + ": " + std::generic_category().message(errno)});
  ::close(fd);
}

}  // namespace

std::vector<Problem> validate(const Config& config) { return Checks(config).run(); }

std::vector<Problem> check_files(const Config& config) {
  std::vector<Problem> out;
  for (std::size_t i = 0; i < config.listeners.size(); ++i) {
    for (std::size_t j = 0; j < config.listeners[i].certificates.size(); ++j) {
      const auto& certificate = config.listeners[i].certificates[j];
      const std::string path = "listeners[" + std::to_string(i) + "].certificates[" + std::to_string(j) + "]";
      open_for_reading(certificate.cert, path + ".cert", out);
      open_for_reading(certificate.key, path + ".key", out);
    }
  }
  for (std::size_t i = 0; i < config.upstreams.size(); ++i) {
    const std::string path = "upstreams[" + std::to_string(i) + "].ca";
    if (!config.upstreams[i].ca.empty()) open_for_reading(config.upstreams[i].ca, path, out);
  }
  if (!config.user.empty() && ::getpwnam(config.user.c_str()) == nullptr)
    out.push_back({"user", mismatch("a user of this machine", config.user)});
  return out;
}

namespace {

// Whether clients from elsewhere come in here, perhaps through another proxy, and go on as one address.
bool hides_clients(const Config& config, const Listener& listener) {
  const auto& all = config.upstreams;
  const auto upstream =
      std::find_if(all.begin(), all.end(), [&](const Upstream& u) { return u.name == listener.upstream; });
  if (upstream == all.end() || upstream->proxy_protocol) return false;
  if (!listener.proxy_protocol.empty()) return true;
  return std::any_of(listener.binds.begin(), listener.binds.end(), [](const Address& a) { return !is_loopback(a); });
}

}  // namespace

std::vector<Problem> warnings(const Config& config) {
  std::vector<Problem> out;
  for (std::size_t i = 0; i < config.upstreams.size(); ++i) {
    const Upstream& upstream = config.upstreams[i];
    const std::string path = "upstreams[" + std::to_string(i) + "]";
    if (upstream.insecure_skip_certificate_verification) {
      out.push_back({path + ".insecure_skip_certificate_verification",
                     "anyone between here and the server can read and change the mail"});
    }
    if (upstream.servers.size() > 1 && !upstream.any_server_serves_any_user) {
      out.push_back({path, "imapmeter never chooses a server by user: with " + std::to_string(upstream.servers.size()) +
                               " servers each must serve every user; say any_server_serves_any_user: true if it does"});
    }
    const auto& all = config.listeners;
    if (std::none_of(all.begin(), all.end(), [&](const Listener& l) { return l.upstream == upstream.name; })) {
      out.push_back({path, "no listener uses this upstream"});
    }
  }
  for (std::size_t i = 0; i < config.listeners.size(); ++i) {
    if (hides_clients(config, config.listeners[i]))
      out.push_back({"listeners[" + std::to_string(i) + "].upstream",
                     "without proxy_protocol its servers see every client as this machine: per-address limits and "
                     "penalties there will hit all users"});
  }
  const auto admin = parse_address(config.admin);
  if (admin && !is_loopback(admin->host)) {
    out.push_back({"admin", config.admin + " is not loopback: only /metrics, /livez and /readyz are served there"});
  }
  return out;
}

}  // namespace imapmeter::config
