// CommandScanner: the same tokens at any cut, whatever the server does meanwhile, and literals only where a line
// announced one that was not rejected. In the wire, octets from 0xfa on are the server's doings.
#include "proxy/imap/command_scanner.h"
#include "tests/fuzz/fuzzing.h"
#include "tests/fuzz/passage.h"
#include "tests/fuzz/reference.h"

namespace imapmeter::fuzz {
namespace {

using Token = imap::CommandScanner::Token;
using Expect = imap::CommandScanner::Expect;

void act(imap::CommandScanner& scanner, std::uint8_t order) {
  switch (order) {
    case 0xfa:
      return scanner.go_ahead();
    case 0xfb:
      return scanner.reject();
    case 0xfc:
      return scanner.answered();
    case 0xfd:
      return scanner.expect(Expect::command);
    case 0xfe:
      return scanner.expect(Expect::sasl);
    default:
      return scanner.expect(Expect::idle);
  }
}

// Literals by the client's octets and the server's doings alone.
class Literals {
 public:
  void on_order(std::uint8_t order, bool waiting) noexcept {
    if (!waiting) return;
    if (order == 0xfa) parts_.begin_literal(announced_.size);
    if (order == 0xfb) announced_ = {};
  }
  void on_scan(std::span<const char> octets, imap::CommandScanner::Scan scan, const imap::CommandScanner& scanner) {
    if (scan.token == Token::literal) return parts_.take_literal(scan.taken);
    if (scan.token == Token::impatient) {
      REQUIRE(announced_.there);
      return parts_.begin_literal(announced_.size);
    }
    parts_.take(octets.first(scan.taken));
    if (scan.token == Token::more) return;
    announced_ = reference_marker(parts_.end());
    REQUIRE(announced_.there || !(scanner.waiting() || scanner.command_open()));
    REQUIRE(announced_.too_large || scan.token != Token::unreadable);
    if (scanner.read_as() == Expect::sasl) return;
    REQUIRE(!announced_.plus || !scanner.waiting());
    if (announced_.plus) parts_.begin_literal(announced_.size);
  }

 private:
  Parts parts_;
  Marker announced_;  // by the part that ended last
};

// What the scanner said.
struct Heard {
  Trace trace;
  std::uint64_t literal = 0;  // octets; told piecemeal

  void add(imap::CommandScanner::Scan scan, const imap::CommandScanner& scanner) noexcept {
    const imap::CommandLine& line = scanner.line();
    trace.add(literal);
    trace.add((static_cast<std::uint64_t>(scan.token) << 24U) | (static_cast<std::uint64_t>(line.shape) << 16U) |
              (static_cast<std::uint64_t>(line.command) << 8U) | (scanner.waiting() ? 2U : 0U) |
              (scanner.command_open() ? 4U : 0U) | (scanner.framer().bare_lf() ? 8U : 0U) |
              (scanner.framer().has_nul() ? 16U : 0U));
    trace.add(line.tag.value);
    trace.add(line.tag.length);
    trace.add((static_cast<std::uint64_t>(line.mechanism) << 32U) | scanner.octets());
    trace.add(scanner.messages());
    trace.add(static_cast<std::uint64_t>(scanner.client_software()));
  }
};

// False: unreadable.
bool feed(imap::CommandScanner& scanner, std::span<const char> octets, Heard& heard, Literals& literals) {
  while (!octets.empty()) {
    const imap::CommandScanner::Scan scan = scanner.scan(octets, 12345);
    REQUIRE(scan.taken <= octets.size());
    REQUIRE(scan.taken > 0 || scan.token == Token::impatient);
    literals.on_scan(octets, scan, scanner);
    octets = octets.subspan(scan.taken);
    if (scan.token == Token::more) continue;
    if (scan.token == Token::literal) {
      heard.literal += scan.taken;
      continue;
    }
    heard.add(scan, scanner);
    if (scan.token == Token::unreadable) return false;
  }
  return true;
}

Trace run(std::string_view wire, Cutter cutter) {
  static Scratch scratch;
  Heard heard;
  Literals literals;
  imap::CommandScanner scanner;
  Script script(wire, 0xfa);
  Script::Step step;
  while (script.next(step)) {
    if (step.order != 0) {
      literals.on_order(step.order, scanner.waiting());
      act(scanner, step.order);
    }
    while (!step.piece.empty()) {
      const std::size_t chunk = cutter.next(step.piece.size());
      if (!feed(scanner, scratch.lay(step.piece.substr(0, chunk)), heard, literals)) return heard.trace;
      step.piece.remove_prefix(chunk);
    }
  }
  heard.trace.add(heard.literal);
  return heard.trace;
}

}  // namespace
}  // namespace imapmeter::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace imapmeter::fuzz;
  const Input input(data, size);
  const std::size_t before = allocations();
  REQUIRE(run(input.wire, Cutter(input.seed)) == run(input.wire, Cutter::whole()));
  REQUIRE(allocations() == before);
  return 0;
}
