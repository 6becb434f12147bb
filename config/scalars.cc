#include "config/scalars.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace imapmeter::config {

namespace {

constexpr std::array<std::string_view, 2> capabilities_names = {"auto", "pass"};
constexpr std::array<std::string_view, 2> balance_names = {"least_sessions", "failover"};
constexpr std::array<std::string_view, 4> client_address_names = {"off", "truncated", "hashed", "clear"};
constexpr std::array<std::string_view, 6> log_level_names = {"trace", "debug", "info", "warn", "error", "off"};

struct Unit {
  std::string_view name;
  unsigned milliseconds;
};
struct SizeUnit {
  std::string_view name;
  unsigned shift;
};
constexpr std::array<SizeUnit, 4> size_units = {{{"GiB", 30}, {"MiB", 20}, {"KiB", 10}, {"", 0}}};
constexpr std::string_view unix_prefix = "unix:";
constexpr unsigned ipv4_bits = 96;  // in front of an IPv4 address that is written as an IPv6 address
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

std::optional<bool> parse_on_off(std::string_view text) {
  if (text == "on") return true;
  if (text == "off") return false;
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

std::string_view scheme(Tls tls) {
  constexpr std::array<std::string_view, 3> schemes = {"imap://", "imaps://", "imap+starttls://"};
  return schemes[static_cast<std::size_t>(tls)];
}

std::optional<Url> parse_url(std::string_view text) {
  constexpr std::array<Tls, 3> all = {Tls::none, Tls::implicit, Tls::starttls};
  const auto* found = std::find_if(all.begin(), all.end(), [&](Tls each) { return text.starts_with(scheme(each)); });
  if (found == all.end()) return std::nullopt;
  const Tls tls = *found;
  const std::string_view rest = text.substr(scheme(tls).size());
  if (rest.starts_with(unix_prefix)) {
    const std::string_view path = rest.substr(unix_prefix.size());
    if (!path.starts_with('/') || path.size() > longest_unix_path) return std::nullopt;
    return Url{.tls = tls, .address = {.path = std::string(path)}};
  }
  auto address = parse_address(rest);
  if (!address) return std::nullopt;
  return Url{.tls = tls, .address = std::move(*address)};
}

std::string to_string(const Url& url) { return std::string(scheme(url.tls)) + to_string(url.address); }

std::optional<Network> parse_network(std::string_view text) {
  const auto slash = text.find('/');
  const std::string host(text.substr(0, slash));
  Network network;
  const bool ipv4 = inet_pton(AF_INET, host.c_str(), &network.address[12]) == 1;
  if (ipv4) {
    network.address[10] = network.address[11] = 0xff;
  } else if (inet_pton(AF_INET6, host.c_str(), network.address.data()) != 1) {
    return std::nullopt;
  }
  if (slash == std::string_view::npos) return network;
  const auto bits = parse_unsigned(text.substr(slash + 1), ipv4 ? 32 : 128);
  if (!bits) return std::nullopt;
  network.prefix = static_cast<std::uint8_t>(*bits + (ipv4 ? ipv4_bits : 0));
  for (unsigned bit = network.prefix; bit < 128; ++bit)
    if ((network.address.at(bit / 8) & (0x80U >> bit % 8)) != 0) return std::nullopt;
  return network;
}

std::string to_string(const Network& network) {
  constexpr std::array<std::uint8_t, 12> mapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  const bool ipv4 = network.prefix >= ipv4_bits && std::equal(mapped.begin(), mapped.end(), network.address.begin());
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(ipv4 ? AF_INET : AF_INET6, network.address.data() + (ipv4 ? mapped.size() : 0), text, sizeof text);
  return std::string(text) + "/" + std::to_string(network.prefix - (ipv4 ? ipv4_bits : 0));
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto count = parse_unsigned(text.substr(0, digits), max_count);
  const auto unit = std::find_if(size_units.begin(), size_units.end(),
                                 [&](const SizeUnit& u) { return u.name == text.substr(digits); });
  if (!count || unit == size_units.end()) return std::nullopt;
  return std::uint64_t{*count} << unit->shift;
}

std::string size_to_string(std::uint64_t octets) {
  const auto unit = std::find_if(size_units.begin(), size_units.end(), [&](const SizeUnit& u) {
    return octets >> u.shift << u.shift == octets && (octets != 0 || u.shift == 0);
  });
  return std::to_string(octets >> unit->shift) + std::string(unit->name);
}

std::optional<unsigned> parse_count(std::string_view text) { return parse_unsigned(text, max_count); }

std::optional<std::chrono::milliseconds> parse_duration_or_none(std::string_view text) {
  return text == "none" ? std::chrono::milliseconds(0) : parse_duration(text);
}

std::optional<Balance> parse_balance(std::string_view text) { return parse_enum<Balance>(balance_names, text); }
std::string_view name(Balance balance) { return balance_names.at(static_cast<std::size_t>(balance)); }

std::optional<ClientAddress> parse_client_address(std::string_view text) {
  return parse_enum<ClientAddress>(client_address_names, text);
}
std::string_view name(ClientAddress shown) { return client_address_names.at(static_cast<std::size_t>(shown)); }

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

std::string printable(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return text;
}

std::string mismatch(std::string_view expected, std::string_view text) {
  constexpr std::size_t longest_shown = 80;
  std::string shown = printable(std::string(text.substr(0, longest_shown)));
  if (text.size() > longest_shown) shown += "...";
  return "expected " + std::string(expected) + ", got \"" + shown + "\"";
}

}  // namespace imapmeter::config
