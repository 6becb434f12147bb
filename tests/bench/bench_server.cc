// The IMAP server of the benchmark: answers from memory, on one plaintext and one TLS port.
//   bench_server --cert FILE --key FILE
// Prints `ready plain=PORT tls=PORT`, serves until SIGTERM, then prints what it did as one line of JSON.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <unordered_map>
#include <vector>

#include "tests/bench/conversation.h"
#include "tests/bench/stream.h"

namespace imapmeter::bench {
namespace {

volatile std::sig_atomic_t g_stop = 0;

// Longest line that a client of the benchmark sends; a longer one is its mistake.
constexpr std::size_t kMaxLine = 4096;

// How nginx mail logs in for its client.
constexpr std::string_view kLoginLines[] = {"LOGIN {5}", "bench {6}", "secret"};

struct Connection {
  Connection(int fd, SslPtr ssl) : stream(fd, std::move(ssl)) {}

  Stream stream;
  bool greeted = false;
  bool last_answer = false;  // LOGOUT was answered
  bool check = false;        // imapmeter's health check, which is no client's session
  bool awaits_writable = false;
  std::size_t login_lines = 0;  // of kLoginLines, read so far
  std::string input;            // octets of commands not yet answered
  std::string tag;              // of the last command
  std::string_view body;        // still to be sent, before `tail`
  std::string tail;
  std::size_t tail_sent = 0;
  std::uint64_t bytes_in = 0, bytes_out = 0;
};

struct Journal {
  std::uint64_t accepted = 0, checks = 0, handshakes = 0, resumed = 0, commands = 0, unknown_commands = 0, broken = 0;
  std::uint64_t bytes_in = 0, bytes_out = 0;
  std::string cipher;  // of the first handshake
};

class Server {
 public:
  explicit Server(ContextPtr context) : context_(std::move(context)) {
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    plain_ = listen_on_loopback(plain_port);
    tls_ = listen_on_loopback(tls_port);
  }

  void run() {
    std::vector<epoll_event> events(512);
    for (int patience = 100; g_stop == 0 || (patience > 0 && somebody_is_silent());) {
      const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), g_stop == 0 ? -1 : 10);
      if (g_stop != 0) --patience;
      for (int i = 0; i < count; ++i) {
        void* const owner = events[static_cast<std::size_t>(i)].data.ptr;
        if (owner == &plain_ || owner == &tls_)
          accept_all(*static_cast<int*>(owner));
        else
          serve(static_cast<Connection*>(owner));
      }
    }
  }

  // A health check that is under way looks like a session until it has said something, or ended.
  bool somebody_is_silent() const {
    return std::any_of(connections_.begin(), connections_.end(),
                       [](const auto& each) { return each.first->bytes_in == 0 && !each.first->check; });
  }

  // What was done for clients, with what is under way.
  Journal done() const {
    Journal all = journal_;
    for (const auto& [connection, owned] : connections_) account(*connection, all);
    return all;
  }

  std::uint16_t plain_port = 0;
  std::uint16_t tls_port = 0;

 private:
  int listen_on_loopback(std::uint16_t& port);
  void accept_all(const int& listener);
  void serve(Connection* connection);
  bool progress(Connection& connection);
  bool flush(Connection& connection);
  bool answer_next(Connection& connection);
  static std::optional<Verb> command_of(Connection& connection, std::string_view line);
  bool await_writable(Connection& connection, bool wanted);
  static void account(const Connection& connection, Journal& journal);

  void tell_of_new_mail();

  Journal journal_;
  ContextPtr context_;
  std::set<Connection*> idlers_;
  Connection* last_told_ = nullptr;  // of the idlers; it may be gone
  unsigned polls_ = 0;
  std::unordered_map<Connection*, std::unique_ptr<Connection>> connections_;
  int epoll_ = -1;
  int plain_ = -1;
  int tls_ = -1;
  std::vector<char> scratch_ = std::vector<char>(std::size_t{64} * 1024);
};

int Server::listen_on_loopback(std::uint16_t& port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (fd < 0 || bind(fd, generic, size) != 0 || listen(fd, 4096) != 0 || getsockname(fd, generic, &size) != 0)
    throw std::runtime_error(std::string("cannot listen on loopback: ") + std::strerror(errno));
  port = ntohs(address.sin_port);
  int& owner = &port == &plain_port ? plain_ : tls_;
  epoll_event event{.events = EPOLLIN, .data = {.ptr = &owner}};
  epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  return fd;
}

void Server::accept_all(const int& listener) {
  for (;;) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return;
      throw std::runtime_error(std::string("accept failed: ") + std::strerror(errno));
    }
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    SslPtr ssl;
    if (&listener == &tls_) {
      ssl.reset(SSL_new(context_.get()));
      SSL_set_accept_state(ssl.get());
    }
    auto owned = std::make_unique<Connection>(fd, std::move(ssl));
    Connection* const connection = owned.get();
    connections_.emplace(connection, std::move(owned));
    epoll_event event{.events = EPOLLIN, .data = {.ptr = connection}};
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) throw std::runtime_error("epoll takes no more");
    if (!connection->stream.ssl) serve(connection);  // the server speaks first
  }
}

// One event: owns the end of the connection. Each descriptor has one entry in epoll, so at most one event per batch.
void Server::serve(Connection* connection) {
  if (progress(*connection)) return;
  account(*connection, journal_);
  idlers_.erase(connection);
  connections_.erase(connection);
}

// False: the connection is over.
bool Server::progress(Connection& connection) {
  if (!connection.greeted) {
    const Stream::Status status = connection.stream.handshake();
    if (status == Stream::Status::want_read) return await_writable(connection, false);
    if (status == Stream::Status::want_write) return await_writable(connection, true);
    if (status != Stream::Status::done) return ++journal_.broken, false;
    connection.greeted = true;
    connection.tail = greeting();
  }
  for (bool drained = false;;) {
    if (!flush(connection)) return false;
    if (connection.awaits_writable) return true;  // nothing is read before the answer has left
    if (connection.last_answer) return connection.stream.finish(), false;
    if (answer_next(connection)) continue;
    if (drained) return true;
    const Stream::Result result = connection.stream.read(scratch_);
    if (result.status == Stream::Status::want_read) return true;
    if (result.status == Stream::Status::want_write) return await_writable(connection, true);
    if (result.status != Stream::Status::done) {
      journal_.broken += result.status == Stream::Status::broken ? 1 : 0;
      if (result.status == Stream::Status::closed) connection.stream.finish();
      return false;
    }
    connection.bytes_in += result.count;
    connection.input.append(scratch_.data(), result.count);
    drained = result.count < scratch_.size() && !connection.stream.buffered();
  }
}

// Sends what is pending. False: the connection is over.
bool Server::flush(Connection& connection) {
  while (!connection.body.empty() || connection.tail_sent < connection.tail.size()) {
    const bool in_body = !connection.body.empty();
    const std::string_view octets =
        in_body ? connection.body : std::string_view(connection.tail).substr(connection.tail_sent);
    const Stream::Result result = connection.stream.write(octets, in_body);
    if (result.status == Stream::Status::want_write) return await_writable(connection, true);
    if (result.status != Stream::Status::done) return ++journal_.broken, false;
    connection.bytes_out += result.count;
    if (in_body)
      connection.body.remove_prefix(result.count);
    else
      connection.tail_sent += result.count;
  }
  return await_writable(connection, false);
}

// The command that is complete with this line. What nginx mail and the server say to each other up to the login is
// hidden from the client: it is counted as if the client itself had logged in and had seen nothing before.
std::optional<Verb> Server::command_of(Connection& connection, std::string_view line) {
  if (connection.login_lines > 0) {
    if (line != kLoginLines[connection.login_lines++]) connection.login_lines = 0;
    if (connection.login_lines < std::size(kLoginLines)) return std::nullopt;
    connection.login_lines = 0;
    connection.bytes_out = 0;
    connection.bytes_in = connection.tag.size() + 1 + exchange(Verb::login).command.size() + 2;
    return Verb::login;
  }
  if (const std::optional<Verb> untagged = verb_of(line)) return untagged;  // DONE
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  connection.tag = line.substr(0, space);
  if (line.substr(space + 1) == kLoginLines[0]) connection.login_lines = 1;
  return verb_of(line.substr(space + 1));
}

// Takes the next whole line from the input and makes its answer. False: there is none.
bool Server::answer_next(Connection& connection) {
  const std::size_t end = connection.input.find("\r\n");
  if (end == std::string::npos) {
    if (connection.input.size() > kMaxLine) throw std::runtime_error("a command line is longer than 4096 octets");
    return false;
  }
  const std::string_view line = std::string_view(connection.input).substr(0, end);
  const std::optional<Verb> verb = command_of(connection, line);
  connection.tail.clear();
  connection.tail_sent = 0;
  if (verb) {
    const Exchange& answer = exchange(*verb);
    // A short body leaves together with its tagged line, as real servers' output buffers have it.
    if (answer.body.size() > 8192)
      connection.body = answer.body;
    else
      connection.tail = answer.body;
    if (!answer.completion.empty()) connection.tail.append(connection.tag).append(" ").append(answer.completion);
    connection.last_answer = *verb == Verb::logout;
    connection.check = connection.tag == "check";
    if (*verb == Verb::idle) idlers_.insert(&connection);
    if (*verb == Verb::done) idlers_.erase(&connection);
    if (*verb == Verb::status && ++polls_ % 2 == 0) tell_of_new_mail();
  } else if (connection.login_lines > 0) {
    connection.tail = "+ OK\r\n";
  } else {
    connection.tail = connection.tag + " BAD Not a command of this benchmark.\r\n";
    ++journal_.unknown_commands;
  }
  connection.input.erase(0, end + 2);
  ++journal_.commands;
  return true;
}

// Each of those in IDLE has its turn. One that takes nothing more, or that is over, is not told.
void Server::tell_of_new_mail() {
  if (idlers_.empty()) return;
  auto next = idlers_.upper_bound(last_told_);
  if (next == idlers_.end()) next = idlers_.begin();
  Connection& idler = **next;
  last_told_ = &idler;
  if (!idler.body.empty() || idler.tail_sent < idler.tail.size()) return;
  idler.tail = new_mail();
  idler.tail_sent = 0;
  flush(idler);  // where this fails, an event of its own ends it
}

bool Server::await_writable(Connection& connection, bool wanted) {
  if (connection.awaits_writable == wanted) return true;
  connection.awaits_writable = wanted;
  epoll_event event{.events = wanted ? EPOLLOUT : EPOLLIN, .data = {.ptr = &connection}};
  return epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.stream.fd, &event) == 0;
}

void Server::account(const Connection& connection, Journal& journal) {
  if (connection.check) {
    ++journal.checks;
    return;
  }
  ++journal.accepted;
  journal.bytes_in += connection.bytes_in;
  journal.bytes_out += connection.bytes_out;
  SSL* const ssl = connection.stream.ssl.get();
  if (ssl == nullptr || !connection.greeted) return;
  ++journal.handshakes;
  journal.resumed += SSL_session_reused(ssl) == 1 ? 1 : 0;
  if (journal.cipher.empty()) journal.cipher = SSL_get_cipher_name(ssl);
}

int serve_until_terminated(const std::string& cert, const std::string& key) {
  Server server(server_context(cert, key));
  static_cast<void>(greeting());
  static_cast<void>(exchange(Verb::noop));  // makes the answers now, not under the first command
  std::printf("ready plain=%d tls=%d\n", server.plain_port, server.tls_port);
  std::fflush(stdout);
  server.run();
  const Journal j = server.done();
  const nlohmann::json report = {
      {"accepted", j.accepted}, {"checks", j.checks},       {"handshakes", j.handshakes},
      {"resumed", j.resumed},   {"commands", j.commands},   {"broken", j.broken},
      {"bytes_in", j.bytes_in}, {"bytes_out", j.bytes_out}, {"unknown_commands", j.unknown_commands},
      {"cipher", j.cipher}};
  std::cout << report.dump() << std::endl;
  return 0;
}

}  // namespace
}  // namespace imapmeter::bench

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  struct sigaction stop {};
  stop.sa_handler = [](int) { imapmeter::bench::g_stop = 1; };  // without SA_RESTART: epoll_wait returns
  sigaction(SIGTERM, &stop, nullptr);
  std::string cert;
  std::string key;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::string_view(argv[i]) == "--cert") cert = argv[i + 1];
    if (std::string_view(argv[i]) == "--key") key = argv[i + 1];
  }
  try {
    return imapmeter::bench::serve_until_terminated(cert, key);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_server: %s\n", error.what());
    return 1;
  }
}
