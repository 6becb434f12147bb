// The load of the benchmark: IMAP clients over TLS 1.3 that check every octet, in one thread.
//   bench_client --port P --workload W --connections N --seconds S --warmup S --subject PID --server PID
//     [--count S] [--greeting LINE]
// Samples the CPU clocks of the subject and of the server at both ends of the measured window itself, so that no other
// process's delay is in the figures. Prints one JSON object; anything unexpected ends it with a sentence.
#include <csignal>
#include <cstdio>
#include <iostream>
#include <map>
#include <stdexcept>

#include "tests/bench/load.h"

namespace imapmeter::bench {
namespace {

LoadOptions parse(const std::vector<std::string>& arguments) {
  std::map<std::string, std::string> given;
  for (std::size_t i = 0; i + 1 < arguments.size(); i += 2) given[arguments[i]] = arguments[i + 1];
  LoadOptions options;
  options.workload = workload_of(given["--workload"]);
  if (options.workload == nullptr) throw std::runtime_error("unknown workload: " + given["--workload"]);
  options.port = static_cast<std::uint16_t>(std::stoul(given["--port"]));
  options.connections = std::stoul(given["--connections"]);
  options.warmup = static_cast<std::uint64_t>(std::stod(given["--warmup"]) * 1e9);
  options.window = static_cast<std::uint64_t>(std::stod(given["--seconds"]) * 1e9);
  options.subject = std::stoi(given["--subject"]);
  options.server = std::stoi(given["--server"]);
  if (given.contains("--count")) options.count = static_cast<std::uint64_t>(std::stod(given["--count"]) * 1e9);
  if (given.contains("--greeting")) options.greeting = given["--greeting"] + "\r\n";
  return options;
}

}  // namespace
}  // namespace imapmeter::bench

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  try {
    imapmeter::bench::Load load(imapmeter::bench::parse({argv + 1, argv + argc}));
    std::cout << load.run().dump() << std::endl;
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_client: %s\n", error.what());
    return 1;
  }
}
