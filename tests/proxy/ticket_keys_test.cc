// B19, B20: what a ticket may not do: bring early data, or resume when we did not seal it.
#include "proxy/ticket_keys.h"

#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/rand.h>
#include <sys/epoll.h>

#include <algorithm>
#include <functional>

#include "tests/proxy/peers.h"

namespace imapmeter::proxy {
namespace {

using Session = std::unique_ptr<SSL_SESSION, decltype(&SSL_SESSION_free)>;

struct Shaken {
  bool resumed = false;
  Session ticket{nullptr, &SSL_SESSION_free};
  int early_data = SSL_EARLY_DATA_NOT_SENT;  // as the client was told
  std::string read;                          // by the server
};

// One handshake, in which the client may offer a ticket and send early data with it.
Shaken shake(SSL_CTX& server, SSL_SESSION* offered, const std::string& early = "") {
  ThreadBuffers buffers;
  auto [near, far] = test::socket_pair();
  Leg leg;
  leg.open(std::move(near), buffers);
  leg.start_tls(server, true);
  test::TlsPeer peer(std::move(far));
  if (offered != nullptr) SSL_set_session(peer.ssl, offered);
  std::size_t written = 0;
  if (!early.empty()) {
    EXPECT_EQ(SSL_write_early_data(peer.ssl, early.data(), early.size(), &written), 1);
  }
  EXPECT_TRUE(peer.shake_hands(leg));
  leg.offer_ticket();
  leg.write(std::string_view("* OK\r\n"));
  EXPECT_EQ(peer.read_all(), "* OK\r\n");
  Shaken result;
  result.resumed = SSL_session_reused(leg.ssl()) == 1;
  result.ticket.reset(SSL_get1_session(peer.ssl));
  result.early_data = SSL_get_early_data_status(peer.ssl);
  peer.write("late");
  leg.on_events(EPOLLIN);
  const auto room = buffers.scratch(min_quantum);
  result.read.assign(room.data(), leg.read(room).octets);
  SSL_set_shutdown(peer.ssl, SSL_SENT_SHUTDOWN);  // else SSL_free() marks the session as not resumable
  return result;
}

TEST(EarlyData, IsNotOffered) {
  TicketKeys keys;
  const auto server = make_server_tls(test::self_signed_listener(), keys);
  const Shaken first = shake(server->context(), nullptr);
  EXPECT_EQ(SSL_SESSION_get_max_early_data(first.ticket.get()), 0U);
}

// A client that sends it unasked is served, and nothing of it is read: it could have been replayed.
TEST(EarlyData, IsNotReadWhenItComesAllTheSame) {
  TicketKeys keys;
  const auto server = make_server_tls(test::self_signed_listener(), keys);
  const Shaken first = shake(server->context(), nullptr);
  ASSERT_EQ(SSL_SESSION_set_max_early_data(first.ticket.get(), 16384), 1);
  const Shaken second = shake(server->context(), first.ticket.get(), "a LOGIN user replayed\r\n");
  EXPECT_EQ(second.early_data, SSL_EARLY_DATA_REJECTED);
  EXPECT_EQ(second.read, "late");
}

// What a forger seals tickets with: a key of zeros under a name of choice (the class of CVE-2026-97629).
std::array<unsigned char, 16> forged_name{};

int seal_with_zeros(SSL*, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int seal) {
  if (seal == 0) return 0;
  std::array<unsigned char, 32> zeros{};
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, zeros.data(), zeros.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end(),
  };
  std::copy(forged_name.begin(), forged_name.end(), name);
  RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc()));
  EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, zeros.data(), iv);
  return EVP_MAC_CTX_set_params(mac, parameters);
}

bool resumes_forged(SSL_CTX& server, const std::array<unsigned char, 16>& name) {
  TicketKeys unused;
  const auto forger = make_server_tls(test::self_signed_listener(), unused);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(&forger->context(), &seal_with_zeros);
  forged_name = name;
  const Shaken forged = shake(forger->context(), nullptr);
  const unsigned char* ticket = nullptr;
  std::size_t size = 0;
  SSL_SESSION_get0_ticket(forged.ticket.get(), &ticket, &size);
  EXPECT_TRUE(size > name.size() && std::equal(name.begin(), name.end(), ticket)) << "no forged ticket";
  return shake(server, forged.ticket.get()).resumed;
}

std::array<unsigned char, 16> name_of(const Shaken& shaken) {
  const unsigned char* ticket = nullptr;
  std::size_t size = 0;
  SSL_SESSION_get0_ticket(shaken.ticket.get(), &ticket, &size);
  std::array<unsigned char, 16> name{};
  std::copy_n(ticket, name.size(), name.begin());
  return name;
}

TEST(ForgedTickets, AKeyOfZerosOpensNothing) {
  TicketKeys keys;
  const auto server = make_server_tls(test::self_signed_listener(), keys);
  EXPECT_FALSE(resumes_forged(server->context(), {}));
  const Shaken first = shake(server->context(), nullptr);
  EXPECT_TRUE(shake(server->context(), first.ticket.get()).resumed);
  EXPECT_FALSE(resumes_forged(server->context(), name_of(first))) << "under the name of the current key";
  keys.rotate();
  EXPECT_FALSE(resumes_forged(server->context(), name_of(first))) << "under the name of the previous key";
  EXPECT_TRUE(shake(server->context(), first.ticket.get()).resumed);
  keys.rotate();
  EXPECT_FALSE(shake(server->context(), first.ticket.get()).resumed) << "under a retired key";
}

}  // namespace
}  // namespace imapmeter::proxy
