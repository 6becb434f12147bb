// A certificate for trying things out: P-256, for localhost and the address that is listened on.
#pragma once

#include <string>

#include "proxy/tls_context.h"

namespace imapmeter::proxy {

struct SelfSigned {
  X509Ptr certificate;
  PrivateKey key;
};

// With an empty `directory`: self-signed and in memory only. Else a small CA and a certificate of it are kept there
// (ca.pem, ca-key.pem, cert.pem, key.pem; the keys readable by the owner only) and used again while they last; the CA's
// path is printed on stderr. Throws std::runtime_error that names the file.
SelfSigned self_signed(const std::string& host, const std::string& directory);

}  // namespace imapmeter::proxy
