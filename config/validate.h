// What a Config must be as a whole, wherever it came from.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"
#include "config/problem.h"

namespace imapmeter::config {

// Everything that is wrong; empty: the Config can be run. Reads no file.
std::vector<Problem> validate(const Config& config);

// Certificate, key and CA files that cannot be opened, and a user that does not exist. Whether the files hold what they
// should is found out by the TLS contexts.
std::vector<Problem> check_files(const Config& config);

// What is allowed but deserves a line in the log at every start.
std::vector<Problem> warnings(const Config& config);

}  // namespace imapmeter::config
