#include <yaml-cpp/yaml.h>

#include "config/load.h"
#include "config/scalars.h"

namespace imapmeter::config {

namespace {

// Emits `key: "text"`, quoted so that no text is taken for a number, a truth value or nothing.
void put(YAML::Emitter& out, const char* key, const std::string& text) {
  out << YAML::Key << key << YAML::Value << YAML::DoubleQuoted << text;
}

void put(YAML::Emitter& out, const char* key, std::string_view word) {
  out << YAML::Key << key << YAML::Value << std::string(word);
}

void put(YAML::Emitter& out, const char* key, milliseconds duration) {
  put(out, key, std::string_view(to_string(duration)));
}

void put(YAML::Emitter& out, const char* key, bool value) { put(out, key, std::string_view(value ? "true" : "false")); }

void put_or_none(YAML::Emitter& out, const char* key, milliseconds duration) {
  put(out, key, duration == milliseconds(0) ? std::string_view("none") : std::string_view(to_string(duration)));
}

// A key whose value may not be empty in the file is left out where it is.
void put_unless_empty(YAML::Emitter& out, const char* key, const std::vector<Network>& networks) {
  if (networks.empty()) return;
  out << YAML::Key << key << YAML::Value << YAML::BeginSeq;
  for (const Network& network : networks) out << YAML::DoubleQuoted << to_string(network);
  out << YAML::EndSeq;
}
void put_unless_empty(YAML::Emitter& out, const char* key, const std::string& text) {
  if (!text.empty()) put(out, key, text);
}

void put(YAML::Emitter& out, const char* key, unsigned number) {
  put(out, key, std::string_view(std::to_string(number)));
}

void put_urls(YAML::Emitter& out, const char* key, Tls tls, const std::vector<Address>& addresses) {
  out << YAML::Key << key << YAML::Value << YAML::BeginSeq;
  for (const Address& address : addresses) out << YAML::DoubleQuoted << to_string(Url{tls, address});
  out << YAML::EndSeq;
}

void put(YAML::Emitter& out, const char* key, const HealthCheck& check) {
  out << YAML::Key << key << YAML::Value << YAML::BeginMap;
  put_or_none(out, "interval", check.interval);
  put(out, "timeout", check.timeout);
  put(out, "rise", check.rise);
  put(out, "fall", check.fall);
  out << YAML::EndMap;
}

void put(YAML::Emitter& out, const Listener& listener) {
  out << YAML::BeginMap;
  put(out, "name", listener.name);
  put_urls(out, "bind", listener.tls, listener.binds);
  if (!listener.certificates.empty()) {
    out << YAML::Key << "certificates" << YAML::Value << YAML::BeginSeq;
    for (const auto& certificate : listener.certificates) {
      out << YAML::BeginMap;
      put_unless_empty(out, "cert", certificate.cert);
      put_unless_empty(out, "key", certificate.key);
      out << YAML::EndMap;
    }
    out << YAML::EndSeq;
  }
  if (listener.self_signed && !listener.self_signed_dir.empty()) {
    put(out, "self_signed", listener.self_signed_dir);
  } else {
    put(out, "self_signed", listener.self_signed);
  }
  put(out, "upstream", listener.upstream);
  put(out, "capabilities", name(listener.capabilities));
  put_unless_empty(out, "proxy_protocol", listener.proxy_protocol);
  put_unless_empty(out, "trusted_networks", listener.trusted_networks);
  put(out, "observe", std::string_view(listener.observe ? "on" : "off"));
  out << YAML::EndMap;
}

void put(YAML::Emitter& out, const Upstream& upstream) {
  out << YAML::BeginMap;
  put(out, "name", upstream.name);
  put_urls(out, "servers", upstream.tls, upstream.servers);
  put_unless_empty(out, "ca", upstream.ca);
  put(out, "insecure_skip_certificate_verification", upstream.insecure_skip_certificate_verification);
  put(out, "allow_plaintext", upstream.allow_plaintext);
  put(out, "balance", name(upstream.balance));
  put(out, "any_server_serves_any_user", upstream.any_server_serves_any_user);
  put(out, "proxy_protocol", upstream.proxy_protocol);
  if (!upstream.sources.empty()) {
    out << YAML::Key << "source" << YAML::Value << YAML::BeginSeq;
    for (const std::string& source : upstream.sources) out << YAML::DoubleQuoted << source;
    out << YAML::EndSeq;
  }
  put(out, "health_check", upstream.health_check);
  out << YAML::EndMap;
}

template <typename T>
void put(YAML::Emitter& out, const char* key, const std::vector<T>& items) {
  out << YAML::Key << key << YAML::Value << YAML::BeginSeq;
  for (const auto& item : items) put(out, item);
  out << YAML::EndSeq;
}

void put(YAML::Emitter& out, const Timeouts& timeouts) {
  out << YAML::Key << "timeouts" << YAML::Value << YAML::BeginMap;
  put(out, "handshake", timeouts.handshake);
  put(out, "connect", timeouts.connect);
  put(out, "greeting", timeouts.greeting);
  put(out, "preauth", timeouts.preauth);
  put_or_none(out, "idle", timeouts.idle);
  put(out, "stall", timeouts.stall);
  put(out, "half_close", timeouts.half_close);
  put(out, "drain", timeouts.drain);
  put(out, "keepalive", timeouts.keepalive);
  out << YAML::EndMap;
}

void put(YAML::Emitter& out, const Limits& limits) {
  out << YAML::Key << "limits" << YAML::Value << YAML::BeginMap;
  put(out, "sessions", limits.sessions);
  put(out, "sessions_per_network", limits.sessions_per_network);
  put(out, "sessions_per_upstream", limits.sessions_per_upstream);
  put(out, "handshakes", limits.handshakes);
  put(out, "handshakes_per_second", limits.handshakes_per_second);
  put(out, "inflated_sessions", limits.inflated_sessions);
  put(out, "relay_buffers", std::string_view(size_to_string(limits.relay_buffers)));
  put(out, "memory", std::string_view(size_to_string(limits.memory)));
  out << YAML::EndMap;
}

}  // namespace

std::string to_yaml(const Config& config) {
  YAML::Emitter out;
  out << YAML::BeginMap;
  put(out, "listeners", config.listeners);
  put(out, "upstreams", config.upstreams);
  put(out, "admin", config.admin);
  put_unless_empty(out, "metrics", config.metrics);
  put_unless_empty(out, "user", config.user);
  put(out, "workers", config.workers);
  put(out, config.timeouts);
  put(out, config.limits);
  out << YAML::Key << "log" << YAML::Value << YAML::BeginMap;
  put(out, "level", name(config.log_level));
  put(out, "sessions", config.log_sessions);
  put(out, "client_address", name(config.log_client_address));
  out << YAML::EndMap << YAML::EndMap;
  return std::string(out.c_str()) + "\n";
}

}  // namespace imapmeter::config
