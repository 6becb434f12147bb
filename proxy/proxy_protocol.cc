#include "proxy/proxy_protocol.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace imapmeter::proxy {
namespace {

using namespace std::string_view_literals;
using Status = ProxyHeader::Status;

constexpr std::string_view v1_signature = "PROXY ";
constexpr std::string_view v2_signature = "\r\n\r\n\0\r\nQUIT\n"sv;
constexpr std::string_view line_end = "\r\n";

constexpr char command_local = 0x20;  // the version in the high half
constexpr char command_proxy = 0x21;
constexpr char tcp_over_ipv4 = 0x11;
constexpr char tcp_over_ipv6 = 0x21;
constexpr unsigned last_transport = 2;                                 // datagrams
constexpr std::array<std::size_t, 4> least_length = {0, 12, 36, 216};  // by family: none, IPv4, IPv6, UNIX

constexpr std::uint8_t type_ssl = 0x20;
constexpr std::uint8_t subtype_ssl_version = 0x21;
constexpr std::uint8_t subtype_ssl_cipher = 0x23;
// Client flags: it came over TLS. Then 32 bits that are 0 only where it gave a certificate that was verified.
constexpr std::string_view tls_without_certificate = "\1\0\0\0\1"sv;
constexpr std::size_t longest_name = 64;

constexpr ProxyHeader malformed{};
constexpr ProxyHeader need_more{.status = Status::need_more};

bool is_prefix(std::string_view octets, std::string_view of) noexcept {
  const std::size_t size = std::min(octets.size(), of.size());
  return octets.substr(0, size) == of.substr(0, size);
}

// --- version 1 ---------------------------------------------------------------------------------------------------

// Takes the next word, which ends at a space or at the end.
std::string_view take_word(std::string_view& rest) noexcept {
  const std::size_t end = std::min(rest.find(' '), rest.size());
  const std::string_view word = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return word;
}

bool read_address(std::string_view word, bool ipv6, IpEndpoint& to) noexcept {
  char text[INET6_ADDRSTRLEN] = "";
  if (word.size() >= sizeof text) return false;
  std::memcpy(text, word.data(), word.size());
  if (std::strlen(text) != word.size()) return false;
  std::array<std::uint8_t, 16> address{};
  if (inet_pton(ipv6 ? AF_INET6 : AF_INET, text, address.data()) != 1) return false;
  to = ipv6 ? ipv6_endpoint(address.data(), 0) : ipv4_endpoint(address.data(), 0);
  return true;
}

bool read_port(std::string_view word, IpEndpoint& to) noexcept {
  if (word.size() > 1 && word.front() == '0') return false;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), to.port);
  return error == std::errc() && end == word.data() + word.size();
}

ProxyHeader parse_v1(std::string_view octets) noexcept {
  const std::string_view line = octets.substr(0, std::min(octets.size(), longest_proxy_header_v1));
  const std::size_t end = line.find(line_end);
  if (end == std::string_view::npos) return line.size() < longest_proxy_header_v1 ? need_more : malformed;
  ProxyHeader header{.status = Status::complete, .octets = end + line_end.size()};
  std::string_view rest = line.substr(v1_signature.size(), end - v1_signature.size());
  const std::string_view protocol = take_word(rest);
  if (protocol == "UNKNOWN") return header;
  const bool ipv6 = protocol == "TCP6";
  if (!ipv6 && protocol != "TCP4") return malformed;
  const std::size_t separators = static_cast<std::size_t>(std::count(rest.begin(), rest.end(), ' '));
  header.proxied = separators == 3 && read_address(take_word(rest), ipv6, header.source) &&
                   read_address(take_word(rest), ipv6, header.destination) &&
                   read_port(take_word(rest), header.source) && read_port(rest, header.destination);
  return header.proxied ? header : malformed;
}

// --- version 2 ---------------------------------------------------------------------------------------------------

std::uint16_t number_at(std::string_view octets, std::size_t at) noexcept {
  return static_cast<std::uint16_t>(static_cast<std::uint8_t>(octets[at]) << 8U |
                                    static_cast<std::uint8_t>(octets[at + 1]));
}

ProxyHeader with_addresses(ProxyHeader header, std::string_view block, bool ipv6) noexcept {
  const auto* at = reinterpret_cast<const std::uint8_t*>(block.data());
  const std::size_t ports = ipv6 ? 32 : 8;
  const auto endpoint = ipv6 ? ipv6_endpoint : ipv4_endpoint;
  header.proxied = true;
  header.source = endpoint(at, number_at(block, ports));
  header.destination = endpoint(at + ports / 2, number_at(block, ports + 2));
  return header;
}

ProxyHeader parse_v2(std::string_view octets) noexcept {
  if (octets.size() <= 12) return need_more;
  const char command = octets[12];
  if (command != command_local && command != command_proxy) return malformed;
  if (octets.size() <= 13) return need_more;
  const auto family = static_cast<std::uint8_t>(octets[13]);
  const bool proxied = command == command_proxy;
  if (proxied && (family >> 4U >= least_length.size() || (family & 15U) > last_transport)) return malformed;
  if (octets.size() < proxy_header_v2_prefix) return need_more;
  const std::size_t length = number_at(octets, 14);
  if ((proxied && length < least_length[family >> 4U]) || proxy_header_v2_prefix + length > longest_proxy_header)
    return malformed;
  ProxyHeader header{.status = Status::complete, .octets = proxy_header_v2_prefix + length};
  if (octets.size() < header.octets) return need_more;
  const bool ipv6 = octets[13] == tcp_over_ipv6;
  if (!proxied || (!ipv6 && octets[13] != tcp_over_ipv4)) return header;
  return with_addresses(header, octets.substr(proxy_header_v2_prefix), ipv6);
}

// --- sending -----------------------------------------------------------------------------------------------------

void append_addresses(ProxyHeaderText& text, const IpEndpoint& source, const IpEndpoint& destination,
                      bool ipv6) noexcept {
  for (const IpEndpoint* each : {&source, &destination}) {
    const std::string_view address(reinterpret_cast<const char*>(each->address.data()), each->address.size());
    text.append(ipv6 ? address : address.substr(12));
  }
  text.append(source.port);
  text.append(destination.port);
}

void append_tls(ProxyHeaderText& text, const ProxiedTls& tls) noexcept {
  const std::size_t all = text.begin_extension(type_ssl);
  text.append(tls_without_certificate);
  const std::size_t version = text.begin_extension(subtype_ssl_version);
  text.append(tls.version.substr(0, longest_name));
  text.set_length(version);
  const std::size_t cipher = text.begin_extension(subtype_ssl_cipher);
  text.append(tls.cipher.substr(0, longest_name));
  text.set_length(cipher);
  text.set_length(all);
}

}  // namespace

ProxyHeader parse_proxy_header(std::span<const char> octets) noexcept {
  const std::string_view all(octets.data(), octets.size());
  const bool is_v1 = !all.empty() && all.front() == v1_signature.front();
  const std::string_view signature = is_v1 ? v1_signature : v2_signature;
  if (!is_prefix(all, signature)) return malformed;
  if (all.size() < signature.size()) return need_more;
  return is_v1 ? parse_v1(all) : parse_v2(all);
}

void ProxyHeaderText::append(std::string_view more) noexcept {
  const std::size_t size = std::min(more.size(), octets_.size() - size_);
  std::memcpy(octets_.data() + size_, more.data(), size);
  size_ += size;
}

void ProxyHeaderText::append(std::uint16_t number) noexcept {
  const char octets[] = {static_cast<char>(number >> 8U), static_cast<char>(number & 0xffU)};
  append(std::string_view(octets, sizeof octets));
}

std::size_t ProxyHeaderText::begin_extension(std::uint8_t type) noexcept {
  const char octet = static_cast<char>(type);
  append(std::string_view(&octet, 1));
  const std::size_t at = size_;
  append(std::uint16_t{0});
  return at;
}

void ProxyHeaderText::set_length(std::size_t at) noexcept {
  const std::size_t length = size_ - at - 2;
  octets_[at] = static_cast<char>(length >> 8U);
  octets_[at + 1] = static_cast<char>(length & 0xffU);
}

ProxyHeaderText proxy_header(const IpEndpoint& source, const IpEndpoint& destination, const ProxiedTls& tls) noexcept {
  if (!source.known) return local_proxy_header();
  const bool ipv6 = !is_ipv4(source) || !is_ipv4(destination);
  ProxyHeaderText text;
  text.append(v2_signature);
  text.append(std::string_view(&command_proxy, 1));
  const std::size_t length = text.begin_extension(static_cast<std::uint8_t>(ipv6 ? tcp_over_ipv6 : tcp_over_ipv4));
  append_addresses(text, source, destination, ipv6);
  if (!tls.version.empty()) append_tls(text, tls);
  text.set_length(length);
  return text;
}

ProxyHeaderText local_proxy_header() noexcept {
  ProxyHeaderText text;
  text.append(v2_signature);
  text.append("\x20\0\0\0"sv);
  return text;
}

}  // namespace imapmeter::proxy
