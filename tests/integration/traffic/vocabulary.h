// The words that the conversations of count_responses are made of, each with what it must be counted as.
#pragma once

#include <span>
#include <string_view>

#include "tests/integration/traffic/journal.h"

namespace traffic {

struct CommandLine {
  std::string_view wire;
  std::string_view label;
};

struct DataLine {
  std::string_view wire;  // whole response, with its line ends
  std::string_view keyword;
  unsigned literal_octets = 0;
  std::string_view anomaly = {};  // empty for none
  bool message = false;
};

std::span<const StatusText> status_texts();
// Commands that a server answers without asking for more.
std::span<const CommandLine> command_lines();
std::span<const DataLine> data_lines();

}  // namespace traffic
