// Text on its way into a line of the log or a label of the metrics: the line stays one line, and a strict reader reads
// the same text from it.
#include <prometheus/text_serializer.h>

#include <nlohmann/json.hpp>
#include <string>

#include "metrics/family_writer.h"
#include "proxy/log_json.h"
#include "tests/fuzz/fuzzing.h"
#include "tests/support/exposition.h"

namespace imapmeter::fuzz {
namespace {

// The octets of the code point at the front; 0 where it is none (RFC 3629 section 4, row by row).
std::size_t utf8_octets(std::string_view text) {
  const auto in = [&](std::size_t at, unsigned low, unsigned high) {
    const unsigned octet = at < text.size() ? static_cast<unsigned char>(text[at]) : 0x100U;
    return octet >= low && octet <= high;
  };
  const auto tail = [&](std::size_t at) { return in(at, 0x80, 0xbf); };
  if (in(0, 0x00, 0x7f)) return 1;
  if (in(0, 0xc2, 0xdf) && tail(1)) return 2;
  const bool three = (in(0, 0xe0, 0xe0) && in(1, 0xa0, 0xbf)) || (in(0, 0xe1, 0xec) && tail(1)) ||
                     (in(0, 0xed, 0xed) && in(1, 0x80, 0x9f)) || (in(0, 0xee, 0xef) && tail(1));
  if (three && tail(2)) return 3;
  const bool four = (in(0, 0xf0, 0xf0) && in(1, 0x90, 0xbf)) || (in(0, 0xf1, 0xf3) && tail(1)) ||
                    (in(0, 0xf4, 0xf4) && in(1, 0x80, 0x8f));
  return four && tail(2) && tail(3) ? 4 : 0;
}

// The text with U+FFFD for each octet that is no UTF-8.
std::string as_utf8(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t octets = utf8_octets(text);
    out += octets == 0 ? std::string_view("\xef\xbf\xbd") : text.substr(0, octets);
    text.remove_prefix(octets == 0 ? 1 : octets);
  }
  return out;
}

void check_log(std::string_view text) {
  const std::string escaped = proxy::json_escape(text);
  for (const char c : escaped) REQUIRE(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
  for (const std::string_view line_end : {"\xc2\x85", "\xe2\x80\xa8", "\xe2\x80\xa9"}) {
    REQUIRE(escaped.find(line_end) == std::string::npos);
  }
  const nlohmann::json read = nlohmann::json::parse("\"" + escaped + "\"", nullptr, false);
  REQUIRE(read.is_string());
  REQUIRE(read.get<std::string>() == as_utf8(text));
}

void check_label(std::string_view text) {
  metrics::FamilyWriter writer;
  writer.gauge("imapmeter_text", "A text.");
  writer.add({{"text", text}}, std::uint64_t{1});
  const std::string exposition = prometheus::TextSerializer().Serialize(writer.finish());
  try {
    const test::Exposition read = test::parse_exposition(exposition);
    REQUIRE(read.families.size() == 1 && read.series().size() == 1);
    REQUIRE(read.has("imapmeter_text", {{"text", std::string(text)}}));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n%s", error.what(), exposition.c_str());
    REQUIRE(false);
  }
}

}  // namespace
}  // namespace imapmeter::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace imapmeter::fuzz;
  if (size > max_input) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_log(text);
  check_label(text);
  return 0;
}
