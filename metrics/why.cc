#include "metrics/why.h"

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "metrics/api_client.h"

namespace imapmeter::metrics {
namespace {

std::string whole(const nlohmann::json& skeleton) {
  std::string text = skeleton.at("heading");
  for (const std::string line : skeleton.at("events")) text += line + "\n";
  return text;
}

}  // namespace

std::string why(const std::string& admin, const std::string& id) {
  const auto answer = nlohmann::json::parse(ask_api(admin, "/api/v1/skeletons"));
  std::string headings;
  for (const auto& skeleton : answer.at("skeletons")) {
    if (id == skeleton.at("id")) return whole(skeleton);
    headings += std::string(skeleton.at("heading"));
  }
  if (!id.empty())
    throw std::runtime_error("session " + id + " is not among the last " +
                             std::to_string(answer.at("skeletons").size()) + " that ended badly");
  return headings.empty() ? "no session has ended badly\n" : headings;
}

}  // namespace imapmeter::metrics
