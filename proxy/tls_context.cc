#include "proxy/tls_context.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string_view>

#include "proxy/log.h"
#include "proxy/self_signed.h"

namespace imapmeter::proxy {
namespace {

// Mozilla's intermediate suites without the DHE ones, AES-128 first: it costs least.
constexpr const char* tls1_2_ciphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr const char* tls1_3_ciphers = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr const char* groups = "X25519:P-256:P-384";
constexpr std::size_t upstream_read_buffer = 64 * 1024;

void check(bool good, const std::string& what) {
  if (!good) throw std::runtime_error(what + ": " + openssl_error());
}

SslContext make_context(const SSL_METHOD* method) {
  SslContext context(SSL_CTX_new(method));
  check(context != nullptr, "cannot make a TLS context");
  SSL_CTX* raw = context.get();
  check(SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION) == 1, "cannot set the lowest TLS version");
  check(SSL_CTX_set_cipher_list(raw, tls1_2_ciphers) == 1, "cannot set the TLS 1.2 ciphers");
  check(SSL_CTX_set_ciphersuites(raw, tls1_3_ciphers) == 1, "cannot set the TLS 1.3 ciphers");
  check(SSL_CTX_set1_groups_list(raw, groups) == 1, "cannot set the TLS groups");
  // A FIN without close_notify is told apart by the leg; to OpenSSL it would be an error after which nothing can be
  // written, and a client that has only ended its own direction would lose the last replies.
  SSL_CTX_set_options(raw, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  // Record buffers are given back by the legs (warm_legs.h), so not SSL_MODE_RELEASE_BUFFERS.
  SSL_CTX_set_mode(raw, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN);
  SSL_CTX_set_read_ahead(raw, 1);
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  return context;
}

// RFC 8314 / IANA: the ALPN name of IMAP is "imap". A client that offers only others meant another protocol.
int select_alpn(SSL*, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                unsigned int offered_size, void*) noexcept {
  static constexpr unsigned char imap[] = {4, 'i', 'm', 'a', 'p'};
  auto** out = const_cast<unsigned char**>(chosen);
  return SSL_select_next_proto(out, size, imap, sizeof imap, offered, offered_size) == OPENSSL_NPN_NEGOTIATED
             ? SSL_TLSEXT_ERR_OK
             : SSL_TLSEXT_ERR_ALERT_FATAL;
}

int select_certificate(SSL* ssl, int*, void* argument) noexcept {
  const char* wanted = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (wanted == nullptr) return SSL_TLSEXT_ERR_NOACK;
  for (const SslContext& context : static_cast<ServerTls*>(argument)->contexts) {
    X509* certificate = SSL_CTX_get0_certificate(context.get());
    if (X509_check_host(certificate, wanted, 0, 0, nullptr) != 1) continue;
    SSL_set_SSL_CTX(ssl, context.get());
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_OK;  // unknown name: the first certificate; the client decides
}

// Without a name and a password prompt: a key that needs one is refused, not asked for on the terminal.
int no_passphrase(char*, int, int, void*) noexcept { return -1; }

void require_readable(const std::string& file) {
  std::FILE* opened = std::fopen(file.c_str(), "re");
  if (opened == nullptr) throw std::runtime_error(file + ": cannot be read: " + std::strerror(errno));
  std::fclose(opened);
}

void load_pair(SSL_CTX& context, const config::Certificate& files) {
  require_readable(files.cert);
  require_readable(files.key);
  SSL_CTX_set_default_passwd_cb(&context, &no_passphrase);
  check(SSL_CTX_use_certificate_chain_file(&context, files.cert.c_str()) == 1,
        files.cert + ": expected a PEM certificate, the leaf first");
  check(SSL_CTX_use_PrivateKey_file(&context, files.key.c_str(), SSL_FILETYPE_PEM) == 1,
        files.key + ": expected the PEM private key of " + files.cert + ", without a passphrase");
  check(SSL_CTX_check_private_key(&context) == 1, files.key + ": is not the key of " + files.cert);
}

void load_self_signed(SSL_CTX& context, const config::Listener& listener) {
  const config::Address& first = listener.binds.front();
  const SelfSigned made = self_signed(first.is_unix() ? "localhost" : first.host, listener.self_signed_dir);
  check(SSL_CTX_use_certificate(&context, made.certificate.get()) == 1, "cannot use the self-signed certificate");
  check(SSL_CTX_use_PrivateKey(&context, made.key.get()) == 1, "cannot use the self-signed certificate's key");
}

ServedCertificate describe(SSL_CTX& context, const std::string& name) {
  std::tm not_after{};
  ASN1_TIME_to_tm(X509_get0_notAfter(SSL_CTX_get0_certificate(&context)), &not_after);
  const auto until = std::chrono::system_clock::from_time_t(timegm(&not_after));
  // Served all the same: a reboot must not take mail down
  if (until < std::chrono::system_clock::now()) log_error("{}: the certificate has expired", name);
  return {name, until};
}

SslContext make_server_context(const config::Listener& listener, TicketKeys& keys, ServerTls& all) {
  SslContext context = make_context(TLS_server_method());
  SSL_CTX* raw = context.get();
  // What clients say may be a password: OpenSSL's own copy goes when it has been read.
  SSL_CTX_set_options(raw, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA | SSL_OP_CLEANSE_PLAINTEXT);
  SSL_CTX_set_num_tickets(raw, 0);  // of TLS 1.3: see Leg::offer_ticket
  SSL_CTX_set_max_early_data(raw, 0);
  keys.use_in(*raw);
  // A ticket of one listener is no good for another: their policies may differ.
  check(SSL_CTX_set_session_id_context(raw, reinterpret_cast<const unsigned char*>(listener.name.data()),
                                       static_cast<unsigned>(std::min<std::size_t>(listener.name.size(), 32))) == 1,
        "cannot set the session id context");
  SSL_CTX_set_alpn_select_cb(raw, &select_alpn, nullptr);
  SSL_CTX_set_tlsext_servername_callback(raw, &select_certificate);
  SSL_CTX_set_tlsext_servername_arg(raw, &all);
  return context;
}

bool is_address(const std::string& host) noexcept {
  in6_addr ignored;
  return inet_pton(AF_INET, host.c_str(), &ignored) == 1 || inet_pton(AF_INET6, host.c_str(), &ignored) == 1;
}

HandshakeResult verification_failure(long result) noexcept {
  switch (result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return HandshakeResult::certificate_expired;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return HandshakeResult::certificate_name;
    default:
      return HandshakeResult::certificate_untrusted;
  }
}

}  // namespace

std::unique_ptr<ServerTls> make_server_tls(const config::Listener& listener, TicketKeys& keys) {
  auto made = std::make_unique<ServerTls>();
  if (listener.self_signed) {
    made->contexts.push_back(make_server_context(listener, keys, *made));
    load_self_signed(*made->contexts.back(), listener);
    made->certificates.push_back(describe(*made->contexts.back(), "self_signed"));
  }
  for (const config::Certificate& files : listener.certificates) {
    made->contexts.push_back(make_server_context(listener, keys, *made));
    load_pair(*made->contexts.back(), files);
    made->certificates.push_back(describe(*made->contexts.back(), files.cert));
  }
  if (made->contexts.empty()) throw std::runtime_error("listener " + listener.name + ": no certificate");
  return made;
}

SslContext make_client_context(const config::Upstream& upstream) {
  SslContext context = make_context(TLS_client_method());
  SSL_CTX* raw = context.get();
  SSL_CTX_set_default_read_buffer_len(raw, upstream_read_buffer);
  if (upstream.insecure_skip_certificate_verification) {
    SSL_CTX_set_verify(raw, SSL_VERIFY_NONE, nullptr);
    return context;
  }
  SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, nullptr);
  if (upstream.ca.empty()) {
    check(SSL_CTX_set_default_verify_paths(raw) == 1, "cannot load the system's CA certificates");
  } else {
    require_readable(upstream.ca);
    check(SSL_CTX_load_verify_file(raw, upstream.ca.c_str()) == 1, upstream.ca + ": expected PEM CA certificates");
  }
  return context;
}

bool expect_server(SSL& ssl, const std::string& host) noexcept {
  if (is_address(host)) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(&ssl), host.c_str()) == 1;
  return SSL_set_tlsext_host_name(&ssl, host.c_str()) == 1 && SSL_set1_host(&ssl, host.c_str()) == 1;
}

HandshakeResult handshake_failure(SSL& ssl, Io status) noexcept {
  const unsigned long error = ERR_peek_error();
  const int reason = ERR_GET_LIB(error) == ERR_LIB_SSL ? ERR_GET_REASON(error) : 0;
  switch (reason) {
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_BAD_RECORD_TYPE:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
      return HandshakeResult::not_tls;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_UNSUPPORTED_SSL_VERSION:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_WRONG_SSL_VERSION:
      return HandshakeResult::version;
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_CIPHERS_SPECIFIED:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
      return HandshakeResult::cipher;
    case SSL_R_NO_APPLICATION_PROTOCOL:
      return HandshakeResult::alpn;
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
      return verification_failure(SSL_get_verify_result(&ssl));
    default:
      break;
  }
  if (reason >= SSL_AD_REASON_OFFSET) return HandshakeResult::alert;
  if (status == Io::eof || status == Io::truncated) return HandshakeResult::eof;
  if (status == Io::reset) return HandshakeResult::reset;
  return HandshakeResult::other;
}

bool is_certificate(HandshakeResult result) noexcept {
  return result == HandshakeResult::certificate_expired || result == HandshakeResult::certificate_name ||
         result == HandshakeResult::certificate_untrusted;
}

TlsVersion tls_version(const SSL& ssl) noexcept {
  return SSL_version(&ssl) == TLS1_3_VERSION ? TlsVersion::tls1_3 : TlsVersion::tls1_2;
}

std::string openssl_error() {
  const unsigned long error = ERR_peek_error();
  if (error == 0) return "no reason given";
  const char* reason = ERR_reason_error_string(error);
  std::string text = reason == nullptr ? "error " + std::to_string(error) : reason;
  ERR_clear_error();
  return text;
}

}  // namespace imapmeter::proxy
