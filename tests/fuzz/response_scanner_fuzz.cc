// ResponseScanner, with the capability filter as the tracker uses it: the same tokens at any cut, and literals in data
// and BADCHARSET only.
#include <algorithm>
#include <string>

#include "proxy/imap/capability_filter.h"
#include "proxy/imap/octets.h"
#include "proxy/imap/response_scanner.h"
#include "tests/fuzz/fuzzing.h"
#include "tests/fuzz/passage.h"
#include "tests/fuzz/reference.h"
#include "tests/support/event_count.h"

namespace imapmeter::fuzz {
namespace {

using Token = imap::ResponseScanner::Token;

constexpr std::uint8_t distrust = 16;  // option: do to every tag what the tracker does to unknown ones out of step

// A first line that is nearly too long, before the wire. The list is slow to read, and rare.
std::string_view beginning(std::uint8_t options, std::uint8_t seed) {
  static const std::string text = "* OK " + std::string(8180, 'x');
  static const std::string list = "* OK [CAPABILITY " + std::string(8160, 'x') + " ";
  if ((options & 0xe0U) == 0x20) return text;
  if ((options & 0xe0U) == 0x40 && seed >= 0xf8) return list;
  return {};
}

constexpr auto same_letter = [](char a, char b) { return imap::upper(a) == b; };

// Data, by the first part of a line: `*` and something that is no status.
bool is_data(std::string_view line) {
  if (line.size() < 2 || line[0] != '*' || line[1] == '\r') return false;
  if (line[1] != ' ') return true;
  const std::string_view word = line.substr(2, std::min(line.find_first_of(" \r", 2), line.size()) - 2);
  for (const std::string_view condition : {"", "OK", "NO", "BAD", "PREAUTH", "BYE"}) {
    if (std::equal(word.begin(), word.end(), condition.begin(), condition.end(), same_letter))
      return line.starts_with("*  ");
  }
  return true;
}

bool has_badcharset(std::string_view line) {
  static constexpr std::string_view code = "[BADCHARSET ";
  return std::search(line.begin(), line.end(), code.begin(), code.end(), same_letter) != line.end();
}

// Literals by the octets alone.
class Literals {
 public:
  void skip(std::span<const char> octets) noexcept { parts_.take(octets); }
  void distrust() noexcept { distrusted_ = true; }
  void on_scan(std::span<const char> octets, imap::ResponseScanner::Scan scan) {
    if (scan.token == Token::literal) return parts_.take_literal(scan.taken);
    parts_.take(octets.first(scan.taken));
    if (scan.token != Token::part && scan.token != Token::line) return;
    const std::string_view part = parts_.end();
    if (!further_) data_ = !first_line_ && is_data(part);
    if (!further_) badcharset_ = has_badcharset(part);
    const Marker marker = reference_marker(part);
    further_ = scan.token == Token::part;
    if (further_) {
      REQUIRE(marker.there && !distrusted_ && (data_ || badcharset_));
      return parts_.begin_literal(marker.size);
    }
    REQUIRE(!marker.there || !data_ || distrusted_);
    first_line_ = distrusted_ = false;
  }

 private:
  Parts parts_;
  bool first_line_ = true;
  bool further_ = false;  // not the first part of its line
  bool data_ = false;
  bool badcharset_ = false;
  bool distrusted_ = false;
};

class Run {
 public:
  Run(imap::CapabilityRules rules, std::uint8_t options, Passage& passage) noexcept
      : rules_(rules), distrust_((options & distrust) != 0), passage_(passage) {
    passage_.start();
  }

  void read(std::string_view wire, Cutter cutter) {
    while (!wire.empty()) {
      const std::size_t chunk = cutter.next(wire.size());
      pass(wire.substr(0, chunk));
      wire.remove_prefix(chunk);
    }
  }
  void finish() {
    trace_.add(literal_);
    const std::string_view held = filter_.release();
    REQUIRE(held.size() <= imap::capability_headroom);
    passage_.out(held);
    REQUIRE(heard_.words_removed != 0 || passage_.missing() == 0);
    REQUIRE(rules_.enabled || heard_.words_removed == 0);
  }

  const Trace& trace() const noexcept { return trace_; }

 private:
  void pass(std::string_view piece) {
    static Scratch scratch;
    std::span<char> octets = scratch.lay(piece);
    passage_.in(octets);
    imap::FilterOutput output(octets);
    const char* end = octets.data() + octets.size();
    if (!readable_ && filter_.holds()) output.put_in_front(filter_.release());
    while (!octets.empty() && readable_) octets = octets.subspan(step(octets, output));
    passage_.out(output.finish(end));
  }

  std::size_t step(std::span<char> octets, imap::FilterOutput& output) {
    if (filter_.in_list()) {
      const std::size_t taken = filter_.take(octets, output, &rules_, heard_);
      REQUIRE(taken <= octets.size());
      literals_.skip(octets.first(taken));
      readable_ = scanner_.skip(taken);
      return taken;
    }
    const imap::ResponseScanner::Scan scan = scanner_.scan(octets, 12345);
    REQUIRE(scan.taken <= octets.size());
    REQUIRE(scan.taken > 0 || scan.token == Token::list || scan.token == Token::misfit);
    literals_.on_scan(octets, scan);
    on_token(scan);
    return scan.taken;
  }

  void on_token(imap::ResponseScanner::Scan scan) {
    if (scan.token == Token::more) return;
    if (scan.token == Token::literal) {
      literal_ += scan.taken;
      return;
    }
    trace_.add((literal_ << 8U) | static_cast<std::uint64_t>(scan.token));
    if (scan.token == Token::list) filter_.begin_list();
    if (scan.token == Token::misfit || (distrust_ && scan.token == Token::tag)) {
      scanner_.distrust_line();
      literals_.distrust();
    }
    if (scan.token == Token::unreadable) readable_ = false;
    if (scan.token == Token::part) {
      trace_.add(scanner_.framer().marker().size());
      trace_.add((scanner_.framer().marker().plus() ? 1U : 0U) | (scanner_.framer().quote_open() ? 2U : 0U));
    }
    if (scan.token == Token::line) add_line();
  }

  void add_line() noexcept {
    const imap::ResponseLine& line = scanner_.line();
    trace_.add(line.tag.value);
    trace_.add(line.tag.length);
    trace_.add((static_cast<std::uint64_t>(line.shape) << 32U) | (static_cast<std::uint64_t>(line.code) << 24U) |
               (static_cast<std::uint64_t>(line.keyword) << 16U) |
               (line.has_condition ? 1U + static_cast<std::uint64_t>(line.condition) : 0U) << 8U |
               (line.code_unclosed ? 1U : 0U) | (line.missing_space ? 2U : 0U) | (line.no_text ? 4U : 0U) |
               (scanner_.framer().bare_lf() ? 8U : 0U) | (scanner_.framer().has_nul() ? 16U : 0U) |
               (scanner_.bye_text().inactivity() ? 32U : 0U) | (scanner_.bye_text().shutdown() ? 64U : 0U));
  }

  imap::ResponseScanner scanner_;
  imap::CapabilityFilter filter_;
  imap::CapabilityRules rules_;
  test::EventCount heard_;
  Literals literals_;
  Trace trace_;
  std::uint64_t literal_ = 0;  // octets; told piecemeal
  bool readable_ = true;
  bool distrust_;
  Passage& passage_;
};

}  // namespace
}  // namespace imapmeter::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace imapmeter;
  using namespace imapmeter::fuzz;
  static Passage passage;
  const Input input(data, size);
  const imap::CapabilityRules rules = {.enabled = (input.options & 1U) != 0,
                                       .strip_starttls = (input.options & 2U) != 0,
                                       .plus_families = static_cast<std::uint8_t>((input.options & 4U) != 0 ? 0xff : 0),
                                       .keep_scram = (input.options & 8U) != 0};
  const std::string_view begin = beginning(input.options, input.seed);
  const std::size_t before = allocations();
  Run whole(rules, input.options, passage);
  whole.read(begin, Cutter::whole());
  whole.read(input.wire, Cutter::whole());
  whole.finish();
  Run cut(rules, input.options, passage);
  cut.read(begin, Cutter::whole());
  cut.read(input.wire, Cutter(input.seed));
  cut.finish();
  REQUIRE(allocations() == before);
  REQUIRE(cut.trace() == whole.trace());
  return 0;
}
