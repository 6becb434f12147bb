// The settings file: YAML -> Config. Strict: unknown and duplicate keys are errors, and every error of the file is
// reported with its line. What the values mean together is checked by validate.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"
#include "config/problem.h"

namespace imapmeter::config {

struct Loaded {
  Config config;
  Origins origins;                  // the line of every key in the file
  std::vector<std::string> errors;  // "file:line: key: why"; empty: `config` holds what the file says
};

// `path` is also how messages name the file. An unreadable file is one error.
Loaded load(const std::string& path);

// `text` as the content of a file that messages call `path`.
Loaded load_text(const std::string& text, const std::string& path);

// YAML that loads to the same Config, every key written out.
std::string to_yaml(const Config& config);

}  // namespace imapmeter::config
