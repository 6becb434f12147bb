// What both traffic programs take and how they meet the proxy: the program listens and prints `upstream PORT`; once the
// proxy runs in front of that, one line `HOST PORT` on stdin names the proxy's listener.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/integration/traffic/engine.h"

namespace traffic {

struct Options {
  std::map<std::string, std::string> values;  // --name value

  bool has(const std::string& name) const { return values.contains(name); }
  std::string text(const std::string& name, const std::string& absent) const;
  std::uint64_t number(const std::string& name, std::uint64_t absent) const;
};

// Throws on anything but pairs of `--name value` whose name is one of `known`.
Options parse_options(int argc, char** argv, const std::vector<std::string>& known);

// The TLS contexts of a run and where its proxy is. --patience: seconds without one octet moved. --client-tls
// none|1.2|1.3|both (default both), --cert and --key for TLS towards the proxy's upstream leg.
struct Meeting {
  std::vector<Context> contexts;
  Context server;
  Run run;
};
inline const std::vector<std::string> meeting_options = {"seed", "sessions", "patience", "client-tls", "cert", "key"};
Meeting meet_proxy(const Options& options, const Listener& listener);

}  // namespace traffic
