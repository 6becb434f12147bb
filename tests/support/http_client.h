// A socket that sends octets to an HTTP server exactly as told, and reads what comes back.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace imapmeter::test {

struct HttpAnswer {
  int status = 0;    // 0: the connection ended without a status line
  std::string head;  // status line and fields, without the empty line
  std::string body;

  // The value of a field, empty where there is none; `name` as it is written.
  std::string field(const std::string& name) const;
};

class HttpClient {
 public:
  // Makes the socket only. `receive_buffer` 0: the system's default.
  explicit HttpClient(int family, int receive_buffer = 0);
  // Connected to "127.0.0.1:80", "unix:/path"; `from`: an own IPv4 address.
  explicit HttpClient(const std::string& address, const std::string& from = "", int receive_buffer = 0);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  void connect(const std::string& address);
  // False where the peer has closed.
  bool send(std::string_view octets);
  void end_of_output();
  // Everything up to the end of the connection, at most 10 s.
  HttpAnswer read();
  // Whether the peer ends the connection, or resets it, within `time`, reading nothing but its end.
  bool closed_within(std::chrono::milliseconds time);
  // Whether there is something to read within `time`.
  bool readable_within(std::chrono::milliseconds time);

 private:
  int fd_ = -1;
};

// One request on its own connection.
HttpAnswer http(const std::string& address, std::string_view octets);
HttpAnswer http_get(const std::string& address, const std::string& target, const std::string& fields = "");

}  // namespace imapmeter::test
