#include "tests/bench/workloads.h"

#include <algorithm>

namespace imapmeter::bench {
namespace {

constexpr std::size_t kBigReads = std::size_t{256} * 1024;
constexpr std::uint64_t kMillisecond = 1'000'000;

// A minute of a thousand real clients within a second. With half of the polls the server has new mail for one of those
// in IDLE. README.md says why it is mixed like this.
std::vector<Role> mixed() {
  return {
      {.share = 85, .setup = {Verb::login, Verb::select, Verb::idle}},
      {.share = 10,
       .setup = {Verb::login, Verb::select},
       .repeat = {Verb::noop, Verb::status},
       .every = 200 * kMillisecond},
      {.share = 4,
       .setup = {Verb::login, Verb::select},
       .repeat = {Verb::fetch_lines, Verb::fetch_bulk},
       .every = 800 * kMillisecond},
      {.share = 1,
       .setup = {Verb::login, Verb::select, Verb::noop, Verb::logout},
       .anew = true,
       .resume = true,
       .every = 200 * kMillisecond},
  };
}

const std::vector<Workload>& workloads() {
  static const std::vector<Verb> selected = {Verb::login, Verb::select};
  static const std::vector<Workload> table = {
      {"bulk", {{.setup = selected, .repeat = {Verb::fetch_bulk}}}, kBigReads},
      {"lines", {{.setup = selected, .repeat = {Verb::fetch_lines}}}, kBigReads},
      {"commands", {{.setup = selected, .repeat = {Verb::noop}}}},
      {"commands-paced", {{.setup = selected, .repeat = {Verb::noop}, .every = kMillisecond}}},
      {"handshake-full", {{.anew = true}}},
      {"handshake-resumed", {{.anew = true, .resume = true}}},
      {"idle", {{.setup = {Verb::login, Verb::select, Verb::idle}}}},
      {"mixed", mixed()},
  };
  return table;
}

}  // namespace

const Workload* workload_of(std::string_view name) {
  const auto& table = workloads();
  const auto found = std::find_if(table.begin(), table.end(), [&](const Workload& w) { return w.name == name; });
  return found == table.end() ? nullptr : &*found;
}

}  // namespace imapmeter::bench
