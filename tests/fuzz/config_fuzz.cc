// The settings file: any text gives settings that can be printed and loaded again, or errors that name their line and
// fit on one.
#include <algorithm>
#include <string>

#include "config/load.h"
#include "config/validate.h"
#include "tests/fuzz/fuzzing.h"

namespace imapmeter::fuzz {
namespace {

constexpr std::string_view file = "f.yaml";

bool one_line(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

// "f.yaml:12: …"; without a line only where the file as a whole is meant.
bool names_its_line(std::string_view error) {
  if (!error.starts_with(file)) return false;
  error.remove_prefix(file.size());
  if (error.starts_with(": the file is empty") || error.starts_with(": more than one YAML document")) return true;
  if (!error.starts_with(':')) return false;
  error.remove_prefix(1);
  const std::size_t digits = error.find_first_not_of("0123456789");
  return digits != 0 && digits != std::string_view::npos && error.substr(digits).starts_with(": ");
}

void check(const config::Loaded& loaded) {
  for (const std::string& error : loaded.errors) {
    if (one_line(error) && names_its_line(error)) continue;
    std::fprintf(stderr, "%s\n", error.c_str());
    REQUIRE(one_line(error));
    REQUIRE(names_its_line(error));
  }
  for (const config::Problem& problem : config::validate(loaded.config)) {
    REQUIRE(one_line(describe(problem, loaded.origins)));
  }
  for (const config::Problem& problem : config::warnings(loaded.config)) {
    REQUIRE(one_line(describe(problem, loaded.origins)));
  }
  if (!loaded.errors.empty()) return;
  const std::string printed = config::to_yaml(loaded.config);
  const config::Loaded again = config::load_text(printed, std::string(file));
  REQUIRE(again.errors.empty());
  REQUIRE(again.config == loaded.config);
  REQUIRE(config::to_yaml(again.config) == printed);
}

}  // namespace
}  // namespace imapmeter::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace imapmeter;
  if (size > fuzz::max_input) return 0;
  const std::string text(reinterpret_cast<const char*>(data), size);
  fuzz::check(config::load_text(text, std::string(fuzz::file)));
  return 0;
}
