#include "metrics/status_json.h"

#include <nlohmann/json.hpp>

namespace imapmeter::metrics {
namespace {

using nlohmann::json;

template <class Enum, std::size_t N>
json by(const std::array<std::uint64_t, N>& table) {
  json object = json::object();
  for (std::size_t i = 0; i < N; ++i) object[std::string(name(static_cast<Enum>(i)))] = table[i];
  return object;
}

json response_codes(const Totals& totals) {
  json object = json::object();
  for (std::size_t c = 0; c < imap::condition_count; ++c) {
    json codes = json::object();
    for (std::size_t i = 0; i < imap::response_code_count; ++i) {
      const std::uint64_t n = totals.response_codes[c][i];
      if (n != 0) codes[std::string(name(static_cast<imap::ResponseCode>(i)))] = n;
    }
    object[std::string(name(static_cast<imap::Condition>(c)))] = std::move(codes);
  }
  return object;
}

json responses(const Totals& totals) {
  json object = json::object();
  for (std::size_t kind = 0; kind < imap::response_kind_count; ++kind) {
    object[std::string(name(static_cast<imap::ResponseKind>(kind)))] = by<imap::Condition>(totals.responses[kind]);
  }
  return object;
}

json rates(const RateValues& values) {
  json object = json::object();
  for (std::size_t c = 0; c < values.size(); ++c) {
    for (std::size_t w = 0; w < values[c].size(); ++w) {
      object[std::string(name(rated_conditions[c]))][std::string(rate_windows[w].name)] = values[c][w];
    }
  }
  return object;
}

json listener(const ListenerSnapshot& from) {
  const Totals& totals = from.totals;
  return {
      {"name", from.name},
      {"bind", from.binds},
      {"upstream", from.upstream},
      {"sessions", by<imap::SessionState>(totals.sessions)},
      {"sessions_accepted", totals.accepted},
      {"sessions_authenticated", totals.authenticated},
      {"session_outcomes", by<imap::Outcome>(totals.outcomes)},
      {"opaque_sessions", by<imap::OpaqueReason>(totals.opaque)},
      {"commands_started", totals.commands_started},
      {"commands_in_flight", commands_in_flight(totals)},
      {"responses", responses(totals)},
      {"response_codes", response_codes(totals)},
      {"status_codes", by<imap::StatusCode>(totals.status_codes)},
      {"bye", by<imap::ByeReason>(totals.bye)},
      {"rates_per_second", rates(from.rates)},
      {"bytes", by<imap::Direction>(totals.bytes)},
      {"certificates_not_after", from.certificates},
  };
}

json upstream(const UpstreamSnapshot& from) {
  json servers = json::array();
  for (const auto& [server, totals] : from.servers) {
    servers.push_back({{"server", server},
                       {"up", from.health.at(server).up},
                       {"sessions", static_cast<std::int64_t>(totals.sessions)},
                       {"connects", by<proxy::ConnectResult>(totals.connects)}});
  }
  return {{"name", from.name}, {"tls_verified", from.tls_verified}, {"servers", std::move(servers)}};
}

}  // namespace

std::string status_json(const Snapshot& snapshot, bool ready) {
  json listeners = json::array();
  for (const auto& each : snapshot.listeners) listeners.push_back(listener(each));
  json upstreams = json::array();
  for (const auto& each : snapshot.upstreams) upstreams.push_back(upstream(each));
  const BuildInfo& build = snapshot.build;
  const json status = {
      {"build",
       {{"version", build.version}, {"revision", build.revision}, {"openssl", build.openssl}, {"boost", build.boost}}},
      {"ready", ready},
      {"listeners", std::move(listeners)},
      {"upstreams", std::move(upstreams)},
  };
  // A configured name that is not UTF-8 must not cost the page.
  return status.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace imapmeter::metrics
