#include "tests/support/http_client.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <stdexcept>
#include <system_error>

namespace imapmeter::test {
namespace {

constexpr std::string_view unix_prefix = "unix:";

void check(int result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
}

sockaddr_in ipv4(const std::string& host, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) throw std::runtime_error("not IPv4: " + host);
  return address;
}

int family_of(const std::string& address) { return address.starts_with(unix_prefix) ? AF_UNIX : AF_INET; }

}  // namespace

std::string HttpAnswer::field(const std::string& name) const {
  const auto start = head.find("\r\n" + name + ": ");
  if (start == std::string::npos) return {};
  const auto value = start + 2 + name.size() + 2;
  return head.substr(value, head.find("\r\n", value) - value);
}

HttpClient::HttpClient(int family, int receive_buffer) : fd_(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  check(fd_, "socket");
  // Before connect(): it decides the window that is offered.
  if (receive_buffer != 0) setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
}

HttpClient::HttpClient(const std::string& address, const std::string& from, int receive_buffer)
    : HttpClient(family_of(address), receive_buffer) {
  if (!from.empty()) {
    const sockaddr_in own = ipv4(from, 0);
    check(bind(fd_, reinterpret_cast<const sockaddr*>(&own), sizeof own), "bind");
  }
  connect(address);
}

HttpClient::~HttpClient() {
  if (fd_ >= 0) close(fd_);
}

void HttpClient::connect(const std::string& address) {
  if (family_of(address) == AF_UNIX) {
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    std::strncpy(to.sun_path, address.c_str() + unix_prefix.size(), sizeof to.sun_path - 1);
    return check(::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to), "connect");
  }
  const auto colon = address.rfind(':');
  const sockaddr_in to =
      ipv4(address.substr(0, colon), static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1))));
  check(::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to), "connect");
}

bool HttpClient::send(std::string_view octets) {
  while (!octets.empty()) {
    const ssize_t sent = ::send(fd_, octets.data(), octets.size(), MSG_NOSIGNAL);
    if (sent < 0) return false;
    octets.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void HttpClient::end_of_output() { shutdown(fd_, SHUT_WR); }

HttpAnswer HttpClient::read() {
  std::string all;
  std::array<char, 65536> some{};
  while (readable_within(std::chrono::seconds{10})) {
    const ssize_t size = recv(fd_, some.data(), some.size(), 0);
    if (size <= 0) break;
    all.append(some.data(), static_cast<std::size_t>(size));
  }
  HttpAnswer answer;
  const auto end = all.find("\r\n\r\n");
  if (!all.starts_with("HTTP/1.1 ") || end == std::string::npos) return answer;
  answer.status = std::stoi(all.substr(9, 3));
  answer.head = all.substr(0, end);
  answer.body = all.substr(end + 4);
  return answer;
}

bool HttpClient::closed_within(std::chrono::milliseconds time) {
  pollfd wait{fd_, POLLRDHUP, 0};
  return poll(&wait, 1, static_cast<int>(time.count())) == 1;
}

bool HttpClient::readable_within(std::chrono::milliseconds time) {
  pollfd wait{fd_, POLLIN, 0};
  return poll(&wait, 1, static_cast<int>(time.count())) == 1;
}

HttpAnswer http(const std::string& address, std::string_view octets) {
  HttpClient client(address);
  client.send(octets);
  return client.read();
}

HttpAnswer http_get(const std::string& address, const std::string& target, const std::string& fields) {
  return http(address, "GET " + target + " HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n");
}

}  // namespace imapmeter::test
