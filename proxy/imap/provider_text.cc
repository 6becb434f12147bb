#include "proxy/imap/provider_text.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "proxy/imap/word_search.h"

namespace imapmeter::imap {
namespace {

constexpr unsigned looked_at = 256;
// Outlook "Request is throttled", Dovecot [THROTTLED]; Gmail "exceeded command or bandwidth limits"; Yahoo "Rate
// limit".
constexpr std::array<std::string_view, 3> throttled_words = {"THROTTL", "BANDWID", "RATE LIM"};
// Gmail "Too many simultaneous connections"; Dovecot "Maximum number of connections from user+IP exceeded".
constexpr std::array<std::string_view, 3> connections_words = {"SIMULTAN", "MANY CONN", "OF CONN"};
constexpr std::array<std::string_view, 1> quota_words = {"QUOTA"};
// Exchange "User is authenticated but not connected".
constexpr std::array<std::string_view, 1> not_connected_words = {"NOT CONNECTED"};

struct Patterns {
  WordSearch search;
  std::uint64_t throttled = search.add(throttled_words);
  std::uint64_t connections = search.add(connections_words);
  std::uint64_t quota = search.add(quota_words);
  std::uint64_t not_connected = search.add(not_connected_words);
};
constexpr Patterns patterns;
constexpr std::uint64_t ends = patterns.throttled | patterns.connections | patterns.quota | patterns.not_connected;
static_assert(patterns.search.used <= 64);

}  // namespace

void ProviderText::read(std::span<const char> octets) noexcept {
  octets = octets.first(std::min<std::size_t>(octets.size(), looked_at - read_));
  std::uint64_t matching = matching_;
  std::uint64_t found = found_;
  for (const char octet : octets) {
    matching = patterns.search.step(matching, octet);
    found |= matching & ends;
  }
  matching_ = matching;
  found_ = found;
  read_ = static_cast<std::uint16_t>(read_ + octets.size());
}

std::optional<ProviderSignal> ProviderText::signal(ResponseCode code) const noexcept {
  if ((found_ & patterns.not_connected) != 0) return ProviderSignal::authenticated_not_connected;
  if ((found_ & patterns.connections) != 0) return ProviderSignal::too_many_connections;
  if ((found_ & patterns.throttled) != 0) return ProviderSignal::throttled;
  if (code == ResponseCode::overquota || (found_ & patterns.quota) != 0) return ProviderSignal::quota;
  return std::nullopt;
}

}  // namespace imapmeter::imap
