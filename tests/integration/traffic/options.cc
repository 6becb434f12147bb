#include "tests/integration/traffic/options.h"

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <stdexcept>
#include <string_view>

namespace traffic {

std::string Options::text(const std::string& name, const std::string& absent) const {
  const auto found = values.find(name);
  return found == values.end() ? absent : found->second;
}

std::uint64_t Options::number(const std::string& name, std::uint64_t absent) const {
  return has(name) ? std::stoull(text(name, "")) : absent;
}

Options parse_options(int argc, char** argv, const std::vector<std::string>& known) {
  Options options;
  for (int index = 1; index < argc; index += 2) {
    const std::string_view word = argv[index];
    const std::string name(word.substr(std::min<std::size_t>(2, word.size())));
    if (!word.starts_with("--") || index + 1 == argc || std::find(known.begin(), known.end(), name) == known.end()) {
      throw std::invalid_argument("unknown option or no value: " + std::string(word));
    }
    options.values[name] = argv[index + 1];
  }
  return options;
}

Meeting meet_proxy(const Options& options, const Listener& listener) {
  Meeting meeting;
  const std::string tls = options.text("client-tls", "both");
  if (tls == "1.2" || tls == "both") meeting.contexts.push_back(client_context(TLS1_2_VERSION));
  if (tls == "1.3" || tls == "both") meeting.contexts.push_back(client_context(TLS1_3_VERSION));
  for (const Context& context : meeting.contexts) meeting.run.client_contexts.push_back(context.get());
  if (tls == "none") meeting.run.client_contexts.push_back(nullptr);
  if (meeting.run.client_contexts.empty()) throw std::invalid_argument("--client-tls none|1.2|1.3|both");
  if (options.has("cert")) meeting.server = server_context(options.text("cert", ""), options.text("key", ""));
  meeting.run.server_context = meeting.server.get();
  meeting.run.patience_seconds = static_cast<unsigned>(options.number("patience", 30));
  meeting.run.seed = options.number("seed", 1);

  std::printf("upstream %u\n", listener.port());
  std::fflush(stdout);
  if (!(std::cin >> meeting.run.proxy_host >> meeting.run.proxy_port)) throw std::runtime_error("no proxy was named");
  return meeting;
}

}  // namespace traffic
