// CommandScanner: the same tokens at any cut, whatever the server does meanwhile. In the wire, octets from 0xfa on are
// the server's doings.
#include "proxy/imap/command_scanner.h"
#include "tests/fuzz/fuzzing.h"

namespace imapmeter::fuzz {
namespace {

using Token = imap::CommandScanner::Token;
using Expect = imap::CommandScanner::Expect;

bool act(imap::CommandScanner& scanner, char octet) {
  switch (static_cast<unsigned char>(octet)) {
    case 0xfa:
      scanner.go_ahead();
      return true;
    case 0xfb:
      scanner.reject();
      return true;
    case 0xfc:
      scanner.answered();
      return true;
    case 0xfd:
      scanner.expect(Expect::command);
      return true;
    case 0xfe:
      scanner.expect(Expect::sasl);
      return true;
    case 0xff:
      scanner.expect(Expect::idle);
      return true;
    default:
      return false;
  }
}

Trace run(std::string_view wire, Cutter cutter) {
  Trace trace;
  imap::CommandScanner scanner;
  std::uint64_t literal = 0;
  while (!wire.empty()) {
    if (act(scanner, wire.front())) {
      wire.remove_prefix(1);
      continue;
    }
    std::size_t piece = 0;
    while (piece < wire.size() && static_cast<unsigned char>(wire[piece]) < 0xfa) ++piece;
    const std::size_t chunk = cutter.next(piece);
    std::span<const char> octets(wire.data(), chunk);
    wire.remove_prefix(chunk);
    while (!octets.empty()) {
      const imap::CommandScanner::Scan scan = scanner.scan(octets, 12345);
      REQUIRE(scan.taken <= octets.size());
      REQUIRE(scan.taken > 0 || scan.token == Token::impatient);
      octets = octets.subspan(scan.taken);
      if (scan.token == Token::more) continue;
      if (scan.token == Token::literal) {
        literal += scan.taken;
        continue;
      }
      trace.add(literal);
      trace.add(static_cast<std::uint64_t>(scan.token));
      if (scan.token == Token::unreadable) return trace;
      const imap::CommandLine& line = scanner.line();
      trace.add(line.tag.value);
      trace.add(line.tag.length);
      trace.add(static_cast<std::uint64_t>(line.shape));
      trace.add(static_cast<std::uint64_t>(line.command));
      trace.add((line.may_add_layer ? 1U : 0U) | (scanner.waiting() ? 2U : 0U) | (scanner.command_open() ? 4U : 0U) |
                (scanner.framer().bare_lf() ? 8U : 0U) | (scanner.framer().has_nul() ? 16U : 0U));
    }
  }
  trace.add(literal);
  return trace;
}

}  // namespace
}  // namespace imapmeter::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace imapmeter::fuzz;
  const Input input(data, size);
  const std::size_t before = allocations();
  const Trace whole = run(input.wire, Cutter(Cutter::Mode::whole, input.seed));
  REQUIRE(run(input.wire, Cutter(Cutter::Mode::octets, input.seed)) == whole);
  REQUIRE(run(input.wire, Cutter(Cutter::Mode::random, input.seed)) == whole);
  REQUIRE(allocations() == before);
  return 0;
}
