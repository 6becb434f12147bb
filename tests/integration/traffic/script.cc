#include "tests/integration/traffic/script.h"

#include <utility>

namespace traffic {
namespace {

class StreamSource : public Source {
 public:
  StreamSource(std::shared_ptr<const Script> script, const Stream& stream)
      : script_(std::move(script)), stream_(stream) {}

  Piece next() override {
    std::uint64_t after = 0;
    while (gate_ < stream_.gates.size() && stream_.gates[gate_].at <= at_) after = stream_.gates[gate_++].after;
    const std::size_t end = gate_ < stream_.gates.size() ? stream_.gates[gate_].at : stream_.octets.size();
    const std::string_view octets = std::string_view(stream_.octets).substr(at_, end - at_);
    at_ = end;
    return {octets, after};
  }

 private:
  std::shared_ptr<const Script> script_;
  const Stream& stream_;
  std::size_t at_ = 0;
  std::size_t gate_ = 0;
};

Flow flow(const std::shared_ptr<const Script>& script, const Stream& stream) {
  return {std::make_unique<StreamSource>(script, stream), std::make_unique<StreamSource>(script, stream)};
}

}  // namespace

SessionPlan plan_script(const std::shared_ptr<const Script>& script, bool client_first) {
  SessionPlan plan;
  plan.client_to_server = flow(script, script->client);
  plan.server_to_client = flow(script, script->server);
  plan.ending.client_first = client_first;
  return plan;
}

}  // namespace traffic
