#include "metrics/api_client.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cerrno>
#include <string_view>

#include "config/config.h"

namespace imapmeter::metrics {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using Socket = asio::generic::stream_protocol::socket;

constexpr timeval patience{.tv_sec = 10, .tv_usec = 0};  // for each step
constexpr std::string_view unix_prefix = "unix:";
constexpr std::uint64_t largest_answer = 64 << 20;

Socket::endpoint_type endpoint(asio::io_context& context, const std::string& address) {
  if (address.starts_with(unix_prefix))
    return asio::local::stream_protocol::endpoint(address.substr(unix_prefix.size()));
  const auto parsed = config::parse_address(address);
  if (!parsed) throw std::runtime_error("neither host:port nor unix:/path");
  asio::ip::tcp::resolver resolver(context);
  return resolver.resolve(parsed->host, std::to_string(parsed->port))->endpoint();
}

std::size_t checked(ssize_t octets) {
  const bool late = errno == EAGAIN || errno == EINPROGRESS;
  if (octets < 0) throw std::system_error(late ? ETIMEDOUT : errno, std::generic_category());
  return static_cast<std::size_t>(octets);
}

// Plain calls: Asio's and Beast's own for one request take half a minute to compile.
std::string get(const std::string& address, const std::string& path) {
  asio::io_context context{1};
  const Socket::endpoint_type to = endpoint(context, address);
  Socket socket(context, to.protocol());
  const int fd = socket.native_handle();
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);  // of connect, too
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  checked(connect(fd, to.data(), static_cast<socklen_t>(to.size())));
  const std::string request = "GET " + path + " HTTP/1.1\r\nHost: imapmeter\r\nConnection: close\r\n\r\n";
  checked(send(fd, request.data(), request.size(), MSG_NOSIGNAL));

  http::response_parser<http::string_body> answer;
  answer.body_limit(largest_answer);
  answer.eager(true);
  std::string unparsed;
  std::array<char, 65536> some{};
  boost::system::error_code error;
  while (!answer.is_done()) {
    const std::size_t got = checked(recv(fd, some.data(), some.size(), 0));
    if (got == 0) {
      answer.put_eof(error);
      break;
    }
    unparsed.append(some.data(), got);
    unparsed.erase(0, answer.put(asio::buffer(unparsed), error));
    if (error && error != http::error::need_more) break;
  }
  if (error && !answer.is_done()) throw std::system_error(error);
  if (answer.get().result() != http::status::ok)
    throw std::runtime_error("it answers " + std::to_string(answer.get().result_int()));
  return std::move(answer.get().body());
}

}  // namespace

std::string ask_api(const std::string& address, const std::string& path) {
  try {
    return get(address, path);
  } catch (const boost::system::system_error& error) {
    throw std::runtime_error("no answer from imapmeter on " + address + ": " + error.code().message());
  } catch (const std::system_error& error) {
    throw std::runtime_error("no answer from imapmeter on " + address + ": " + error.code().message());
  } catch (const std::exception& error) {
    throw std::runtime_error("no answer from imapmeter on " + address + ": " + error.what());
  }
}

}  // namespace imapmeter::metrics
