// A non-blocking connection, plain or TLS 1.3, as both benchmark tools use it; and their TLS contexts.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace imapmeter::bench {

struct SslDeleter {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using SslPtr = std::unique_ptr<SSL, SslDeleter>;
using ContextPtr = std::unique_ptr<SSL_CTX, SslDeleter>;

// The one cipher of every run.
inline constexpr const char* kCipher = "TLS_AES_128_GCM_SHA256";

// TLS 1.3 with kCipher only; throws std::runtime_error with a sentence. `read_buffer`: octets that one recv() may take
// in, 0 for OpenSSL's default.
ContextPtr client_context(std::size_t read_buffer);
ContextPtr server_context(const std::string& cert_file, const std::string& key_file);

// The last OpenSSL error of this thread, for a sentence.
std::string openssl_error();

// Owns the descriptor and the SSL object.
class Stream {
 public:
  enum class Status {
    done,  // `count` octets moved, or the handshake is complete
    want_read,
    want_write,
    closed,  // end of input in order: FIN, and close_notify under TLS
    broken,  // everything else: reset, truncation, TLS error
  };

  struct Result {
    Status status;
    std::size_t count = 0;
  };

  Stream(int fd, SslPtr ssl);  // ssl may be empty: plain
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  Status handshake();  // at once `done` where there is no TLS
  // `more`: further octets follow at once, so the kernel may wait for them.
  Result write(std::string_view octets, bool more);
  Result read(std::span<char> into);
  // Whether read() may return more without a new event from the descriptor.
  bool buffered() const;
  // Ends our direction: close_notify and FIN.
  void finish();

  int fd;
  SslPtr ssl;

 private:
  Result tls_result(int returned, std::size_t count);
};

}  // namespace imapmeter::bench
