#include "proxy/imap/capability_filter.h"

#include <algorithm>
#include <cstring>

#include "proxy/imap/octets.h"

namespace imapmeter::imap {
namespace {

constexpr std::string_view starttls_word = "STARTTLS";
constexpr std::string_view logindisabled_word = "LOGINDISABLED";
constexpr std::string_view auth_prefix = "AUTH=";
constexpr std::string_view scram_prefix = "AUTH=SCRAM-";
constexpr std::string_view plus_suffix = "-PLUS";

// SCRAM families by their bit; every other one shares the last bit.
constexpr std::array<std::string_view, 7> families = {"SHA-1",   "SHA-224",  "SHA-256", "SHA-384",
                                                      "SHA-512", "SHA3-256", "SHA3-512"};

constexpr bool ends_word(char octet) noexcept { return octet == ' ' || octet == cr || octet == lf || octet == ']'; }

bool starts_with(std::string_view octets, std::string_view prefix) noexcept {
  return is_word(octets.substr(0, prefix.size()), prefix);
}

std::uint8_t family_bit(std::string_view family) noexcept {
  std::size_t index = 0;
  while (index < families.size() && !is_word(family, families[index])) ++index;
  return static_cast<std::uint8_t>(1U << index);
}

// The end of the word that begins at or goes on at the front of `octets`, its preceding SP included.
std::size_t word_end(std::span<const char> octets, bool at_space) noexcept {
  std::size_t end = at_space ? 1 : 0;
  while (end < octets.size() && is_atom_char(octets[end])) ++end;
  return end;
}

}  // namespace

void FilterOutput::put_in_front(std::string_view held) noexcept {
  begin_ -= held.size();
  std::memcpy(begin_, held.data(), held.size());
}

void FilterOutput::drop(const char* from, const char* to) noexcept {
  const auto kept = static_cast<std::size_t>(from - keep_);
  if (write_ != keep_) std::memmove(write_, keep_, kept);
  write_ += kept;
  keep_ = to;
}

std::span<char> FilterOutput::finish(const char* end) noexcept {
  drop(end, end);
  return {begin_, write_};
}

void CapabilityFilter::begin_list() noexcept {
  *this = CapabilityFilter{};
  in_list_ = true;
}

std::string_view CapabilityFilter::release() noexcept {
  if (!held_) return {};
  held_ = false;  // word_ stays: what the word is still has to be known
  return {word_.data(), size_};
}

std::size_t CapabilityFilter::take(std::span<char> octets, FilterOutput& output, CapabilityRules* rules,
                                   Observer& observer) noexcept {
  static constexpr CapabilityRules nothing = {.enabled = false};
  const CapabilityRules& rule = rules == nullptr ? nothing : *rules;
  survey(octets);
  std::size_t taken = 0;
  while (taken < octets.size()) {
    const std::span<const char> rest = octets.subspan(taken);
    const bool at_space = rest.front() == ' ';
    const bool in_word = size_ > 0 || too_long_;
    if (in_word && !is_atom_char(rest.front())) {
      end_word(rest, 0, output, rule, observer);
      continue;
    }
    if (!in_word && !at_space) {  // the octet that ends the list
      end_list(rules);
      return taken;
    }
    const std::size_t end = word_end(rest, !in_word);
    if (end == rest.size()) {
      keep_beginning(rest, output, rule);
    } else {
      end_word(rest, end, output, rule, observer);
    }
    taken += end;
  }
  return taken;
}

// Looks ahead for what the words of this span say about each other.
void CapabilityFilter::survey(std::span<const char> octets) noexcept {
  std::array<char, capability_headroom> room;
  bool cut = size_ > 0 || too_long_;
  std::size_t at = 0;
  while (at < octets.size() && (cut || octets[at] == ' ')) {
    const std::span<const char> rest = octets.subspan(at);
    const std::size_t end = word_end(rest, !cut);
    if (end == rest.size()) return;
    const std::string_view word = cut ? joined(rest.first(end), room) : std::string_view(rest.data() + 1, end - 1);
    note(classify(word));
    cut = false;
    at += end;
  }
  whole_ = at < octets.size() && !judged_;
}

// The word that the last span cut, without its SP; empty if it is too long.
std::string_view CapabilityFilter::joined(std::span<const char> rest,
                                          std::array<char, capability_headroom>& room) const noexcept {
  if (too_long_ || size_ + rest.size() > room.size() || size_ == 0) return {};
  std::copy_n(word_.begin(), size_, room.begin());
  std::copy(rest.begin(), rest.end(), room.begin() + size_);
  return {room.data() + 1, size_ + rest.size() - 1};
}

CapabilityFilter::Word CapabilityFilter::classify(std::string_view word) noexcept {
  if (is_word(word, starttls_word)) return {Kind::starttls, 0};
  if (is_word(word, logindisabled_word)) return {Kind::logindisabled, 0};
  if (!starts_with(word, auth_prefix)) return {};
  if (!starts_with(word, scram_prefix)) return {Kind::auth, 0};
  std::string_view family = word.substr(scram_prefix.size());
  if (family.size() < plus_suffix.size() || !is_word(family.substr(family.size() - plus_suffix.size()), plus_suffix)) {
    return {Kind::scram, family_bit(family)};
  }
  family.remove_suffix(plus_suffix.size());
  return {Kind::scram_plus, family_bit(family)};
}

void CapabilityFilter::note(const Word& word) noexcept {
  if (word.kind == Kind::logindisabled) facts_.logindisabled = true;
  if (word.kind == Kind::auth) facts_.other_auth = true;
  if (word.kind == Kind::scram) facts_.scram |= word.family;
  if (word.kind == Kind::scram_plus) facts_.plus |= word.family;
}

bool CapabilityFilter::unwanted(const Word& word, const CapabilityRules& rules) noexcept {
  if (!rules.enabled) return false;
  if (word.kind == Kind::starttls) return rules.strip_starttls;
  if (word.kind == Kind::scram_plus) return true;
  if (word.kind != Kind::scram) return false;
  const auto plus = static_cast<std::uint8_t>(facts_.plus | (whole_ ? 0U : rules.plus_families));
  if ((plus & word.family) == 0) return false;
  const bool others = facts_.other_auth || (facts_.scram & ~plus) != 0;
  const bool last_way = (facts_.logindisabled && !others) || (!whole_ && rules.keep_scram);
  kept_scram_ = kept_scram_ || last_way;
  return !last_way;
}

// A word is complete: the first `size` octets of `rest` are its last ones, or all with its SP if no span has cut it.
void CapabilityFilter::end_word(std::span<const char> rest, std::size_t size, FilterOutput& output,
                                const CapabilityRules& rules, Observer& observer) noexcept {
  std::array<char, capability_headroom> room;
  const bool cut = size_ > 0 || too_long_;
  const bool gone_out = cut && !held_;
  const std::string_view word = cut ? joined(rest.first(size), room) : std::string_view(rest.data() + 1, size - 1);
  const Word what = classify(word);
  note(what);
  judged_ = true;
  if (!gone_out && word.size() < capability_headroom && ends_word(rest[size]) && unwanted(what, rules)) {
    held_ = false;
    if (size != 0) output.drop(rest.data(), rest.data() + size);
    observer.on_capability_removed();
  } else {
    let_go(output);
  }
  size_ = 0;
  too_long_ = false;
}

void CapabilityFilter::let_go(FilterOutput& output) noexcept {
  if (held_) output.put_in_front({word_.data(), size_});
  held_ = false;
}

// The span ends within a word: holds its beginning back if it may have to go, and remembers it in any case.
void CapabilityFilter::keep_beginning(std::span<const char> part, FilterOutput& output,
                                      const CapabilityRules& rules) noexcept {
  const bool gone_out = (size_ > 0 && !held_) || too_long_;
  if (too_long_ || size_ + part.size() > word_.size()) {
    let_go(output);
    too_long_ = true;
    return;
  }
  const std::uint8_t before = size_;
  std::copy(part.begin(), part.end(), word_.begin() + size_);
  size_ = static_cast<std::uint8_t>(size_ + part.size());
  if (!gone_out && may_go({word_.data() + 1, size_ - 1U}, rules)) {
    held_ = true;
    output.drop(part.data(), part.data() + part.size());
  } else if (held_) {
    output.put_in_front({word_.data(), before});
    held_ = false;
  }
}

// Whether a word that begins like this could be unwanted.
bool CapabilityFilter::may_go(std::string_view beginning, const CapabilityRules& rules) noexcept {
  if (!rules.enabled) return false;
  const bool scram = starts_with(beginning, scram_prefix.substr(0, beginning.size()));
  const bool starttls =
      beginning.size() <= starttls_word.size() && starts_with(beginning, starttls_word.substr(0, beginning.size()));
  return scram || (rules.strip_starttls && starttls);
}

void CapabilityFilter::end_list(CapabilityRules* rules) noexcept {
  in_list_ = false;
  if (rules == nullptr) return;
  if (facts_.logindisabled) rules->findings.add(CapabilityFinding::logindisabled);
  if (facts_.plus != 0) rules->findings.add(CapabilityFinding::scram_plus);
  if (kept_scram_) rules->findings.add(CapabilityFinding::scram_kept);
  const bool before_login = facts_.other_auth || facts_.scram != 0 || facts_.plus != 0;
  if (!before_login) return;
  if (!whole_) {
    rules->plus_families |= facts_.plus;
    return;
  }
  rules->plus_families = facts_.plus;
  rules->keep_scram = facts_.logindisabled && !facts_.other_auth && (facts_.scram & ~facts_.plus) == 0;
}

}  // namespace imapmeter::imap
