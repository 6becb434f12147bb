#include "proxy/client_address.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <algorithm>
#include <stdexcept>

namespace imapmeter::proxy {
namespace {

constexpr std::size_t hashed_octets = 8;

std::string network(const IpEndpoint& client) {
  const bool v4 = is_ipv4(client);
  const std::size_t kept = v4 ? 12 + 3 : 6;  // /24 behind ::ffff:0:0/96, /48
  IpEndpoint masked = client;
  std::fill(masked.address.begin() + kept, masked.address.end(), std::uint8_t{0});
  return address_text(masked) + (v4 ? "/24" : "/48");
}

}  // namespace

ClientAddressText::ClientAddressText(config::ClientAddress mode) : mode_(mode) {
  if (RAND_bytes(key_.data(), static_cast<int>(key_.size())) != 1) throw std::runtime_error("no random octets");
}

std::string ClientAddressText::operator()(const IpEndpoint& client) const {
  if (mode_ == config::ClientAddress::off) return {};
  if (!client.known) return "unix";
  switch (mode_) {
    case config::ClientAddress::truncated:
      return network(client);
    case config::ClientAddress::hashed:
      return hashed(client);
    default:
      return address_text(client);
  }
}

std::string ClientAddressText::hashed(const IpEndpoint& client) const {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()), client.address.data(), client.address.size(),
           digest.data(), &size) == nullptr)
    return {};
  std::string text;
  for (std::size_t i = 0; i < hashed_octets; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

}  // namespace imapmeter::proxy
