#include "proxy/imap/bye_text.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "proxy/imap/word_search.h"

namespace imapmeter::imap {
namespace {

constexpr unsigned looked_at = 256;
constexpr std::array<std::string_view, 5> inactivity_words = {"INACTIV", "IDLE", "TIMEOUT", "TIMED OUT", "AUTOLOGOUT"};
constexpr std::array<std::string_view, 4> shutdown_words = {"SHUT", "RESTART", "KICK", "MAINT"};

struct Patterns {
  WordSearch search;
  std::uint64_t inactivity = search.add(inactivity_words);
  std::uint64_t shutdown = search.add(shutdown_words);
};
constexpr Patterns patterns;
static_assert(patterns.search.used <= 64);

}  // namespace

void ByeText::read(std::span<const char> octets) noexcept {
  octets = octets.first(std::min<std::size_t>(octets.size(), looked_at - read_));
  read_ = static_cast<std::uint16_t>(read_ + octets.size());
  for (const char octet : octets) {
    matching_ = patterns.search.step(matching_, octet);
    inactivity_ = inactivity_ || (matching_ & patterns.inactivity) != 0;
    shutdown_ = shutdown_ || (matching_ & patterns.shutdown) != 0;
  }
}

}  // namespace imapmeter::imap
