#include "config/scalars.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace imapmeter::config {

namespace {

constexpr std::array<std::string_view, 2> capabilities_names = {"auto", "pass"};
constexpr std::array<std::string_view, 6> log_level_names = {"trace", "debug", "info", "warn", "error", "off"};

struct Unit {
  std::string_view name;
  unsigned milliseconds;
};
constexpr std::array<Unit, 4> units = {{{"h", 3'600'000}, {"min", 60'000}, {"s", 1'000}, {"ms", 1}}};

constexpr unsigned most_units = 1'000'000'000;  // of the largest unit: far from overflowing 64 bits

template <typename Enum, std::size_t N>
std::optional<Enum> parse_enum(const std::array<std::string_view, N>& names, std::string_view text) {
  const auto found = std::find(names.begin(), names.end(), text);
  if (found == names.end()) return std::nullopt;
  return static_cast<Enum>(found - names.begin());
}

}  // namespace

std::optional<unsigned> parse_unsigned(std::string_view text, unsigned max) {
  if (text.empty() || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value > max) return std::nullopt;
  return value;
}

std::optional<bool> parse_bool(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return std::nullopt;
}

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto count = parse_unsigned(text.substr(0, digits), most_units);
  const auto unit =
      std::find_if(units.begin(), units.end(), [&](const Unit& u) { return u.name == text.substr(digits); });
  if (!count || unit == units.end()) return std::nullopt;
  return std::chrono::milliseconds(std::int64_t{*count} * unit->milliseconds);
}

std::string to_string(std::chrono::milliseconds duration) {
  const auto unit = std::find_if(units.begin(), units.end(), [&](const Unit& u) {
    return duration.count() != 0 && duration.count() % u.milliseconds == 0;
  });
  if (unit == units.end()) return "0ms";
  return std::to_string(duration.count() / unit->milliseconds) + std::string(unit->name);
}

std::optional<Url> parse_url(std::string_view text) {
  constexpr std::string_view with_tls = "imaps://";
  constexpr std::string_view without_tls = "imap://";
  const bool tls = text.starts_with(with_tls);
  if (!tls && !text.starts_with(without_tls)) return std::nullopt;
  auto address = parse_address(text.substr(tls ? with_tls.size() : without_tls.size()));
  if (!address) return std::nullopt;
  return Url{.tls = tls, .address = std::move(*address)};
}

std::string to_string(const Url& url) { return (url.tls ? "imaps://" : "imap://") + to_string(url.address); }

std::optional<Capabilities> parse_capabilities(std::string_view text) {
  return parse_enum<Capabilities>(capabilities_names, text);
}
std::string_view name(Capabilities capabilities) {
  return capabilities_names.at(static_cast<std::size_t>(capabilities));
}

std::optional<LogLevel> parse_log_level(std::string_view text) { return parse_enum<LogLevel>(log_level_names, text); }
std::string_view name(LogLevel level) { return log_level_names.at(static_cast<std::size_t>(level)); }

std::optional<SelfSigned> parse_self_signed(std::string_view text) {
  // Meant as true or false, and hardly ever as directories.
  constexpr std::array<std::string_view, 9> ambiguous = {"", "yes", "no", "on", "off", "y", "n", "True", "False"};
  if (std::find(ambiguous.begin(), ambiguous.end(), text) != ambiguous.end()) return std::nullopt;
  if (const auto on = parse_bool(text)) return SelfSigned{.on = *on, .dir = {}};
  return SelfSigned{.on = true, .dir = std::string(text)};
}

std::string mismatch(std::string_view expected, std::string_view text) {
  constexpr std::size_t longest_shown = 80;
  std::string shown(text.substr(0, longest_shown));
  for (char& c : shown) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  if (text.size() > longest_shown) shown += "...";
  return "expected " + std::string(expected) + ", got \"" + shown + "\"";
}

}  // namespace imapmeter::config
