#include "config/load.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <set>
#include <sstream>
#include <utility>

#include "config/scalars.h"

namespace imapmeter::config {

namespace {

using Path = std::string;
using Field = std::function<void(const YAML::Node&, const Path&)>;
// A mapping's keys and what each sets: the whole schema is such tables.
using Fields = std::vector<std::pair<std::string_view, Field>>;

class Reader {
 public:
  Reader(std::string file, Loaded& out) : file_(std::move(file)), out_(out) {}

  void document(const YAML::Node& node);

 private:
  std::string where(const YAML::Mark& mark) const { return file_ + ":" + std::to_string(mark.line + 1); }
  // The line of the key where it has one: an empty value is, to yaml-cpp, where the next token starts.
  void error(const YAML::Node& node, const Path& path, const std::string& why) {
    const auto origin = out_.origins.find(path);
    const std::string line = origin == out_.origins.end() ? where(node.Mark()) : origin->second;
    out_.errors.push_back(line + ": " + (path.empty() ? "" : path + ": ") + why);
  }

  void map(const YAML::Node& node, const Path& path, const Fields& fields);
  void entry(const YAML::Node& key, const YAML::Node& value, const Path& path, const Fields& fields);
  // The text of a scalar; an error and nothing where it is a list, a mapping, empty or no text.
  const std::string* scalar(const YAML::Node& node, const Path& path, std::string_view expected);

  template <typename T, typename Parse>
  Field value(T& out, Parse parse, std::string_view expected);
  Field text(std::string& out, std::string_view expected);
  template <typename T>
  Field list(std::vector<T>& out, Fields (Reader::*fields)(T&));
  // A list of scalars, or one scalar where a list of one is meant.
  template <typename T, typename Parse>
  Field values(std::vector<T>& out, Parse parse, std::string_view expected);
  Field urls(std::vector<Address>& out, Tls& tls);

  Fields listener(Listener& out);
  Fields certificate(Certificate& out);
  Fields upstream(Upstream& out);
  Fields health_check(HealthCheck& out);
  Fields timeouts(Timeouts& out);
  Fields limits(Limits& out);
  Fields log(Config& out);

  std::string file_;
  Loaded& out_;
};

std::string unknown_key(std::string_view key, const Fields& fields) {
  std::vector<std::string_view> known;
  std::string all;
  for (const auto& [name, field] : fields) {
    known.push_back(name);
    all += (all.empty() ? "" : ", ") + std::string(name);
  }
  const std::string_view meant = nearest(key, known);
  return "unknown key; " + (meant.empty() ? "expected one of " + all : "did you mean " + std::string(meant) + "?");
}

// YAML can carry it again, for --print-config: no octets that are not UTF-8.
bool is_text(const std::string& scalar) {
  YAML::Emitter out;
  out << YAML::DoubleQuoted << scalar;
  return YAML::Load(out.c_str()).Scalar() == scalar;
}

void Reader::map(const YAML::Node& node, const Path& path, const Fields& fields) {
  if (!node.IsMap()) return error(node, path, "expected a mapping (key: value)");
  std::set<std::string> seen;
  for (const auto& pair : node) {
    const Path key_path = (path.empty() ? "" : path + ".") + (pair.first.IsScalar() ? pair.first.Scalar() : "?");
    // yaml-cpp itself keeps both of two equal keys and finds the first.
    if (!seen.insert(key_path).second) {
      out_.errors.push_back(where(pair.first.Mark()) + ": " + key_path + ": duplicate key");
    } else {
      entry(pair.first, pair.second, key_path, fields);
    }
  }
}

void Reader::entry(const YAML::Node& key, const YAML::Node& value, const Path& path, const Fields& fields) {
  if (!key.IsScalar()) return error(key, path, "a key must be a word");
  const auto field = std::find_if(fields.begin(), fields.end(), [&](const auto& f) { return f.first == key.Scalar(); });
  if (field == fields.end()) return error(key, path, unknown_key(key.Scalar(), fields));
  out_.origins[path] = where(key.Mark());
  field->second(value, path);
}

const std::string* Reader::scalar(const YAML::Node& node, const Path& path, std::string_view expected) {
  const bool something = node.IsScalar() && !node.Scalar().empty();
  if (something && is_text(node.Scalar())) return &node.Scalar();
  const std::string_view got = node.IsMap()        ? "a mapping"
                               : node.IsSequence() ? "a list"
                               : something         ? "what is not UTF-8"
                                                   : "nothing";
  error(node, path, "expected " + std::string(expected) + ", got " + std::string(got));
  return nullptr;
}

template <typename T, typename Parse>
Field Reader::value(T& out, Parse parse, std::string_view expected) {
  return [this, &out, parse, expected](const YAML::Node& node, const Path& path) {
    const std::string* scalar_text = scalar(node, path, expected);
    if (scalar_text == nullptr) return;
    if (const auto parsed = parse(*scalar_text)) {
      out = *parsed;
    } else {
      error(node, path, mismatch(expected, *scalar_text));
    }
  };
}

Field Reader::text(std::string& out, std::string_view expected) {
  return value(
      out, [](const std::string& t) { return std::optional(t); }, expected);
}

template <typename T>
Field Reader::list(std::vector<T>& out, Fields (Reader::*fields)(T&)) {
  return [this, &out, fields](const YAML::Node& node, const Path& path) {
    if (!node.IsSequence()) return error(node, path, "expected a list (- ...)");
    for (const auto& item : node) {
      const Path item_path = path + "[" + std::to_string(out.size()) + "]";
      out_.origins[item_path] = where(item.Mark());
      map(item, item_path, (this->*fields)(out.emplace_back()));
    }
  };
}

template <typename T, typename Parse>
Field Reader::values(std::vector<T>& out, Parse parse, std::string_view expected) {
  return [this, &out, parse, expected](const YAML::Node& node, const Path& path) {
    const auto one = [&](const YAML::Node& item, const Path& item_path) {
      const std::size_t errors = out_.errors.size();
      T parsed{};
      value(parsed, parse, expected)(item, item_path);
      out_.origins[item_path] = where(item.Mark());
      if (out_.errors.size() == errors) out.push_back(std::move(parsed));
    };
    if (!node.IsSequence()) return one(node, path);
    std::size_t number = 0;
    for (const auto& item : node) one(item, path + "[" + std::to_string(number++) + "]");
  };
}

Field Reader::urls(std::vector<Address>& out, Tls& tls) {
  return [this, &out, &tls](const YAML::Node& node, const Path& path) {
    std::vector<Url> all;
    values(all, parse_url, url_expected)(node, path);
    for (std::size_t i = 0; i < all.size(); ++i) {
      tls = all.front().tls;
      out.push_back(all[i].address);
      if (all[i].tls != tls)
        error(node, path + "[" + std::to_string(i) + "]",
              "expected " + std::string(scheme(tls)) + " like the first of these");
    }
  };
}

Fields Reader::listener(Listener& out) {
  return {
      {"name", text(out.name, "a name")},
      {"bind", urls(out.binds, out.tls)},
      {"certificates", list(out.certificates, &Reader::certificate)},
      {"self_signed",
       [this, &out](const YAML::Node& node, const Path& path) {
         SelfSigned self_signed{.on = false, .dir = {}};
         value(self_signed, parse_self_signed, self_signed_expected)(node, path);
         out.self_signed = self_signed.on;
         out.self_signed_dir = self_signed.dir;
       }},
      {"upstream", text(out.upstream, "the name of one of the upstreams")},
      {"capabilities", value(out.capabilities, parse_capabilities, capabilities_expected)},
      {"proxy_protocol", values(out.proxy_protocol, parse_network, network_expected)},
      {"trusted_networks", values(out.trusted_networks, parse_network, network_expected)},
      {"observe", value(out.observe, parse_on_off, on_off_expected)},
  };
}

Fields Reader::certificate(Certificate& out) {
  return {{"cert", text(out.cert, "a PEM file")}, {"key", text(out.key, "a PEM file")}};
}

Fields Reader::upstream(Upstream& out) {
  return {
      {"name", text(out.name, "a name")},
      {"servers", urls(out.servers, out.tls)},
      {"ca", text(out.ca, "a PEM file")},
      {"insecure_skip_certificate_verification",
       value(out.insecure_skip_certificate_verification, parse_bool, bool_expected)},
      {"allow_plaintext", value(out.allow_plaintext, parse_bool, bool_expected)},
      {"balance", value(out.balance, parse_balance, balance_expected)},
      {"any_server_serves_any_user", value(out.any_server_serves_any_user, parse_bool, bool_expected)},
      {"proxy_protocol", value(out.proxy_protocol, parse_bool, bool_expected)},
      {"source", values(
                     out.sources, [](const std::string& t) { return std::optional(t); }, "an address of this machine")},
      {"health_check",
       [this, &out](const YAML::Node& node, const Path& path) { map(node, path, health_check(out.health_check)); }},
  };
}

Fields Reader::health_check(HealthCheck& out) {
  const auto times = [](const std::string& t) { return parse_unsigned(t, most_checks); };
  return {
      {"interval", value(out.interval, parse_duration_or_none, duration_or_none_expected)},
      {"timeout", value(out.timeout, parse_duration, duration_expected)},
      {"rise", value(out.rise, times, checks_expected)},
      {"fall", value(out.fall, times, checks_expected)},
  };
}

Fields Reader::timeouts(Timeouts& out) {
  const auto duration = [this](milliseconds& field) { return value(field, parse_duration, duration_expected); };
  return {
      {"handshake", duration(out.handshake)},
      {"connect", duration(out.connect)},
      {"greeting", duration(out.greeting)},
      {"preauth", duration(out.preauth)},
      {"stall", duration(out.stall)},
      {"half_close", duration(out.half_close)},
      {"drain", duration(out.drain)},
      {"keepalive", duration(out.keepalive)},
      {"idle", value(out.idle, parse_duration_or_none, duration_or_none_expected)},
  };
}

Fields Reader::limits(Limits& out) {
  const auto count = [this](unsigned& field) { return value(field, parse_count, count_expected); };
  return {
      {"sessions", count(out.sessions)},
      {"sessions_per_network", count(out.sessions_per_network)},
      {"sessions_per_upstream", count(out.sessions_per_upstream)},
      {"handshakes", count(out.handshakes)},
      {"handshakes_per_second", count(out.handshakes_per_second)},
      {"inflated_sessions", count(out.inflated_sessions)},
      {"relay_buffers", value(out.relay_buffers, parse_size, size_expected)},
      {"memory", value(out.memory, parse_size, size_expected)},
  };
}

Fields Reader::log(Config& out) {
  return {
      {"level", value(out.log_level, parse_log_level, log_level_expected)},
      {"sessions", value(out.log_sessions, parse_bool, bool_expected)},
      {"client_address", value(out.log_client_address, parse_client_address, client_address_expected)},
  };
}

void Reader::document(const YAML::Node& node) {
  Config& config = out_.config;
  const auto workers = [](const std::string& t) { return parse_unsigned(t, max_workers); };
  map(node, "",
      {
          {"listeners", list(config.listeners, &Reader::listener)},
          {"upstreams", list(config.upstreams, &Reader::upstream)},
          {"admin", text(config.admin, admin_expected)},
          {"metrics", text(config.metrics, metrics_expected)},
          {"user", text(config.user, "the name of a user")},
          {"workers", value(config.workers, workers, workers_expected)},
          {"timeouts", [&](const YAML::Node& n, const Path& path) { map(n, path, timeouts(config.timeouts)); }},
          {"limits", [&](const YAML::Node& n, const Path& path) { map(n, path, limits(config.limits)); }},
          {"log", [&](const YAML::Node& n, const Path& path) { map(n, path, log(config)); }},
      });
}

// The file's content; nothing, with errno set, where it cannot be read.
std::optional<std::string> read_file(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"), &std::fclose);
  if (!file) return std::nullopt;
  std::string text;
  std::array<char, 4096> block{};
  while (const std::size_t n = std::fread(block.data(), 1, block.size(), file.get())) text.append(block.data(), n);
  if (std::ferror(file.get()) != 0) return std::nullopt;
  return text;
}

class Ignore final : public YAML::EventHandler {
  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

// YAML::LoadAll() finds documents without end where a comma belongs to none.
bool more_than_one_document(const std::string& text) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  Ignore ignore;
  return parser.HandleNextDocument(ignore) && parser.HandleNextDocument(ignore);
}

}  // namespace

Loaded load(const std::string& path) {
  if (const auto text = read_file(path)) return load_text(*text, path);
  Loaded out;
  out.errors.push_back(path + ": " + std::generic_category().message(errno));
  return out;
}

Loaded load_text(const std::string& text, const std::string& path) {
  Loaded out;
  try {
    const bool several = more_than_one_document(text);
    const YAML::Node document = YAML::Load(text);
    if (several || document.IsNull()) {
      out.errors.push_back(path + ": " + (several ? "more than one YAML document" : "the file is empty"));
    } else {
      Reader(path, out).document(document);
    }
  } catch (const YAML::Exception& e) {
    const std::string line = e.mark.is_null() ? "" : ":" + std::to_string(e.mark.line + 1);
    out.errors.push_back(path + line + ": not YAML: " + e.msg);
  }
  // keys and YAML's own words repeat what the file says
  for (std::string& error : out.errors) error = printable(std::move(error));
  return out;
}

}  // namespace imapmeter::config
