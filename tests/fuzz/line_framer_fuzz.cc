// LineFramer against a reference that keeps whole lines and reads every octet.
#include "proxy/imap/line_framer.h"
#include "tests/fuzz/fuzzing.h"
#include "tests/fuzz/reference.h"

namespace imapmeter::fuzz {
namespace {

bool reference_quote_open(std::string_view content) {
  bool open = false;
  for (std::size_t i = 0; i < content.size(); ++i) {
    if (open && content[i] == '\\')
      ++i;
    else if (content[i] == '"')
      open = !open;
  }
  return open;
}

Trace reference(std::string_view wire) {
  Trace trace;
  while (true) {
    const std::size_t end = wire.find('\n');
    if (end == std::string_view::npos) return trace;
    const std::string_view content = wire.substr(0, end);
    wire.remove_prefix(end + 1);
    const Marker marker = reference_marker(content);
    trace.add(!content.ends_with('\r'));
    trace.add(content.find('\0') != std::string_view::npos);
    trace.add(marker.there);
    if (!marker.there) continue;
    trace.add(marker.plus);
    trace.add(marker.too_large);
    trace.add(reference_quote_open(content));
    if (marker.too_large) return trace;
    trace.add(marker.size);
    if (marker.size > wire.size()) return trace;
    wire.remove_prefix(static_cast<std::size_t>(marker.size));
  }
}

Trace framed(std::string_view wire, Cutter cutter) {
  Trace trace;
  imap::LineFramer framer;
  bool literal = false;
  while (!wire.empty()) {
    const std::size_t chunk = cutter.next(wire.size());
    std::span<const char> octets(wire.data(), chunk);
    wire.remove_prefix(chunk);
    while (!octets.empty()) {
      if (literal && framer.literal_left() > 0) {
        octets = octets.subspan(framer.take_literal(octets.size()));
        continue;
      }
      literal = false;
      const imap::LineFramer::Part part = framer.take_part(octets, true);
      REQUIRE(part.octets > 0 && part.octets <= octets.size());
      octets = octets.subspan(part.octets);
      if (!part.ended) continue;
      const imap::LiteralMarker marker = framer.marker();
      trace.add(framer.bare_lf());
      trace.add(framer.has_nul());
      trace.add(marker.complete());
      if (!marker.complete()) {
        framer.begin_part();
        continue;
      }
      trace.add(marker.plus());
      trace.add(marker.too_large());
      trace.add(framer.quote_open());
      if (marker.too_large()) return trace;
      trace.add(marker.size());
      framer.begin_literal();
      literal = true;
    }
  }
  return trace;
}

}  // namespace
}  // namespace imapmeter::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace imapmeter::fuzz;
  const Input input(data, size);
  const std::size_t before = allocations();
  const Cutter cutter = (input.options & 1U) != 0 ? Cutter::whole() : Cutter(input.seed);
  REQUIRE(framed(input.wire, cutter) == reference(input.wire));
  REQUIRE(allocations() == before);
  return 0;
}
