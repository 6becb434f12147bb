// flood_key_updates HOST PORT COUNT: a TLS 1.3 client that asks for new keys COUNT times and reads nothing meanwhile.
// Says "stalled N" when the server has taken N and no more for a second, or "sent N" at the end of them. After a line
// on its input it reads, sends what is left and a NOOP and a LOGOUT, and prints what it was told, the greeting first.
#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

constexpr int stall_milliseconds = 1000;
constexpr int patience_milliseconds = 60'000;
constexpr std::size_t batch_octets = 2700;  // 100 KeyUpdates

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  ERR_print_errors_fp(stderr);
  std::exit(1);
}

void set_receive_buffer(int fd, int octets) { setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &octets, sizeof octets); }

int dial(const char* host, const char* port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  set_receive_buffer(fd, 4096);  // what the server answers soon finds no room
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(port)));
  if (inet_pton(AF_INET, host, &address.sin_addr) != 1 ||
      connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    fail("connect");
  fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}

// TLS over memory, so that a socket that takes nothing does not keep it from reading.
class Client {
 public:
  Client(const char* host, const char* port) : fd_(dial(host, port)) {
    SSL_CTX* context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
    ssl_ = SSL_new(context);
    SSL_set_bio(ssl_, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(ssl_);
    while (SSL_do_handshake(ssl_) != 1)
      if (!move(true, patience_milliseconds)) fail("handshake");
  }

  void update_keys() {
    if (SSL_key_update(ssl_, SSL_KEY_UPDATE_REQUESTED) != 1 || SSL_do_handshake(ssl_) != 1) fail("SSL_key_update");
  }
  void say(const std::string& line) { SSL_write(ssl_, line.data(), static_cast<int>(line.size())); }

  // Sends what waits and, if asked, reads what is there; false when nothing moves for so long.
  bool move(bool reading, int milliseconds) {
    collect();
    pollfd socket{fd_, static_cast<short>((waiting_.empty() ? 0 : POLLOUT) | (reading ? POLLIN : 0)), 0};
    if (poll(&socket, 1, milliseconds) <= 0) return false;
    if ((socket.revents & POLLOUT) != 0) {
      const ssize_t sent = send(fd_, waiting_.data(), waiting_.size(), MSG_NOSIGNAL);
      if (sent < 0) fail("send");
      waiting_.erase(0, static_cast<std::size_t>(sent));
    }
    if (reading && (socket.revents & (POLLIN | POLLHUP | POLLERR)) != 0) take();
    return true;
  }

  void make_room() const { set_receive_buffer(fd_, 1 << 18); }

  std::size_t waiting() {
    collect();
    return waiting_.size();
  }
  const std::string& told() const { return told_; }

 private:
  void collect() {
    std::array<char, 16384> some;
    for (int got = 0; (got = BIO_read(SSL_get_wbio(ssl_), some.data(), some.size())) > 0;)
      waiting_.append(some.data(), static_cast<std::size_t>(got));
  }

  void take() {
    std::array<char, 16384> some;
    const ssize_t got = recv(fd_, some.data(), some.size(), 0);
    if (got <= 0) fail("the server has ended the connection");
    BIO_write(SSL_get_rbio(ssl_), some.data(), static_cast<int>(got));
    for (int plain = 0; SSL_is_init_finished(ssl_) && (plain = SSL_read(ssl_, some.data(), some.size())) > 0;)
      told_.append(some.data(), static_cast<std::size_t>(plain));
  }

  int fd_;
  SSL* ssl_ = nullptr;
  std::string waiting_;  // made by TLS, not sent
  std::string told_;
};

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) return 2;
  Client client(arguments[1], arguments[2]);
  const int wanted = std::atoi(arguments[3]);
  int made = 0;
  bool taken = true;
  while (taken && (made < wanted || client.waiting() > 0)) {
    while (made < wanted && client.waiting() < batch_octets) {
      client.update_keys();
      ++made;
    }
    taken = client.move(false, stall_milliseconds);
  }
  std::printf("%s %d\n", taken ? "sent" : "stalled", made);
  std::fflush(stdout);
  if (std::getchar() == EOF) return 0;
  client.make_room();

  while (made < wanted) {
    while (made < wanted && client.waiting() < batch_octets) {
      client.update_keys();
      ++made;
    }
    if (!client.move(true, patience_milliseconds)) fail("the server takes no more");
  }
  client.say("a NOOP\r\nz LOGOUT\r\n");
  while (client.told().find("z OK") == std::string::npos)
    if (!client.move(true, patience_milliseconds)) fail("the server says no more");
  std::printf("%s", client.told().c_str());
  return 0;
}
