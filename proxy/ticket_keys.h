// The keys that seal TLS session tickets: random, in memory only, shared by every server context of the process, so
// that a session resumes on any listener generation. Rotated at least daily; the previous key still opens.
#pragma once

#include <openssl/ssl.h>

#include <array>
#include <chrono>
#include <mutex>

namespace imapmeter::proxy {

class TicketKeys {
 public:
  static constexpr std::chrono::hours rotation{12};

  TicketKeys();  // throws std::runtime_error when there is no randomness
  // Makes a new key; the last one opens old tickets until the next call. From any thread.
  void rotate();
  // The context seals and opens tickets with these keys, which outlive it.
  void use_in(SSL_CTX& context);

 private:
  struct Key {
    std::array<unsigned char, 16> name{};
    std::array<unsigned char, 32> aes{};
    std::array<unsigned char, 32> hmac{};
  };
  static Key make();
  static int callback(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
                      int seal) noexcept;

  std::mutex mutex_;
  Key current_;
  Key previous_;
};

}  // namespace imapmeter::proxy
