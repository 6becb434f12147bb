// Takes words out of CAPABILITY data and CAPABILITY response codes as they pass: the one place that changes an octet
// (FAULTS.md, invariant I1 c). Works on the span that the tracker has just read, in place: output <= input + held.
//
// Rules
// - STARTTLS goes where the client's leg has TLS already.
// - For each AUTH=SCRAM-X-PLUS both it and AUTH=SCRAM-X go: channel binding cannot work across a proxy that ends TLS,
//   and a client that could bind but sees no -PLUS says so, which the server must then refuse (RFC 5802 section 6).
//   Where no other AUTH= would remain and LOGINDISABLED is there, AUTH=SCRAM-X stays.
// - A word takes its preceding SP with it.
// - A list that lies whole in one span is judged as a whole. Of a list that arrives in pieces, words are judged by what
//   is known so far and by what the last whole list of this upstream had.
// - An unfinished word that could be one of these is held back, at most 64 octets with its SP; longer words pass.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "proxy/imap/observer.h"

namespace imapmeter::imap {

// The caller leaves this many writable octets free before the span it passes: a held word may come out in front.
inline constexpr std::size_t capability_headroom = 64;

// What to take out. One per worker and upstream, shared by its sessions; the filter remembers here what the upstream
// offers, for lists that arrive in pieces.
struct CapabilityRules {
  bool enabled = true;               // false: nothing is changed, findings are still told
  bool strip_starttls = false;       // this leg of the client has TLS already
  std::uint8_t plus_families = 0;    // remembered: bit n, SCRAM family n is offered with -PLUS
  bool keep_scram = false;           // remembered: nothing but SCRAM would let a client log in
  CapabilityFindings findings = {};  // remembered, filter on or off: what the operator should know
};

// The octets of one read on their way out.
class FilterOutput {
 public:
  explicit FilterOutput(std::span<char> octets) noexcept : begin_(octets.data()), write_(begin_), keep_(begin_) {}

  // `held` goes out in front; only before anything else was dropped or kept.
  void put_in_front(std::string_view held) noexcept;
  // The octets [from, to) do not go out; `from` is behind all that was dropped before.
  void drop(const char* from, const char* to) noexcept;
  // What goes out, `end` being the end of the read.
  std::span<char> finish(const char* end) noexcept;

 private:
  char* begin_;
  char* write_;       // what goes out so far ends here …
  const char* keep_;  // … and goes on with what was read from here
};

class CapabilityFilter {
 public:
  void begin_list() noexcept;
  bool in_list() const noexcept { return in_list_; }
  // Takes the octets that belong to the list; how many. Stops before the octet that ends it.
  std::size_t take(std::span<char> octets, FilterOutput& output, CapabilityRules* rules, Observer& observer) noexcept;

  bool holds() const noexcept { return held_; }
  // The octets held back, to go out as they came: valid until the next call.
  std::string_view release() noexcept;

 private:
  // What a list holds; families as bits.
  struct Facts {
    std::uint8_t scram = 0;
    std::uint8_t plus = 0;
    bool other_auth = false;
    bool logindisabled = false;
  };
  enum class Kind : std::uint8_t { other, starttls, logindisabled, auth, scram, scram_plus };
  struct Word {
    Kind kind = Kind::other;
    std::uint8_t family = 0;  // a bit
  };

  static Word classify(std::string_view word) noexcept;
  static bool may_go(std::string_view beginning, const CapabilityRules& rules) noexcept;
  void survey(std::span<const char> octets) noexcept;
  bool unwanted(const Word& word, const CapabilityRules& rules) noexcept;
  void end_word(std::span<const char> rest, std::size_t size, FilterOutput& output, const CapabilityRules& rules,
                Observer& observer) noexcept;
  void keep_beginning(std::span<const char> part, FilterOutput& output, const CapabilityRules& rules) noexcept;
  void let_go(FilterOutput& output) noexcept;
  void end_list(CapabilityRules* rules) noexcept;
  void note(const Word& word) noexcept;
  std::string_view joined(std::span<const char> rest, std::array<char, capability_headroom>& room) const noexcept;

  std::array<char, capability_headroom> word_{};  // the beginning of a word that a span's end has cut, with its SP
  std::uint8_t size_ = 0;                         // octets in word_
  bool held_ = false;                             // … which have not gone out
  bool too_long_ = false;                         // the cut word is longer than word_
  bool in_list_ = false;
  bool whole_ = false;   // the list's end is in sight and no word has been judged before
  bool judged_ = false;  // a word of this list was judged
  bool kept_scram_ = false;
  Facts facts_;
};

}  // namespace imapmeter::imap
