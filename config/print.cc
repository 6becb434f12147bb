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

// A key whose value may not be empty in the file is left out where it is.
void put_unless_empty(YAML::Emitter& out, const char* key, const std::string& text) {
  if (!text.empty()) put(out, key, text);
}

void put(YAML::Emitter& out, const Listener& listener) {
  out << YAML::BeginMap;
  put(out, "name", listener.name);
  put(out, "bind", to_string(Url{listener.tls, listener.bind}));
  if (!listener.certificates.empty()) {
    out << YAML::Key << "certificates" << YAML::Value << YAML::BeginSeq;
    for (const auto& certificate : listener.certificates) {
      out << YAML::BeginMap;
      put(out, "cert", certificate.cert);
      put(out, "key", certificate.key);
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
  out << YAML::EndMap;
}

void put(YAML::Emitter& out, const Upstream& upstream) {
  out << YAML::BeginMap;
  put(out, "name", upstream.name);
  out << YAML::Key << "servers" << YAML::Value << YAML::BeginSeq;
  for (const auto& server : upstream.servers) out << YAML::DoubleQuoted << to_string(Url{upstream.tls, server});
  out << YAML::EndSeq;
  put_unless_empty(out, "ca", upstream.ca);
  put(out, "insecure_skip_certificate_verification", upstream.insecure_skip_certificate_verification);
  put(out, "allow_plaintext", upstream.allow_plaintext);
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
  put(out, "stall", timeouts.stall);
  put(out, "half_close", timeouts.half_close);
  put(out, "drain", timeouts.drain);
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
  put(out, "workers", std::string_view(std::to_string(config.workers)));
  put(out, config.timeouts);
  out << YAML::Key << "log" << YAML::Value << YAML::BeginMap;
  put(out, "level", name(config.log_level));
  out << YAML::EndMap << YAML::EndMap;
  return std::string(out.c_str()) + "\n";
}

}  // namespace imapmeter::config
