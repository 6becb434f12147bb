// The command line and the environment (IMAPMETER_*) -> Config.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"

namespace imapmeter::config {

enum class Action : std::uint8_t {
  run,           // `config` can be run
  check,         // --check: `config` can be run as far as this folder sees; `output` says so where nobody sees more
  print_config,  // --print-config: `output` is `config` as YAML
  top,           // `config.admin` is whom to ask
  why,           // `arguments`: the id of a session, or none; `config.admin` is whom to ask
  replay,        // `arguments`: files
  exit,          // --help, --version, or something is wrong: `output` says what
};

struct Invocation {
  Action action = Action::exit;
  Config config = {};
  std::vector<std::string> arguments = {};
  std::string output = {};                 // whole lines; for stdout where `status` is 0, else for stderr
  int status = 0;                          // exit status: 0, or `usage_error`
  std::vector<std::string> warnings = {};  // lines for the log at start; --check has them in `output`
};

inline constexpr int usage_error = 2;

// Flags win over the environment, both over the file. Never throws for what an operator wrote.
Invocation parse(int argc, const char* const* argv);

}  // namespace imapmeter::config
