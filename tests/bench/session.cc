#include "tests/bench/session.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/x509.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <stdexcept>

namespace imapmeter::bench {
namespace {

[[noreturn]] void fail(const std::string& sentence) { throw std::runtime_error(sentence); }

int connect_to_loopback(std::uint16_t port, std::uint8_t source) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) fail(std::string("no more sockets: ") + std::strerror(errno));
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  // The port is chosen by connect(), which knows what is free towards this address.
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + source);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    fail(std::string("bind failed: ") + std::strerror(errno));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 && errno != EINPROGRESS)
    fail(std::string("connect failed: ") + std::strerror(errno));
  return fd;
}

SslPtr new_ssl(SSL_CTX* context, SSL_SESSION* resume) {
  SslPtr ssl(SSL_new(context));
  SSL_set_connect_state(ssl.get());
  if (resume != nullptr) SSL_set_session(ssl.get(), resume);
  return ssl;
}

std::string fingerprint(const X509* certificate) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (certificate == nullptr || X509_digest(certificate, EVP_sha256(), digest, &size) != 1) return "none";
  std::unique_ptr<char, void (*)(char*)> text(OPENSSL_buf2hexstr(digest, size), [](char* p) { OPENSSL_free(p); });
  return text.get();
}

// One buffer for all sessions: what is read is compared at once and never kept.
std::vector<char>& scratch() {
  static std::vector<char> buffer(std::size_t{256} * 1024);
  return buffer;
}

}  // namespace

Session::Session(SSL_CTX* context, std::uint16_t port, SSL_SESSION* resume, Journal& journal, std::uint8_t source,
                 std::string_view greeting)
    : stream_(connect_to_loopback(port, source), new_ssl(context, resume)), journal_(journal) {
  ++journal_.connections;
  tail_ = greeting;
}

void Session::send(Verb verb) {
  current_ = &exchange(verb);
  finishing_ = verb == Verb::logout;
  command_.clear();
  if (current_->tagged) command_.append("A").append(std::to_string(++tag_)).append(" ");
  command_.append(current_->command).append("\r\n");
  tail_text_.clear();
  if (!current_->completion.empty())
    tail_text_.append("A").append(std::to_string(tag_)).append(" ").append(current_->completion);
  body_ = current_->body;
  tail_ = tail_text_;
  state = State::waiting;
  const Stream::Result result = stream_.write(command_, false);
  if (result.status != Stream::Status::done || result.count != command_.size()) fail("a command could not be sent");
  journal_.bytes_out += result.count;
}

void Session::finish() {
  finishing_ = true;
  state = State::waiting;
  stream_.finish();
}

void Session::progress() {
  if (state == State::connecting) {
    const Stream::Status status = stream_.handshake();
    if (status == Stream::Status::want_read) return;
    if (status != Stream::Status::done) fail("a TLS handshake failed: " + openssl_error());
    on_handshake();
    state = State::waiting;
  }
  do {
    const Stream::Result result = stream_.read(scratch());
    if (result.status == Stream::Status::want_read) return;
    if (result.status != Stream::Status::done) return on_end(result.status);
    journal_.bytes_in += result.count;
    compare({scratch().data(), result.count});
  } while (stream_.buffered());
}

void Session::on_handshake() {
  SSL* const tls = ssl();
  ++(SSL_session_reused(tls) == 1 ? journal_.resumed_handshakes : journal_.full_handshakes);
  if (std::string_view(SSL_get_cipher_name(tls)) != kCipher) fail("the subject chose another cipher");
  if (!journal_.cipher.empty()) return;
  journal_.cipher = SSL_get_cipher_name(tls);
  journal_.version = SSL_get_version(tls);
  const char* const group = OBJ_nid2sn(static_cast<int>(SSL_get_negotiated_group(tls) & 0xffffff));
  journal_.group = group == nullptr ? "unknown" : group;
  journal_.certificate = fingerprint(SSL_get0_peer_certificate(tls));
}

void Session::compare(std::string_view octets) {
  while (!octets.empty()) {
    // New mail may cross our DONE, but comes before the answer to it.
    if (idling_ && mail_.empty() && octets.front() == '*' && tail_.size() == tail_text_.size()) mail_ = new_mail();
    const bool mail = !mail_.empty();
    std::string_view& expected = mail ? mail_ : body_.empty() ? tail_ : body_;
    if (expected.empty()) fail("the server's side said more than it should: " + std::string(octets.substr(0, 60)));
    const std::size_t count = std::min(octets.size(), expected.size());
    if (std::memcmp(octets.data(), expected.data(), count) != 0)
      fail("octets arrived changed, lost or out of order (octet " + std::to_string(journal_.bytes_in) + ")");
    octets.remove_prefix(count);
    expected.remove_prefix(count);
    if (mail && mail_.empty()) ++journal_.untagged_exists;
  }
  if (state == State::waiting && !awaits_more()) completed();
}

bool Session::awaits_more() const { return !body_.empty() || !tail_.empty() || !mail_.empty(); }

void Session::completed() {
  state = finishing_ ? State::waiting : State::ready;
  if (current_ == nullptr) {
    ++journal_.greetings;
    return;
  }
  journal_.tagged_ok += current_->completion.empty() ? 0 : 1;
  journal_.untagged_ok += current_->untagged_ok;
  journal_.untagged_bye += current_->untagged_bye;
  journal_.untagged_exists += current_->exists;
  idling_ = current_->completion.empty();
}

void Session::on_end(Stream::Status status) {
  if (awaits_more()) fail("a session ended in the middle of an answer");
  if (!finishing_) fail("a session ended that the client had not ended");
  journal_.closed_without_notify += status == Stream::Status::closed ? 0 : 1;
  state = State::over;
}

}  // namespace imapmeter::bench
