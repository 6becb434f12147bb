// PROXY headers: what has been decided stays so, whatever follows and however it is cut up; a header is complete with
// its last octet, and nothing behind it is looked at; it says what a plain reading of it says; and what is composed is
// read as what it was composed of.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>

#include "proxy/proxy_protocol.h"
#include "tests/fuzz/fuzzing.h"
#include "tests/fuzz/passage.h"

namespace imapmeter::fuzz {
namespace {

using proxy::IpEndpoint;
using proxy::ProxyHeader;
using Status = ProxyHeader::Status;

Scratch scratch;

ProxyHeader parse(std::string_view octets) { return proxy::parse_proxy_header(scratch.lay(octets)); }

bool same(const ProxyHeader& a, const ProxyHeader& b) {
  return a.status == b.status && a.proxied == b.proxied && a.octets == b.octets && a.source == b.source &&
         a.destination == b.destination;
}

// As the relay reads it: again from the beginning, whenever more has arrived.
ProxyHeader read(std::string_view wire, Cutter cutter) {
  ProxyHeader header = parse(wire.substr(0, 0));
  for (std::size_t have = 0; header.status == Status::need_more && have < wire.size();) {
    have += cutter.next(wire.size() - have);
    header = parse(wire.substr(0, have));
  }
  return header;
}

// TCP4 has one way to write each address and port; of TCP6 only the ports do.
std::string_view expected_text(const ProxyHeader& header, bool ipv4, std::span<char> room) {
  const auto& from = header.source.address;
  const auto& to = header.destination.address;
  const unsigned ports[] = {header.source.port, header.destination.port};
  const int size =
      ipv4 ? std::snprintf(room.data(), room.size(), "PROXY TCP4 %u.%u.%u.%u %u.%u.%u.%u %u %u\r\n", from[12], from[13],
                           from[14], from[15], to[12], to[13], to[14], to[15], ports[0], ports[1])
           : std::snprintf(room.data(), room.size(), " %u %u\r\n", ports[0], ports[1]);
  return {room.data(), static_cast<std::size_t>(size)};
}

void check_text(std::string_view text, const ProxyHeader& header) {
  REQUIRE(text.size() <= proxy::longest_proxy_header_v1 && text.ends_with("\r\n"));
  const bool ipv4 = text.starts_with("PROXY TCP4 ");
  const bool ipv6 = text.starts_with("PROXY TCP6 ");
  REQUIRE(header.proxied == (ipv4 || ipv6));
  REQUIRE(header.proxied || text.starts_with("PROXY UNKNOWN"));
  std::array<char, proxy::longest_proxy_header_v1 + 1> room{};
  const std::string_view expected = expected_text(header, ipv4, room);
  REQUIRE(!ipv4 || text == expected);
  REQUIRE(!ipv6 || text.ends_with(expected));
}

void check_binary(std::string_view octets, const ProxyHeader& header) {
  const auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(octets[i]); };
  REQUIRE(octets.size() == proxy::proxy_header_v2_prefix + at(14) * 256U + at(15));
  REQUIRE(header.proxied == (at(12) == 0x21 && (at(13) == 0x11 || at(13) == 0x21)));
  if (!header.proxied) return;
  const std::size_t size = at(13) == 0x11 ? 4 : 16;
  for (std::size_t i = 0; i < size; ++i) {
    REQUIRE(header.source.address[16 - size + i] == at(16 + i));
    REQUIRE(header.destination.address[16 - size + i] == at(16 + size + i));
  }
  REQUIRE(header.source.port == at(16 + 2 * size) * 256U + at(17 + 2 * size));
  REQUIRE(header.destination.port == at(18 + 2 * size) * 256U + at(19 + 2 * size));
}

// The rest is waited for only where it may be the rest of a header.
void check_beginning(std::string_view wire) {
  const auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(wire[i]); };
  const bool text = wire.front() == 'P';
  const std::size_t longest = text               ? proxy::longest_proxy_header_v1
                              : wire.size() < 16 ? proxy::longest_proxy_header
                                                 : proxy::proxy_header_v2_prefix + at(14) * 256U + at(15);
  REQUIRE(wire.size() < longest && longest <= proxy::longest_proxy_header);
}

void check_complete(std::string_view wire, const ProxyHeader& header) {
  REQUIRE(header.octets <= std::min(wire.size(), proxy::longest_proxy_header));
  REQUIRE(header.source.known == header.proxied && header.destination.known == header.proxied);
  const std::string_view alone = wire.substr(0, header.octets);
  REQUIRE(same(parse(alone), header));
  REQUIRE(parse(alone.substr(0, alone.size() - 1)).status == Status::need_more);
  alone.front() == 'P' ? check_text(alone, header) : check_binary(alone, header);
}

void check_composed(const IpEndpoint& source, const IpEndpoint& destination, const proxy::ProxiedTls& tls) {
  const proxy::ProxyHeaderText text = proxy::proxy_header(source, destination, tls);
  const std::string_view octets(text.octets().data(), text.octets().size());
  const ProxyHeader header = parse(octets);
  REQUIRE(header.status == Status::complete && header.octets == octets.size());
  REQUIRE(header.proxied == source.known);
  REQUIRE(!header.proxied || (header.source == source && header.destination == destination));
  REQUIRE(!header.proxied || tls.cipher.empty() || tls.version.empty() || octets.ends_with(tls.cipher.substr(0, 64)));
}

// Takes an address of either family from the wire.
IpEndpoint take_endpoint(std::string_view& wire, bool ipv4) {
  std::array<std::uint8_t, 18> octets{};
  const std::size_t size = std::min(wire.size(), octets.size());
  std::memcpy(octets.data(), wire.data(), size);
  wire.remove_prefix(size);
  const auto port = static_cast<std::uint16_t>(octets[16] * 256U + octets[17]);
  return ipv4 ? proxy::ipv4_endpoint(octets.data(), port) : proxy::ipv6_endpoint(octets.data(), port);
}

}  // namespace
}  // namespace imapmeter::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace imapmeter::fuzz;
  const Input input(data, size);
  if (input.wire.empty()) return 0;
  const std::size_t before = allocations();
  const ProxyHeader header = read(input.wire, Cutter::whole());
  REQUIRE(same(read(input.wire, Cutter(input.seed)), header));
  if (header.status == Status::need_more) check_beginning(input.wire);
  if (header.status == Status::complete) check_complete(input.wire, header);
  if (header.proxied) check_composed(header.source, header.destination, {});
  std::string_view rest = input.wire;
  const IpEndpoint source = take_endpoint(rest, (input.options & 1U) != 0);
  const IpEndpoint destination = take_endpoint(rest, (input.options & 2U) != 0);
  const std::string_view version = rest.substr(0, input.seed);
  check_composed((input.options & 4U) != 0 ? IpEndpoint{} : source, destination,
                 {version, rest.substr(version.size())});
  REQUIRE(allocations() == before);
  return 0;
}
