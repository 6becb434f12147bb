// Text -> value, the same for flags and for the file. Each function returns nothing where the text is not what the
// constant beside it says.
#pragma once

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "config/config.h"

namespace imapmeter::config {

// Decimal digits without a sign and without leading zeros (YAML 1.1 would read 0143 as octal).
std::optional<unsigned> parse_unsigned(std::string_view text, unsigned max);

// true or false; not yes, no, on, off, which are text to one reader of YAML and truth to the other.
std::optional<bool> parse_bool(std::string_view text);
inline constexpr std::string_view bool_expected = "true or false";

// For switches; both words are text to YAML 1.2 and true and false to YAML 1.1.
std::optional<bool> parse_on_off(std::string_view text);
inline constexpr std::string_view on_off_expected = "on or off";

inline constexpr unsigned most_checks = 100;
inline constexpr std::string_view checks_expected = "a whole number from 1 to 100";

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
std::string to_string(std::chrono::milliseconds duration);
inline constexpr std::string_view duration_expected = "a whole number with ms, s, min or h, such as 500ms, 10s, 30min";

struct Url {
  Tls tls = Tls::implicit;
  Address address;
};
std::string_view scheme(Tls tls);  // "imaps://"
std::optional<Url> parse_url(std::string_view text);
std::string to_string(const Url& url);
inline constexpr std::string_view url_expected =
    "imaps://HOST:PORT, imap+starttls://HOST:PORT or imap://HOST:PORT, such as imaps://192.0.2.1:993 or "
    "imaps://[::1]:993, or a unix socket: imap://unix:/PATH";
inline constexpr std::size_t longest_unix_path = 107;  // sockaddr_un

// "10.0.0.0/8", "2001:db8::/32", or an address alone. No bit may be set behind the prefix.
std::optional<Network> parse_network(std::string_view text);
std::string to_string(const Network& network);
inline constexpr std::string_view network_expected = "an address or a network, such as 10.0.0.0/8 or 2001:db8::/32";

// Octets.
std::optional<std::uint64_t> parse_size(std::string_view text);
std::string size_to_string(std::uint64_t octets);
inline constexpr std::string_view size_expected = "octets: a whole number, or one with KiB, MiB or GiB";

std::optional<unsigned> parse_count(std::string_view text);
inline constexpr unsigned max_count = 1'000'000'000;
inline constexpr std::string_view count_expected = "a whole number; 0: no limit";

// A duration, or none, which is 0.
std::optional<std::chrono::milliseconds> parse_duration_or_none(std::string_view text);
inline constexpr std::string_view duration_or_none_expected = "none, or a whole number with ms, s, min or h";

std::optional<Balance> parse_balance(std::string_view text);
std::string_view name(Balance balance);
inline constexpr std::string_view balance_expected = "least_sessions or failover";

std::optional<ClientAddress> parse_client_address(std::string_view text);
std::string_view name(ClientAddress shown);
inline constexpr std::string_view client_address_expected = "off, truncated, hashed or clear";

inline constexpr std::string_view workers_expected = "a whole number from 0 to 64";
inline constexpr unsigned max_workers = 64;

inline constexpr std::string_view admin_expected = "ADDRESS:PORT, unix:/PATH or none";
inline constexpr std::string_view metrics_expected = "ADDRESS:PORT";

std::optional<Capabilities> parse_capabilities(std::string_view text);
std::string_view name(Capabilities capabilities);
inline constexpr std::string_view capabilities_expected = "auto or pass";

std::optional<LogLevel> parse_log_level(std::string_view text);
std::string_view name(LogLevel level);
inline constexpr std::string_view log_level_expected = "trace, debug, info, warn, error or off";

// How to come by a certificate of one's own making; `dir` is empty where it lives in memory only.
struct SelfSigned {
  bool on = true;
  std::string dir;
};
std::optional<SelfSigned> parse_self_signed(std::string_view text);
inline constexpr std::string_view self_signed_expected = "true, false or a directory";

// The text with `?` in the place of each control character: it fits on one line.
std::string printable(std::string text);
// "expected EXPECTED, got "TEXT"": one printable line, whatever the text holds.
std::string mismatch(std::string_view expected, std::string_view text);

}  // namespace imapmeter::config
