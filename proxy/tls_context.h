// TLS contexts for both sides, as an operator of a mail server wants them: 1.2 and 1.3, AEAD with forward secrecy,
// tickets sealed by our own keys, no renegotiation, no compression, no early data.
#pragma once

#include <openssl/ssl.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "proxy/leg.h"
#include "proxy/observer.h"
#include "proxy/ticket_keys.h"

namespace imapmeter::proxy {

struct OpenSslDeleter {
  void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
  void operator()(X509* certificate) const noexcept { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
  void operator()(BIO* bio) const noexcept { BIO_free(bio); }
};
using SslContext = std::unique_ptr<SSL_CTX, OpenSslDeleter>;
using X509Ptr = std::unique_ptr<X509, OpenSslDeleter>;
using PrivateKey = std::unique_ptr<EVP_PKEY, OpenSslDeleter>;
using BioPtr = std::unique_ptr<BIO, OpenSslDeleter>;

struct ServedCertificate {
  std::string name;  // its file name in the configuration, or "self_signed"
  std::chrono::system_clock::time_point not_after;
};

// What one imaps:// listener answers with: a context per certificate, chosen by SNI, the first where none fits.
struct ServerTls {
  std::vector<SslContext> contexts;
  std::vector<ServedCertificate> certificates;
  SSL_CTX& context() const noexcept { return *contexts.front(); }
};

// Throws std::runtime_error with a sentence that names the file. `keys` outlives the result.
std::unique_ptr<ServerTls> make_server_tls(const config::Listener& listener, TicketKeys& keys);
// The upstream's side: verifies against `ca` or the system's store unless told otherwise. Throws as above.
SslContext make_client_context(const config::Upstream& upstream);
// Asks for `host` by SNI and, where the context verifies, demands that the certificate is for it (a name or an
// address).
bool expect_server(SSL& ssl, const std::string& host) noexcept;

// Why a handshake failed; to be asked right after Leg::handshake() returned `status`.
HandshakeResult handshake_failure(SSL& ssl, Io status) noexcept;
// Whether it failed because of the peer's certificate.
bool is_certificate(HandshakeResult result) noexcept;
TlsVersion tls_version(const SSL& ssl) noexcept;

// The text of the oldest OpenSSL error, without octets of a peer.
std::string openssl_error();

}  // namespace imapmeter::proxy
