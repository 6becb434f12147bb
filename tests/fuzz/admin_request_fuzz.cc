// The HTTP listener on a socket that it never leaves: whatever arrives, in whatever pieces, it gives one well-formed
// answer or none, and closes. The answer is the same at any cut, but that octets after the header may come too late to
// be refused, that what is wrong in a header without end may be noticed or not, and that a header can be wrong in two
// ways.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "metrics/http_listener.h"
#include "tests/fuzz/fuzzing.h"
#include "tests/metrics/drive.h"

namespace imapmeter::fuzz {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t header_octets = 512;  // so that inputs come beyond it
constexpr std::string_view header_end = "\r\n\r\n";

// Listens on an address of the kernel's choice that no file system knows.
class Server {
 public:
  Server() { listener_.start(); }

  // What the client reads until the connection is closed, having sent pieces and then an end.
  std::string ask(std::initializer_list<std::string_view> pieces) {
    const int client = connect();
    for (const std::string_view piece : pieces) {
      if (piece.empty()) continue;
      if (send(client, piece.data(), piece.size(), MSG_NOSIGNAL) < 0) break;  // it has answered and gone
      run();
    }
    shutdown(client, SHUT_WR);
    run();
    std::string answer = read_all(client);
    close(client);
    run();
    return answer;
  }

 private:
  void run() {
    context_.restart();
    context_.poll();
  }

  metrics::BoundAddress bind() {
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&address_), sizeof(sa_family_t)) == 0);
    REQUIRE(listen(fd, 16) == 0);
    size_ = sizeof address_;
    REQUIRE(getsockname(fd, reinterpret_cast<sockaddr*>(&address_), &size_) == 0);
    metrics::StreamAcceptor acceptor(context_, boost::asio::generic::stream_protocol(AF_UNIX, 0), fd);
    acceptor.non_blocking(true);
    return {.acceptor = std::move(acceptor), .text = {}, .unix_path = {}, .local = true};
  }

  int connect() const {
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    REQUIRE(::connect(fd, reinterpret_cast<const sockaddr*>(&address_), size_) == 0);
    return fd;
  }

  static std::string read_all(int client) {
    std::string all;
    char room[4096];
    ssize_t got = 0;
    while ((got = recv(client, room, sizeof room, 0)) > 0) all.append(room, static_cast<std::size_t>(got));
    REQUIRE(got == 0 || errno == ECONNRESET);  // else it was not closed
    return all;
  }

  boost::asio::io_context context_{1};
  sockaddr_un address_{.sun_family = AF_UNIX, .sun_path = {}};
  socklen_t size_ = 0;
  metrics::Metrics metrics_{metrics::one_listener(), 1, metrics::build()};
  metrics::Pages pages_{metrics_, [] { return true; }};
  metrics::DescriptorReserve reserve_{1};
  metrics::AdminLimits limits_{.header_octets = header_octets, .request_timeout = 1h, .write_timeout = 1h};
  metrics::HttpListener listener_{context_, bind(), metrics::Exposure::local, pages_, reserve_, limits_};
};

// The text of a field; empty where there is none.
std::string_view field(std::string_view header, std::string_view name) {
  const std::size_t at = header.find("\r\n" + std::string(name) + ": ");
  if (at == std::string_view::npos) return {};
  header.remove_prefix(at + name.size() + 4);
  return header.substr(0, header.find('\r'));
}

// The status; 0 where there was no answer.
int check(std::string_view wire, std::string_view answer) {
  if (answer.empty()) return 0;
  REQUIRE(answer.starts_with("HTTP/1.1 ") && answer.find(header_end) != std::string_view::npos);
  const std::string_view header = answer.substr(0, answer.find(header_end) + 2);
  const std::string_view body = answer.substr(header.size() + 2);
  const int status = std::atoi(header.data() + 9);
  REQUIRE(status >= 200 && status < 600);
  REQUIRE(field(header, "Connection") == "close");
  REQUIRE(field(header, "Cache-Control") == "no-store");
  const bool asked = wire.starts_with("GET ") || wire.starts_with("HEAD ");
  REQUIRE(status != 200 || (asked && wire.find(header_end) != std::string_view::npos));
  REQUIRE(status != 200 || wire.find(header_end) + header_end.size() <= header_octets);
  const bool has_body = !(wire.starts_with("HEAD ") && body.empty());
  REQUIRE(!has_body || field(header, "Content-Length") == std::to_string(body.size()));
  return status;
}

// What a header can be: wrong, or too large, or both.
bool is_wrong(int status) { return status == 400 || status == 431; }

}  // namespace
}  // namespace imapmeter::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace imapmeter::fuzz;
  static Server server;
  const Input input(data, size);
  const int whole = check(input.wire, server.ask({input.wire}));
  // a system call for each octet would take too long
  const std::string_view first = input.wire.substr(0, input.wire.size() * input.options / 256);
  const std::string_view rest = input.wire.substr(first.size());
  const std::size_t second = rest.size() * input.seed / 256;
  const int cut = check(input.wire, server.ask({first, rest.substr(0, second), rest.substr(second)}));
  if (whole == cut) return 0;
  const std::size_t end = input.wire.find(header_end);
  const bool octets_follow = end != std::string_view::npos && end + header_end.size() < input.wire.size();
  if (is_wrong(whole) && is_wrong(cut)) return 0;
  if (end == std::string_view::npos && (is_wrong(whole) || is_wrong(cut)) && (whole == 0 || cut == 0)) return 0;
  if (octets_follow && whole == 400) return 0;
  std::fprintf(stderr, "whole: %d, cut: %d\n", whole, cut);
  REQUIRE(whole == cut);
  return 0;
}
