#include "proxy/ticket_keys.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <stdexcept>

namespace imapmeter::proxy {
namespace {

int ring_index() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

bool set_mac_key(EVP_MAC_CTX* mac, std::array<unsigned char, 32>& key) {
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.data(), key.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end(),
  };
  return EVP_MAC_CTX_set_params(mac, parameters) == 1;
}

}  // namespace

// Two different random keys from the start: there is never an all-zero key that would open a ticket.
TicketKeys::TicketKeys() : current_(make()), previous_(make()) {}

TicketKeys::Key TicketKeys::make() {
  Key key;
  if (RAND_bytes(key.name.data(), static_cast<int>(key.name.size())) != 1 ||
      RAND_bytes(key.aes.data(), static_cast<int>(key.aes.size())) != 1 ||
      RAND_bytes(key.hmac.data(), static_cast<int>(key.hmac.size())) != 1)
    throw std::runtime_error("no random octets for TLS session ticket keys");
  return key;
}

void TicketKeys::rotate() {
  const Key fresh = make();
  const std::lock_guard lock(mutex_);
  previous_ = current_;
  current_ = fresh;
}

void TicketKeys::use_in(SSL_CTX& context) {
  SSL_CTX_set_ex_data(&context, ring_index(), this);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(&context, &TicketKeys::callback);
}

// As SSL_CTX_set_tlsext_ticket_key_evp_cb(3): 1 use, 2 use and renew, 0 unknown key (full handshake), -1 error.
int TicketKeys::callback(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
                         int seal) noexcept {
  auto* keys = static_cast<TicketKeys*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), ring_index()));
  const std::lock_guard lock(keys->mutex_);
  if (seal != 0) {
    Key& key = keys->current_;
    std::copy(key.name.begin(), key.name.end(), name);
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1) return -1;
    if (EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key.aes.data(), iv) != 1) return -1;
    return set_mac_key(mac, key.hmac) ? 1 : -1;
  }
  const bool is_current = std::equal(keys->current_.name.begin(), keys->current_.name.end(), name);
  Key& key = is_current ? keys->current_ : keys->previous_;
  if (!std::equal(key.name.begin(), key.name.end(), name)) return 0;
  if (EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key.aes.data(), iv) != 1) return -1;
  if (!set_mac_key(mac, key.hmac)) return -1;
  // A TLS 1.3 client uses a ticket once (RFC 8446 appendix C.4): it needs a new one each time.
  return is_current && SSL_version(ssl) < TLS1_3_VERSION ? 1 : 2;
}

}  // namespace imapmeter::proxy
