#include <nlohmann/json.hpp>

#include "metrics/verdict.h"

namespace imapmeter::metrics {
namespace {

using nlohmann::json;

json parties(const Window& window) {
  json all = json::object();
  for (const std::string_view party : party_names)
    all[std::string(party)] = {{"failures", std::uint64_t{0}}, {"kinds", json::object()}};
  for (std::size_t i = 0; i < failure_count; ++i) {
    if (window.failures[i] == 0) continue;
    const FailureRow& of = row(static_cast<Failure>(i));
    json& party = all[std::string(name(of.party))];
    party["failures"] = party["failures"].get<std::uint64_t>() + window.failures[i];
    party["kinds"][std::string(of.kind)] = window.failures[i];
  }
  return all;
}

json outlier(const Outlier& from) {
  return {{"upstream", from.upstream},  {"server", from.server},
          {"what", from.what},          {"value", from.value},
          {"siblings", from.siblings},  {"code", from.code.empty() ? json() : json(from.code)},
          {"since", epoch(from.since)}, {"sentence", sentence(from)}};
}

}  // namespace

std::string verdict_json(const Verdict& verdict) {
  json outliers = json::array();
  for (const Outlier& each : verdict.outliers) outliers.push_back(outlier(each));
  const auto& attempts = verdict.window.attempts;
  const json answer = {{"time", epoch(verdict.time)},
                       {"state", name(verdict.state)},
                       {"party", verdict.party ? json(name(*verdict.party)) : json()},
                       {"sentence", verdict.sentence},
                       {"since", verdict.since == WallTime{} ? json() : json(epoch(verdict.since))},
                       {"window_seconds", Judge::window.count()},
                       {"parties", parties(verdict.window)},
                       {"totals",
                        {{"logins", attempts[at(FailureOf::login)]},
                         {"sessions", attempts[at(FailureOf::session)]},
                         {"commands", attempts[at(FailureOf::command)]}}},
                       {"outliers", std::move(outliers)}};
  return answer.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace imapmeter::metrics
