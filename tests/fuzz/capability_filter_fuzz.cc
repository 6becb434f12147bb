// CapabilityFilter against a reference that sees the whole list: what it takes out, and that nothing else goes. The
// wire is lists, one octet between each and the next.
#include <algorithm>
#include <array>

#include "proxy/imap/capability_filter.h"
#include "proxy/imap/octets.h"
#include "tests/fuzz/fuzzing.h"
#include "tests/fuzz/passage.h"
#include "tests/support/event_count.h"

namespace imapmeter::fuzz {
namespace {

constexpr std::uint8_t in_time = 16;  // option: held octets go out now and then, as after a second without more

// --- the reference -------------------------------------------------------------------------------------------------

bool same(std::string_view a, std::string_view upper_case) {
  return std::equal(a.begin(), a.end(), upper_case.begin(), upper_case.end(),
                    [](char x, char y) { return imap::upper(x) == y; });
}

// A word with its SP, and what it means.
struct Word {
  std::string_view octets;
  bool cut_off = false;  // the wire ends here
  bool starttls = false;
  bool logindisabled = false;
  bool other_auth = false;
  bool removable = false;       // as far as its length and what follows are concerned
  std::string_view scram = {};  // the family
  bool plus = false;
};

Word word_at(std::string_view wire) {
  std::size_t size = 1;
  while (size < wire.size() && imap::is_atom_char(wire[size])) ++size;
  Word word{.octets = wire.substr(0, size), .cut_off = size == wire.size()};
  std::string_view text = word.octets.substr(1);
  word.removable = !word.cut_off && size <= 64 && std::string_view(" \r\n]").find(wire[size]) != std::string_view::npos;
  word.starttls = same(text, "STARTTLS");
  word.logindisabled = same(text, "LOGINDISABLED");
  if (!same(text.substr(0, 5), "AUTH=")) return word;
  word.other_auth = !same(text.substr(0, 11), "AUTH=SCRAM-");
  if (word.other_auth) return word;
  text.remove_prefix(11);
  word.plus = text.size() >= 5 && same(text.substr(text.size() - 5), "-PLUS");
  word.scram = text.substr(0, text.size() - (word.plus ? 5 : 0));
  return word;
}

// Families beyond these seven count as one.
std::uint8_t family(std::string_view name) {
  static constexpr std::array<std::string_view, 7> known = {"SHA-1",   "SHA-224",  "SHA-256", "SHA-384",
                                                            "SHA-512", "SHA3-256", "SHA3-512"};
  std::size_t index = 0;
  while (index < known.size() && !same(name, known[index])) ++index;
  return static_cast<std::uint8_t>(1U << index);
}

struct List {
  std::string_view octets;
  bool whole = false;  // its end is in the wire
  std::uint8_t scram = 0;
  std::uint8_t plus = 0;
  bool other_auth = false;
  bool logindisabled = false;
  const char* last_stay = nullptr;  // the last word that can never go

  List(std::string_view wire, const imap::CapabilityRules& rules) {
    std::size_t at = 0;
    while (at < wire.size() && wire[at] == ' ') {
      const Word word = word_at(wire.substr(at));
      at += word.octets.size();
      other_auth = other_auth || word.other_auth;
      logindisabled = logindisabled || word.logindisabled;
      if (is_scram(word)) (word.plus ? plus : scram) |= family(word.scram);
      if (!may_go(word, rules)) last_stay = word.octets.data();
    }
    octets = wire.substr(0, at);
    whole = at < wire.size();
  }

  static bool is_scram(const Word& word) { return word.scram.data() != nullptr; }
  static bool may_go(const Word& word, const imap::CapabilityRules& rules) {
    return rules.enabled && word.removable && (is_scram(word) || (rules.strip_starttls && word.starttls));
  }
  // Whatever the rest of the list says.
  static bool must_go(const Word& word, const imap::CapabilityRules& rules) {
    return may_go(word, rules) && (word.plus || word.starttls);
  }
  // Of a whole list.
  bool goes(const Word& word, const imap::CapabilityRules& rules) const {
    if (!may_go(word, rules) || must_go(word, rules)) return must_go(word, rules);
    const bool last_way = logindisabled && !other_auth && (scram & ~plus) == 0;
    return (plus & family(word.scram)) != 0 && !last_way;
  }
};

// --- the filter ----------------------------------------------------------------------------------------------------

class Run {
 public:
  Run(const Input& input, imap::CapabilityRules rules) noexcept
      : rules_(rules), dice_(input.seed), wire_(input.wire), in_time_((input.options & in_time) != 0) {}

  void read(Cutter cutter) {
    passage_.start();
    filter_.begin_list();
    for (std::string_view left = wire_; !left.empty();) {
      const std::size_t chunk = cutter.next(left.size());
      pass(left.substr(0, chunk));
      left.remove_prefix(chunk);
      if (in_time_ && dice_.roll(2) == 0) release();
    }
    release();
  }

  // Each word is there whole, or it may go and was counted; all else is as it came.
  void check_words() const {
    std::string_view out(out_.data(), size_);
    std::uint64_t removed = 0;
    for (std::string_view wire = wire_; !wire.empty();) {
      const List list(wire, rules_);
      for (std::size_t at = 0; at < list.octets.size();) {
        const Word word = word_at(wire.substr(at));
        at += word.octets.size();
        const bool must_go = !in_time_ && List::must_go(word, rules_);  // in time its beginning may have gone out
        if (must_go || !stayed(word, list, out)) {
          REQUIRE(List::may_go(word, rules_));
          ++removed;
        } else {
          out.remove_prefix(word.octets.size());
        }
      }
      wire.remove_prefix(list.octets.size());
      if (wire.empty()) break;
      REQUIRE(!out.empty() && out.front() == wire.front());
      out.remove_prefix(1);
      wire.remove_prefix(1);
    }
    REQUIRE(out.empty());
    REQUIRE(removed == heard_.words_removed);
  }

  // Every whole list came out exactly as the rules say; only for a wire that was not cut.
  void check_lists() const {
    std::string_view out(out_.data(), size_);
    for (std::string_view wire = wire_; !wire.empty();) {
      const List list(wire, rules_);
      if (!list.whole) return;
      for (std::size_t at = 0; at < list.octets.size();) {
        const Word word = word_at(wire.substr(at));
        at += word.octets.size();
        if (list.goes(word, rules_)) continue;
        REQUIRE(out.starts_with(word.octets));
        out.remove_prefix(word.octets.size());
      }
      wire.remove_prefix(list.octets.size() + 1);
      REQUIRE(!out.empty() && out.front() == wire.data()[-1]);
      out.remove_prefix(1);
    }
    REQUIRE(out.empty());
  }

  void check_count() const { REQUIRE(heard_.words_removed != 0 || passage_.missing() == 0); }

 private:
  void pass(std::string_view piece) {
    static Scratch scratch;
    std::span<char> octets = scratch.lay(piece);
    passage_.in(octets);
    imap::FilterOutput output(octets);
    const char* end = octets.data() + octets.size();
    while (!octets.empty()) {
      if (filter_.in_list()) {
        const std::size_t taken = filter_.take(octets, output, &rules_, heard_);
        REQUIRE(taken <= octets.size());
        REQUIRE(taken == octets.size() || !filter_.in_list());
        octets = octets.subspan(taken);
      } else {
        octets = octets.subspan(1);
        filter_.begin_list();
      }
    }
    give(output.finish(end));
  }

  void release() {
    const std::string_view held = filter_.release();
    REQUIRE(held.size() <= imap::capability_headroom && !filter_.holds());
    give(held);
  }

  void give(std::span<const char> octets) {
    passage_.out(octets);
    REQUIRE(octets.size() <= out_.size() - size_);
    std::copy(octets.begin(), octets.end(), out_.begin() + size_);
    size_ += octets.size();
  }

  // Whether `out` goes on with the word; where what follows it there ends the list, all the other words must be gone.
  static bool stayed(const Word& word, const List& list, std::string_view out) {
    if (!out.starts_with(word.octets)) return false;
    if (out.size() == word.octets.size()) return word.cut_off;
    const char next = out[word.octets.size()];
    return next == ' ' || (!imap::is_atom_char(next) && list.last_stay <= word.octets.data());
  }

  static inline Passage passage_;
  static inline std::array<char, max_input> out_;
  std::size_t size_ = 0;
  imap::CapabilityFilter filter_;
  imap::CapabilityRules rules_;
  test::EventCount heard_;
  Dice dice_;
  std::string_view wire_;
  bool in_time_;
};

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
  const std::size_t before = allocations();
  Run whole(input, rules);
  whole.read(Cutter::whole());
  whole.check_count();
  whole.check_words();
  if ((input.options & in_time) == 0) whole.check_lists();
  Run cut(input, rules);
  cut.read(Cutter(input.seed));
  cut.check_count();
  cut.check_words();
  REQUIRE(allocations() == before);
  return 0;
}
