#include "proxy/self_signed.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <stdexcept>

namespace imapmeter::proxy {
namespace {

constexpr long validity_seconds = 397L * 24 * 3600;  // what clients still accept of a leaf
constexpr long renewal_seconds = 30L * 24 * 3600;    // a kept one is made anew when less is left

void check(bool good, const char* what) {
  if (!good) throw std::runtime_error(std::string(what) + ": " + openssl_error());
}

void add_extension(X509& certificate, X509& issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, &issuer, &certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  check(extension != nullptr, "cannot make a certificate extension");
  X509_add_ext(&certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

std::string alternative_names(const std::string& host) {
  std::string names = "DNS:localhost,IP:127.0.0.1,IP:::1";
  in6_addr ignored;
  if (inet_pton(AF_INET, host.c_str(), &ignored) == 1 || inet_pton(AF_INET6, host.c_str(), &ignored) == 1) {
    names += ",IP:" + host;
  } else if (!host.empty()) {
    names += ",DNS:" + host;
  }
  return names;
}

struct Issuer {
  X509* certificate;
  EVP_PKEY* key;
};

// A CA when `host` is null; signed by itself when `issuer` is.
SelfSigned make(const std::string* host, const Issuer* issuer) {
  SelfSigned made{X509Ptr(X509_new()), PrivateKey(EVP_EC_gen("P-256"))};
  check(made.certificate != nullptr && made.key != nullptr, "cannot make a key");
  X509& certificate = *made.certificate;
  X509& signer = issuer == nullptr ? certificate : *issuer->certificate;
  std::uint64_t serial = 0;
  check(RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) == 1, "no random octets");
  X509_set_version(&certificate, X509_VERSION_3);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(&certificate), serial >> 1);
  X509_gmtime_adj(X509_getm_notBefore(&certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(&certificate), validity_seconds);
  const char* name = host == nullptr ? "imapmeter local CA" : "imapmeter";
  X509_NAME_add_entry_by_txt(X509_get_subject_name(&certificate), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
  X509_set_issuer_name(&certificate, X509_get_subject_name(&signer));
  X509_set_pubkey(&certificate, made.key.get());
  add_extension(certificate, signer, NID_subject_key_identifier, "hash");
  if (host == nullptr) {
    add_extension(certificate, signer, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
    add_extension(certificate, signer, NID_key_usage, "critical,keyCertSign,cRLSign");
  } else {
    add_extension(certificate, signer, NID_basic_constraints, "critical,CA:FALSE");
    add_extension(certificate, signer, NID_ext_key_usage, "serverAuth");
    add_extension(certificate, signer, NID_subject_alt_name, alternative_names(*host));
  }
  check(X509_sign(&certificate, issuer == nullptr ? made.key.get() : issuer->key, EVP_sha256()) != 0, "cannot sign");
  return made;
}

std::runtime_error cannot(const std::string& verb, const std::string& file) {
  return std::runtime_error(file + ": cannot be " + verb + ": " + std::strerror(errno));
}

void write_file(const std::string& file, mode_t mode, const SelfSigned& what, bool key) {
  const int fd = open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  if (fd < 0) throw cannot("written", file);
  std::FILE* out = fdopen(fd, "w");
  const int written = key ? PEM_write_PrivateKey(out, what.key.get(), nullptr, nullptr, 0, nullptr, nullptr)
                          : PEM_write_X509(out, what.certificate.get());
  const bool closed = std::fclose(out) == 0;
  if (written != 1 || !closed) throw cannot("written", file);
}

// Empty pointers where the files are missing or about to expire; throws where they are there and no good.
SelfSigned read_kept(const std::string& certificate_file, const std::string& key_file) {
  SelfSigned kept;
  if (!std::filesystem::exists(certificate_file) || !std::filesystem::exists(key_file)) return kept;
  const BioPtr certificate(BIO_new_file(certificate_file.c_str(), "r"));
  const BioPtr key(BIO_new_file(key_file.c_str(), "r"));
  if (certificate == nullptr) throw cannot("read", certificate_file);
  if (key == nullptr) throw cannot("read", key_file);
  kept.certificate.reset(PEM_read_bio_X509(certificate.get(), nullptr, nullptr, nullptr));
  kept.key.reset(PEM_read_bio_PrivateKey(key.get(), nullptr, nullptr, nullptr));
  if (kept.certificate == nullptr) throw std::runtime_error(certificate_file + ": expected a PEM certificate");
  if (kept.key == nullptr) throw std::runtime_error(key_file + ": expected a PEM private key");
  std::time_t limit = std::time(nullptr) + renewal_seconds;
  if (X509_cmp_time(X509_get0_notAfter(kept.certificate.get()), &limit) < 0) return {};
  return kept;
}

bool is_for(X509& certificate, const std::string& host) {
  return X509_check_host(&certificate, host.c_str(), 0, 0, nullptr) == 1 ||
         X509_check_ip_asc(&certificate, host.c_str(), 0) == 1;
}

}  // namespace

SelfSigned self_signed(const std::string& host, const std::string& directory) {
  if (directory.empty()) return make(&host, nullptr);
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) throw std::runtime_error(directory + ": cannot be made: " + error.message());
  const std::string ca_file = directory + "/ca.pem";
  const std::string ca_key_file = directory + "/ca-key.pem";
  const std::string certificate_file = directory + "/cert.pem";
  const std::string key_file = directory + "/key.pem";

  SelfSigned ca = read_kept(ca_file, ca_key_file);
  SelfSigned leaf = read_kept(certificate_file, key_file);
  if (ca.certificate == nullptr) {
    ca = make(nullptr, nullptr);
    write_file(ca_key_file, 0600, ca, true);
    write_file(ca_file, 0644, ca, false);
    leaf = {};
  }
  const bool fits = leaf.certificate != nullptr && is_for(*leaf.certificate, host) &&
                    X509_verify(leaf.certificate.get(), X509_get0_pubkey(ca.certificate.get())) == 1;
  ERR_clear_error();  // a name that does not fit is no error
  if (!fits) {
    const Issuer issuer{ca.certificate.get(), ca.key.get()};
    leaf = make(&host, &issuer);
    write_file(key_file, 0600, leaf, true);
    write_file(certificate_file, 0644, leaf, false);
  }
  std::fprintf(stderr, "self-signed: clients can trust the CA in %s\n", ca_file.c_str());
  return leaf;
}

}  // namespace imapmeter::proxy
