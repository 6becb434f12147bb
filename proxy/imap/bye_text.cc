#include "proxy/imap/bye_text.h"

#include <array>
#include <cstddef>
#include <string_view>

#include "proxy/imap/octets.h"

namespace imapmeter::imap {
namespace {

constexpr unsigned looked_at = 256;
constexpr std::array<std::string_view, 5> inactivity_words = {"INACTIV", "IDLE", "TIMEOUT", "TIMED OUT", "AUTOLOGOUT"};
constexpr std::array<std::string_view, 4> shutdown_words = {"SHUT", "RESTART", "KICK", "MAINT"};

// The Shift-And algorithm: all words side by side in one machine word.
struct Patterns {
  std::array<std::uint64_t, 128> has{};  // has[c]: the places that hold c
  std::uint64_t begins = 0;
  std::uint64_t inactivity_ends = 0;
  std::uint64_t shutdown_ends = 0;
  unsigned used = 0;

  constexpr std::uint64_t add(std::string_view word) {
    begins |= std::uint64_t{1} << used;
    for (const char c : word) has[static_cast<unsigned char>(c)] |= std::uint64_t{1} << used++;
    return std::uint64_t{1} << (used - 1);
  }
};

constexpr Patterns make_patterns() {
  Patterns patterns;
  for (const std::string_view word : inactivity_words) patterns.inactivity_ends |= patterns.add(word);
  for (const std::string_view word : shutdown_words) patterns.shutdown_ends |= patterns.add(word);
  return patterns;
}

constexpr Patterns patterns = make_patterns();
static_assert(patterns.used <= 64);

}  // namespace

void ByeText::step(char octet) noexcept {
  if (read_ == looked_at) return;
  ++read_;
  const auto c = static_cast<unsigned char>(upper(octet));
  const std::uint64_t places = c < patterns.has.size() ? patterns.has[c] : 0;
  matching_ = ((matching_ << 1) | patterns.begins) & places;
  inactivity_ = inactivity_ || (matching_ & patterns.inactivity_ends) != 0;
  shutdown_ = shutdown_ || (matching_ & patterns.shutdown_ends) != 0;
}

}  // namespace imapmeter::imap
