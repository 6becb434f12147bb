#include "proxy/tls_context.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "proxy/self_signed.h"
#include "tests/proxy/peers.h"

namespace imapmeter::proxy {
namespace {

using test::socket_pair;
using test::TlsPeer;

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = testing::TempDir() + "/imapmeter-XXXXXX";
    path = mkdtemp(pattern.data());
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  std::string write(const std::string& name, const std::string& contents) const {
    std::ofstream(path + "/" + name) << contents;
    return path + "/" + name;
  }
  std::string path;
};

// A kept self-signed pair is a handy source of good PEM files: cert.pem and key.pem.
config::Certificate files_for(const std::string& directory, const std::string& host) {
  self_signed(host, directory);
  return {directory + "/cert.pem", directory + "/key.pem"};
}

config::Listener listener_with(const config::Certificate& files) {
  config::Listener listener;
  listener.certificates = {files};
  return listener;
}

std::string failure_of(const config::Listener& listener) {
  TicketKeys keys;
  try {
    make_server_tls(listener, keys);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

std::string contents_of(const std::string& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(ServerTls, RefusesBadFilesByName) {
  const TemporaryDirectory good;
  const TemporaryDirectory other;
  const config::Certificate pair = files_for(good.path, "a.example");
  const config::Certificate foreign = files_for(other.path, "b.example");
  const std::string empty = good.write("empty.pem", "");
  const std::string garbage = good.write("garbage.pem", "not PEM at all");
  const std::string half = good.write("half.pem", contents_of(pair.cert).substr(0, 200));

  EXPECT_EQ(failure_of(listener_with(pair)), "");
  EXPECT_THAT(failure_of(listener_with({good.path + "/none.pem", pair.key})), testing::HasSubstr("none.pem"));
  EXPECT_THAT(failure_of(listener_with({pair.cert, good.path + "/none.pem"})), testing::HasSubstr("none.pem"));
  EXPECT_THAT(failure_of(listener_with({empty, pair.key})), testing::HasSubstr("empty.pem"));
  EXPECT_THAT(failure_of(listener_with({garbage, pair.key})), testing::HasSubstr("garbage.pem"));
  EXPECT_THAT(failure_of(listener_with({half, pair.key})), testing::HasSubstr("half.pem"));
  EXPECT_THAT(failure_of(listener_with({pair.cert, garbage})), testing::HasSubstr("garbage.pem"));
  EXPECT_THAT(failure_of(listener_with({pair.cert, foreign.key})), testing::HasSubstr(foreign.key));
}

// What the server shows to a client that asks for `name`.
std::string shown_for(ServerTls& server, const char* name) {
  ThreadBuffers buffers;
  auto [near, far] = socket_pair();
  Leg leg;
  leg.open(std::move(near), buffers);
  leg.start_tls(server.context(), true);
  TlsPeer peer(std::move(far));
  SSL_set_tlsext_host_name(peer.ssl, name);
  if (!peer.shake_hands(leg)) return "no handshake";
  const X509Ptr shown(SSL_get1_peer_certificate(peer.ssl));
  return X509_check_host(shown.get(), "a.example", 0, 0, nullptr) == 1 ? "a.example" : "b.example";
}

TEST(ServerTls, ServerNameChoosesTheCertificateAndTheFirstServesTheRest) {
  const TemporaryDirectory first;
  const TemporaryDirectory second;
  config::Listener listener = listener_with(files_for(first.path, "a.example"));
  listener.certificates.push_back(files_for(second.path, "b.example"));
  TicketKeys keys;
  const auto server = make_server_tls(listener, keys);
  EXPECT_EQ(shown_for(*server, "a.example"), "a.example");
  EXPECT_EQ(shown_for(*server, "b.example"), "b.example");
  EXPECT_EQ(shown_for(*server, "unknown.example"), "a.example");
  ASSERT_EQ(server->certificates.size(), 2U);
  EXPECT_EQ(server->certificates[0].name, listener.certificates[0].cert);
  EXPECT_GT(server->certificates[0].not_after, std::chrono::system_clock::now());
}

// One handshake with whatever the client is made to want.
class Handshakes : public testing::Test {
 protected:
  Handshakes() : server_(make_server_tls(test::self_signed_listener(), keys_)) {}

  // The server's view: ok, or why not.
  HandshakeResult shake(const std::function<void(SSL*)>& prepare, SSL_SESSION** ticket = nullptr,
                        bool* resumed = nullptr) {
    auto [near, far] = socket_pair();
    Leg leg;
    leg.open(std::move(near), buffers_);
    leg.start_tls(server_->context(), true);
    TlsPeer peer(std::move(far));
    prepare(peer.ssl);
    Io status = Io::again;
    for (int step = 0; step < 10 && status == Io::again; ++step) {
      ERR_clear_error();
      SSL_do_handshake(peer.ssl);
      leg.on_events(EPOLLIN | EPOLLOUT);
      status = leg.handshake();
      if (status != Io::again && status != Io::ok) return handshake_failure(*leg.ssl(), status);
    }
    if (status != Io::ok) return HandshakeResult::timeout;
    leg.offer_ticket();
    leg.write(std::string_view("* OK\r\n"));
    peer.read_all();
    version_ = tls_version(*leg.ssl());
    cipher_ = SSL_get_cipher_name(leg.ssl());
    if (resumed != nullptr) *resumed = SSL_session_reused(leg.ssl()) == 1;
    if (ticket != nullptr) *ticket = SSL_get1_session(peer.ssl);
    SSL_set_shutdown(peer.ssl, SSL_SENT_SHUTDOWN);  // else SSL_free() marks the session as not resumable
    return HandshakeResult::ok;
  }

  TicketKeys keys_;
  std::unique_ptr<ServerTls> server_;
  ThreadBuffers buffers_;
  TlsVersion version_ = TlsVersion::none;
  std::string cipher_;
};

TEST_F(Handshakes, SpeaksTls13WithTheCheapestCipherFirst) {
  EXPECT_EQ(shake([](SSL*) {}), HandshakeResult::ok);
  EXPECT_EQ(version_, TlsVersion::tls1_3);
  EXPECT_EQ(cipher_, "TLS_AES_128_GCM_SHA256");
}

TEST_F(Handshakes, SpeaksTls12) {
  EXPECT_EQ(shake([](SSL* ssl) { SSL_set_max_proto_version(ssl, TLS1_2_VERSION); }), HandshakeResult::ok);
  EXPECT_EQ(version_, TlsVersion::tls1_2);
}

TEST_F(Handshakes, RefusesOlderVersionsAndWeakCiphers) {
  EXPECT_EQ(shake([](SSL* ssl) {
              SSL_set_security_level(ssl, 0);
              SSL_set_min_proto_version(ssl, TLS1_VERSION);
              SSL_set_max_proto_version(ssl, TLS1_1_VERSION);
            }),
            HandshakeResult::version);
  EXPECT_EQ(shake([](SSL* ssl) {
              SSL_set_max_proto_version(ssl, TLS1_2_VERSION);
              SSL_set_cipher_list(ssl, "ECDHE-ECDSA-AES128-SHA256");
            }),
            HandshakeResult::cipher);
}

// B18
TEST_F(Handshakes, AlpnMustOfferImapOrNothing) {
  static constexpr unsigned char h2[] = {2, 'h', '2'};
  static constexpr unsigned char both[] = {2, 'h', '2', 4, 'i', 'm', 'a', 'p'};
  EXPECT_EQ(shake([](SSL* ssl) { SSL_set_alpn_protos(ssl, h2, sizeof h2); }), HandshakeResult::alpn);
  EXPECT_EQ(shake([](SSL* ssl) { SSL_set_alpn_protos(ssl, both, sizeof both); }), HandshakeResult::ok);
}

class Tickets : public Handshakes, public testing::WithParamInterface<int> {
 protected:
  void full_handshake() {
    ASSERT_EQ(shake([](SSL* ssl) { SSL_set_max_proto_version(ssl, GetParam()); }, &ticket_), HandshakeResult::ok);
  }
  bool resumes(SSL_SESSION** next = nullptr) {
    bool resumed = false;
    EXPECT_EQ(shake(
                  [this](SSL* ssl) {
                    SSL_set_max_proto_version(ssl, GetParam());
                    SSL_set_session(ssl, ticket_);
                  },
                  next, &resumed),
              HandshakeResult::ok);
    return resumed;
  }
  void TearDown() override {
    SSL_SESSION_free(ticket_);
    SSL_SESSION_free(next_);
  }
  SSL_SESSION* ticket_ = nullptr;
  SSL_SESSION* next_ = nullptr;
};

TEST_P(Tickets, ResumeAlsoInANewGenerationOfContexts) {
  full_handshake();
  EXPECT_TRUE(resumes());
  server_ = make_server_tls(test::self_signed_listener(), keys_);
  EXPECT_TRUE(resumes());
}

// A TLS 1.3 client that used its only ticket would make a full handshake every other time.
TEST_P(Tickets, AResumedHandshakeGivesATls13ClientTheNextTicket) {
  full_handshake();
  EXPECT_TRUE(resumes(&next_));
  EXPECT_EQ(SSL_SESSION_is_resumable(next_), 1);
  if (GetParam() == TLS1_3_VERSION) {
    std::swap(ticket_, next_);
    EXPECT_TRUE(resumes());
    const unsigned char* first = nullptr;
    const unsigned char* second = nullptr;
    std::size_t sizes[2] = {};
    SSL_SESSION_get0_ticket(ticket_, &first, &sizes[0]);
    SSL_SESSION_get0_ticket(next_, &second, &sizes[1]);
    EXPECT_NE(std::string_view(reinterpret_cast<const char*>(first), sizes[0]),
              std::string_view(reinterpret_cast<const char*>(second), sizes[1]));
  }
}

TEST_P(Tickets, ResumeOneRotationLaterAndNotTwo) {
  full_handshake();
  keys_.rotate();
  EXPECT_TRUE(resumes());
  keys_.rotate();
  EXPECT_FALSE(resumes());
}

TEST_P(Tickets, OfAnotherProcessMeanAFullHandshake) {
  full_handshake();
  TicketKeys others;
  server_ = make_server_tls(test::self_signed_listener(), others);
  EXPECT_FALSE(resumes());
}

TEST_P(Tickets, OfAnotherListenerMeanAFullHandshake) {
  full_handshake();
  config::Listener other = test::self_signed_listener();
  other.name = "other";
  server_ = make_server_tls(other, keys_);
  EXPECT_FALSE(resumes());
}

INSTANTIATE_TEST_SUITE_P(Versions, Tickets, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                         [](const auto& version) { return version.param == TLS1_2_VERSION ? "Tls12" : "Tls13"; });

TEST(SelfSigned, IsKeptAndUsedAgain) {
  const TemporaryDirectory directory;
  const SelfSigned first = self_signed("127.0.0.1", directory.path);
  const std::string kept = contents_of(directory.path + "/cert.pem");
  const SelfSigned second = self_signed("127.0.0.1", directory.path);
  EXPECT_EQ(contents_of(directory.path + "/cert.pem"), kept);
  EXPECT_EQ(X509_cmp(first.certificate.get(), second.certificate.get()), 0);
  struct stat status {};
  ASSERT_EQ(stat((directory.path + "/key.pem").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST(SelfSigned, AnotherAddressGetsANewCertificateOfTheSameCa) {
  const TemporaryDirectory directory;
  self_signed("127.0.0.1", directory.path);
  const std::string ca = contents_of(directory.path + "/ca.pem");
  const SelfSigned second = self_signed("mail.example", directory.path);
  EXPECT_EQ(contents_of(directory.path + "/ca.pem"), ca);
  EXPECT_EQ(X509_check_host(second.certificate.get(), "mail.example", 0, 0, nullptr), 1);
  EXPECT_EQ(X509_check_ip_asc(second.certificate.get(), "127.0.0.1", 0), 1);
}

TEST(SelfSigned, NamesTheFileItCannotUse) {
  const TemporaryDirectory directory;
  self_signed("127.0.0.1", directory.path);
  directory.write("key.pem", "garbage");
  try {
    self_signed("127.0.0.1", directory.path);
    FAIL() << "took a broken key";
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("key.pem"));
  }
}

}  // namespace
}  // namespace imapmeter::proxy
