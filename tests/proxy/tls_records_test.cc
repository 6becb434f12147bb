// A20: what a TLS peer may do with records: many small ones, empty ones, large ones, new keys; not negotiate anew.
#include <gtest/gtest.h>
#include <openssl/kdf.h>
#include <poll.h>
#include <sys/epoll.h>

#include <array>

#include "proxy/self_signed.h"
#include "tests/proxy/peers.h"

namespace imapmeter::proxy {
namespace {

// A leg and its peer, the leg on either side: towards a client as server, towards an upstream as client.
class Records : public testing::TestWithParam<bool> {
 protected:
  Records() {
    config::Upstream upstream;
    upstream.insecure_skip_certificate_verification = true;
    client_context_ = make_client_context(upstream);
    server_ = make_server_tls(test::self_signed_listener(), keys_);
    auto [near, far] = test::tcp_pair();
    leg_.open(std::move(near), buffers_);
    leg_.start_tls(leg_is_server() ? server_->context() : *client_context_, leg_is_server());
    peer_ = std::make_unique<test::TlsPeer>(std::move(far));
    if (leg_is_server()) return;
    const SelfSigned made = self_signed("127.0.0.1", "");
    SSL_use_certificate(peer_->ssl, made.certificate.get());
    SSL_use_PrivateKey(peer_->ssl, made.key.get());
    SSL_set_accept_state(peer_->ssl);
  }
  static bool leg_is_server() { return GetParam(); }

  // Until `octets` have come or the leg ends.
  std::string read(std::size_t octets, Io* end = nullptr) {
    std::string all;
    while (all.size() < octets) {
      pollfd there{leg_.fd(), POLLIN, 0};
      if (!leg_.may_read() && poll(&there, 1, 5000) != 1) break;
      leg_.on_events(EPOLLIN);
      const auto room = buffers_.scratch(max_quantum);
      const Leg::Read got = leg_.read(room);
      all.append(room.data(), got.octets);
      if (got.status == Io::ok || got.status == Io::again) continue;
      if (end != nullptr) *end = got.status;
      break;
    }
    return all;
  }

  // Over what the peer can send at once: 64 pieces of `size`.
  void exact_in_pieces_of(std::size_t size) {
    std::string sent;
    for (int i = 0; i < 64; ++i) {
      const std::string piece(size, static_cast<char>('a' + i % 26));
      peer_->write(piece);
      sent += piece;
      if (sent.size() % (1 << 16) != 0) continue;
      ASSERT_TRUE(read(sent.size()) == sent);
      sent.clear();
    }
    EXPECT_TRUE(read(sent.size()) == sent);
  }

  TicketKeys keys_;
  SslContext client_context_;
  std::unique_ptr<ServerTls> server_;
  ThreadBuffers buffers_;
  Leg leg_;
  std::unique_ptr<test::TlsPeer> peer_;
};

TEST_P(Records, OfOneOctetAndOf16KiBAreExact) {
  ASSERT_TRUE(peer_->shake_hands(leg_));
  exact_in_pieces_of(1);
  exact_in_pieces_of(16384);
}

TEST_P(Records, NewKeysBetweenThemAreExact) {
  ASSERT_TRUE(peer_->shake_hands(leg_));
  std::string sent;
  for (int i = 0; i < 500; ++i) {
    ASSERT_EQ(SSL_key_update(peer_->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
    ASSERT_EQ(SSL_do_handshake(peer_->ssl), 1);
    if (i % 20 != 0) continue;
    peer_->write("octets " + std::to_string(i));
    sent += "octets " + std::to_string(i);
  }
  EXPECT_EQ(read(sent.size()), sent);
  EXPECT_EQ(leg_.write(std::string_view("answer")), Io::ok);
  EXPECT_EQ(peer_->read_all(), "answer");
}

// A server asks by HelloRequest, a client by a ClientHello. Neither gets a second handshake; octets go on.
TEST_P(Records, NoSecondHandshake) {
  SSL_set_max_proto_version(peer_->ssl, TLS1_2_VERSION);
  ASSERT_TRUE(peer_->shake_hands(leg_));
  ASSERT_EQ(SSL_renegotiate(peer_->ssl), 1);
  SSL_do_handshake(peer_->ssl);
  Io end = Io::ok;
  if (!leg_is_server()) peer_->write("still here");
  const std::string got = read(leg_is_server() ? 0 : 10, &end);
  leg_.on_events(EPOLLIN);
  leg_.read(buffers_.scratch(min_quantum));
  SSL_do_handshake(peer_->ssl);
  EXPECT_EQ(SSL_num_renegotiations(leg_.ssl()), 0);
  EXPECT_EQ(SSL_in_init(leg_.ssl()), 0);
  if (!leg_is_server()) {
    EXPECT_EQ(got, "still here");
    EXPECT_EQ(end, Io::ok);
  }
  EXPECT_EQ(leg_.write(std::string_view("answer")), Io::ok);
}

// --- empty records: OpenSSL makes none, so this seals them itself ------------------------------------------------

std::array<std::string, 2> traffic_secrets;  // of the client and the server, in hex

void keep_secret(const SSL*, const char* line) {
  const std::string_view text(line);
  if (text.find("_TRAFFIC_SECRET_0 ") == std::string_view::npos) return;
  traffic_secrets[text.substr(0, 6) == "SERVER" ? 1 : 0] = text.substr(text.rfind(' ') + 1);
}

using Octets = std::vector<unsigned char>;

// HKDF-Expand-Label of RFC 8446 section 7.1, without context.
Octets expand(const Octets& secret, const std::string& label, std::size_t size) {
  const std::string full = "tls13 " + label;
  Octets info = {0, static_cast<unsigned char>(size), static_cast<unsigned char>(full.size())};
  info.insert(info.end(), full.begin(), full.end());
  info.push_back(0);
  Octets out(size);
  EVP_PKEY_CTX* context = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, nullptr);
  EVP_PKEY_derive_init(context);
  EVP_PKEY_CTX_set_hkdf_mode(context, EVP_PKEY_HKDEF_MODE_EXPAND_ONLY);
  EVP_PKEY_CTX_set_hkdf_md(context, EVP_sha256());
  EVP_PKEY_CTX_set1_hkdf_key(context, secret.data(), static_cast<int>(secret.size()));
  EVP_PKEY_CTX_add1_hkdf_info(context, info.data(), static_cast<int>(info.size()));
  EXPECT_EQ(EVP_PKEY_derive(context, out.data(), &size), 1);
  EVP_PKEY_CTX_free(context);
  return out;
}

// Application-data records with TLS_AES_128_GCM_SHA256, numbered from the first one.
class Sealer {
 public:
  explicit Sealer(const std::string& hex_secret) {
    Octets secret;
    for (std::size_t i = 0; i + 1 < hex_secret.size(); i += 2)
      secret.push_back(static_cast<unsigned char>(std::stoi(hex_secret.substr(i, 2), nullptr, 16)));
    key_ = expand(secret, "key", 16);
    iv_ = expand(secret, "iv", 12);
  }

  std::string seal(std::string inner) {
    inner += '\x17';  // the inner type: application data
    Octets nonce = iv_;
    for (std::size_t i = 0; i < 8; ++i) nonce[4 + i] ^= static_cast<unsigned char>(number_ >> (56 - 8 * i));
    ++number_;
    const std::size_t size = inner.size() + 16;
    const std::array<unsigned char, 5> head = {0x17, 3, 3, static_cast<unsigned char>(size >> 8),
                                               static_cast<unsigned char>(size)};
    Octets sealed(size);
    int part = 0;
    EVP_CIPHER_CTX* cipher = EVP_CIPHER_CTX_new();
    EVP_EncryptInit_ex(cipher, EVP_aes_128_gcm(), nullptr, key_.data(), nonce.data());
    EVP_EncryptUpdate(cipher, nullptr, &part, head.data(), head.size());
    EVP_EncryptUpdate(cipher, sealed.data(), &part, reinterpret_cast<const unsigned char*>(inner.data()),
                      static_cast<int>(inner.size()));
    EVP_EncryptFinal_ex(cipher, sealed.data() + part, &part);
    EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, 16, sealed.data() + inner.size());
    EVP_CIPHER_CTX_free(cipher);
    return std::string(head.begin(), head.end()) + std::string(sealed.begin(), sealed.end());
  }

 private:
  Octets key_;
  Octets iv_;
  std::uint64_t number_ = 0;
};

TEST_P(Records, EmptyOnesAreNothingAndAFloodOfThemEndsTheSession) {
  SSL_CTX_set_keylog_callback(SSL_get_SSL_CTX(peer_->ssl), &keep_secret);
  SSL_set_num_tickets(peer_->ssl, 0);  // they would take numbers
  SSL_set_ciphersuites(peer_->ssl, "TLS_AES_128_GCM_SHA256");
  ASSERT_TRUE(peer_->shake_hands(leg_));
  Sealer sealer(traffic_secrets[leg_is_server() ? 0 : 1]);
  for (int i = 0; i < 200; ++i) {
    const std::string piece = "octets " + std::to_string(i);
    for (int empty = 0; empty < i % 20; ++empty) test::write_all(peer_->fd.get(), sealer.seal(""));
    test::write_all(peer_->fd.get(), sealer.seal(piece));
    ASSERT_EQ(read(piece.size()), piece);
  }
  Io end = Io::ok;
  for (int i = 0; i < 1000; ++i) test::write_all(peer_->fd.get(), sealer.seal(""));
  EXPECT_EQ(read(1, &end), "");
  EXPECT_EQ(end, Io::tls_error);
}

INSTANTIATE_TEST_SUITE_P(A20, Records, testing::Bool(),
                         [](const auto& side) { return side.param ? "OfAClient" : "OfAnUpstream"; });

}  // namespace
}  // namespace imapmeter::proxy
