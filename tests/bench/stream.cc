#include "tests/bench/stream.h"

#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>

namespace imapmeter::bench {
namespace {

ContextPtr tls13_context(const SSL_METHOD* method) {
  ContextPtr context(SSL_CTX_new(method));
  if (!context || SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_ciphersuites(context.get(), kCipher) != 1)
    throw std::runtime_error("cannot set up TLS 1.3: " + openssl_error());
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  return context;
}

}  // namespace

std::string openssl_error() {
  char text[256];
  ERR_error_string_n(ERR_peek_last_error(), text, sizeof text);
  return text;
}

ContextPtr client_context(std::size_t read_buffer) {
  ContextPtr context = tls13_context(TLS_client_method());
  // The client checks the certificate by comparing it; the relay's own checks are the relay's work, not ours.
  SSL_CTX_set_cert_verify_callback(
      context.get(), [](X509_STORE_CTX*, void*) { return 1; }, nullptr);
  SSL_CTX_set_read_ahead(context.get(), 1);
  // Short lists, as today's mail clients send them: with OpenSSL's long ones the client costs more than the relay.
  if (SSL_CTX_set1_groups_list(context.get(), "X25519:P-256") != 1 ||
      SSL_CTX_set1_sigalgs_list(context.get(), "ECDSA+SHA256:RSA-PSS+SHA256") != 1 ||
      SSL_CTX_set_cipher_list(context.get(), "ECDHE-ECDSA-AES128-GCM-SHA256") != 1)
    throw std::runtime_error("cannot set up the client's TLS: " + openssl_error());
  if (read_buffer > 0) SSL_CTX_set_default_read_buffer_len(context.get(), read_buffer);
  return context;
}

ContextPtr server_context(const std::string& cert_file, const std::string& key_file) {
  ContextPtr context = tls13_context(TLS_server_method());
  if (SSL_CTX_use_certificate_chain_file(context.get(), cert_file.c_str()) != 1 ||
      SSL_CTX_use_PrivateKey_file(context.get(), key_file.c_str(), SSL_FILETYPE_PEM) != 1)
    throw std::runtime_error("cannot load the certificate and its key: " + openssl_error());
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(context.get(), 1);
  SSL_CTX_set_session_id_context(context.get(), reinterpret_cast<const unsigned char*>("bench"), 5);
  return context;
}

Stream::Stream(int descriptor, SslPtr tls) : fd(descriptor), ssl(std::move(tls)) {
  if (ssl) SSL_set_fd(ssl.get(), fd);
}

Stream::~Stream() {
  ssl.reset();
  close(fd);
}

Stream::Result Stream::tls_result(int returned, std::size_t count) {
  if (returned > 0) return {Status::done, count};
  switch (SSL_get_error(ssl.get(), returned)) {
    case SSL_ERROR_WANT_READ:
      return {Status::want_read};
    case SSL_ERROR_WANT_WRITE:
      return {Status::want_write};
    case SSL_ERROR_ZERO_RETURN:
      return {Status::closed};
    default:
      return {Status::broken};
  }
}

Stream::Status Stream::handshake() {
  if (!ssl || SSL_is_init_finished(ssl.get())) return Status::done;
  ERR_clear_error();
  return tls_result(SSL_do_handshake(ssl.get()), 0).status;
}

Stream::Result Stream::write(std::string_view octets, bool more) {
  if (ssl) {
    ERR_clear_error();
    std::size_t count = 0;
    const int returned = SSL_write_ex(ssl.get(), octets.data(), octets.size(), &count);
    return tls_result(returned, count);
  }
  const ssize_t sent = send(fd, octets.data(), octets.size(), MSG_NOSIGNAL | (more ? MSG_MORE : 0));
  if (sent >= 0) return {Status::done, static_cast<std::size_t>(sent)};
  return {errno == EAGAIN || errno == EINTR ? Status::want_write : Status::broken};
}

Stream::Result Stream::read(std::span<char> into) {
  if (ssl) {
    ERR_clear_error();
    std::size_t count = 0;
    const int returned = SSL_read_ex(ssl.get(), into.data(), into.size(), &count);
    return tls_result(returned, count);
  }
  const ssize_t received = recv(fd, into.data(), into.size(), 0);
  if (received > 0) return {Status::done, static_cast<std::size_t>(received)};
  if (received == 0) return {Status::closed};
  return {errno == EAGAIN || errno == EINTR ? Status::want_read : Status::broken};
}

bool Stream::buffered() const { return ssl && SSL_has_pending(ssl.get()) == 1; }

void Stream::finish() {
  if (ssl) {
    ERR_clear_error();
    SSL_shutdown(ssl.get());
  }
  shutdown(fd, SHUT_WR);
}

}  // namespace imapmeter::bench
