// ResponseScanner and CapabilityFilter: the same tokens at any cut; what the filter lets out.
#include <vector>

#include "proxy/imap/capability_filter.h"
#include "proxy/imap/response_scanner.h"
#include "tests/fuzz/fuzzing.h"
#include "tests/support/event_count.h"

namespace imapmeter::fuzz {
namespace {

using Token = imap::ResponseScanner::Token;

void add_line(Trace& trace, const imap::ResponseScanner& scanner) {
  const imap::ResponseLine& line = scanner.line();
  trace.add(line.tag.value);
  trace.add(line.tag.length);
  trace.add(static_cast<std::uint64_t>(line.shape));
  trace.add(line.has_condition ? 1U + static_cast<std::uint64_t>(line.condition) : 0U);
  trace.add(static_cast<std::uint64_t>(line.code));
  trace.add(static_cast<std::uint64_t>(line.keyword));
  trace.add((line.code_unclosed ? 1U : 0U) | (line.missing_space ? 2U : 0U) | (line.no_text ? 4U : 0U));
  trace.add((scanner.framer().bare_lf() ? 1U : 0U) | (scanner.framer().has_nul() ? 2U : 0U));
  trace.add((scanner.bye_text().inactivity() ? 1U : 0U) | (scanner.bye_text().shutdown() ? 2U : 0U));
}

struct Run {
  Trace trace;
  std::vector<char> out;
  std::uint64_t removed = 0;
};

// Room is made beforehand: the code under test must not allocate.
struct Room {
  std::vector<char> scratch;
  explicit Room(std::size_t size) : scratch(imap::capability_headroom + size) {}
};

// `distrust`: do to every tag what the tracker does to unknown ones out of step.
void run(std::string_view wire, Cutter cutter, imap::CapabilityRules rules, bool distrust, Room& room, Run& result) {
  imap::ResponseScanner scanner;
  imap::CapabilityFilter filter;
  test::EventCount heard;
  std::uint64_t literal = 0;
  bool readable = true;
  while (!wire.empty()) {
    const std::size_t chunk = cutter.next(wire.size());
    std::span<char> octets(room.scratch.data() + imap::capability_headroom, chunk);
    std::copy_n(wire.data(), chunk, octets.begin());
    wire.remove_prefix(chunk);
    imap::FilterOutput output(octets);
    const char* end = octets.data() + octets.size();
    if (!readable && filter.holds()) output.put_in_front(filter.release());
    while (!octets.empty() && readable) {
      if (filter.in_list()) {
        const std::size_t taken = filter.take(octets, output, &rules, heard);
        octets = octets.subspan(taken);
        readable = scanner.skip(taken);
        continue;
      }
      const imap::ResponseScanner::Scan scan = scanner.scan(octets, 12345);
      REQUIRE(scan.taken <= octets.size());
      REQUIRE(scan.taken > 0 || scan.token == Token::list || scan.token == Token::misfit);
      octets = octets.subspan(scan.taken);
      if (scan.token == Token::more) continue;
      if (scan.token == Token::literal) {
        literal += scan.taken;
        continue;
      }
      result.trace.add(literal);
      result.trace.add(static_cast<std::uint64_t>(scan.token));
      if (scan.token == Token::list) filter.begin_list();
      if (scan.token == Token::misfit || (distrust && scan.token == Token::tag)) scanner.distrust_line();
      if (scan.token == Token::unreadable) readable = false;
      if (scan.token == Token::part) {
        result.trace.add(scanner.framer().marker().size());
        result.trace.add((scanner.framer().marker().plus() ? 1U : 0U) | (scanner.framer().quote_open() ? 2U : 0U));
      }
      if (scan.token == Token::line) add_line(result.trace, scanner);
    }
    const std::span<char> out = output.finish(end);
    REQUIRE(out.size() <= chunk + imap::capability_headroom);
    result.out.insert(result.out.end(), out.begin(), out.end());
  }
  result.trace.add(literal);
  const std::string_view held = filter.release();
  REQUIRE(held.size() <= imap::capability_headroom);
  result.out.insert(result.out.end(), held.begin(), held.end());
  result.removed = heard.words_removed;
}

bool is_subsequence(const std::vector<char>& part, std::string_view whole) {
  std::size_t at = 0;
  for (const char octet : whole) at += at < part.size() && part[at] == octet ? 1U : 0U;
  return at == part.size();
}

}  // namespace
}  // namespace imapmeter::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace imapmeter;
  using namespace imapmeter::fuzz;
  const Input input(data, size);
  const imap::CapabilityRules rules = {.enabled = (input.options & 1U) != 0,
                                       .strip_starttls = (input.options & 2U) != 0,
                                       .plus_families = static_cast<std::uint8_t>((input.options & 4U) != 0 ? 0xff : 0),
                                       .keep_scram = (input.options & 8U) != 0};
  Room room(input.wire.size());
  Run runs[3];
  const Cutter::Mode modes[] = {Cutter::Mode::whole, Cutter::Mode::octets, Cutter::Mode::random};
  for (int i = 0; i < 3; ++i) {
    runs[i].out.reserve(input.wire.size());
    const std::size_t before = allocations();
    run(input.wire, Cutter(modes[i], input.seed), rules, (input.options & 16U) != 0, room, runs[i]);
    REQUIRE(allocations() == before);
    REQUIRE(runs[i].trace == runs[0].trace);
    REQUIRE(is_subsequence(runs[i].out, input.wire));
    REQUIRE(runs[i].removed != 0 || runs[i].out.size() == input.wire.size());
    REQUIRE(rules.enabled || runs[i].removed == 0);
  }
  return 0;
}
