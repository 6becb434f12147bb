// `imapmeter top`: the console's picture in a terminal, from the API.
#pragma once

#include <cstddef>
#include <string>

namespace imapmeter::metrics {

// The answers of the API, as JSON.
struct TopAnswers {
  std::string verdict;
  std::string status;
  std::string sessions;
};

struct TerminalSize {
  std::size_t columns = 80;
  std::size_t rows = 24;
};

// Lines no longer than the terminal is wide, and no more of them than it is high. Throws nlohmann::json::exception for
// what is no answer of the API.
std::string top_picture(const TopAnswers& answers, TerminalSize size);

// Draws the picture every two seconds until it is interrupted, or once where standard output is no terminal. `admin` as
// ask_api() has it. Throws std::runtime_error where nobody answers at first; later it says so and goes on.
void top(const std::string& admin);

}  // namespace imapmeter::metrics
