#include "metrics/api_client.h"

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <string_view>

#include "config/config.h"

namespace imapmeter::metrics {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Stream = beast::basic_stream<asio::generic::stream_protocol>;

constexpr std::chrono::seconds patience{10};
constexpr std::string_view unix_prefix = "unix:";
constexpr std::uint64_t largest_answer = 64 << 20;

Stream::endpoint_type endpoint(asio::io_context& context, const std::string& address) {
  if (address.starts_with(unix_prefix))
    return asio::local::stream_protocol::endpoint(address.substr(unix_prefix.size()));
  const auto parsed = config::parse_address(address);
  if (!parsed) throw std::runtime_error("neither host:port nor unix:/path");
  asio::ip::tcp::resolver resolver(context);
  return resolver.resolve(parsed->host, std::to_string(parsed->port))->endpoint();
}

// Runs what was started; its error is an exception.
void finish(asio::io_context& context, const boost::system::error_code& error) {
  context.restart();
  context.run();
  if (error) throw boost::system::system_error(error);
}

std::string get(const std::string& address, const std::string& path) {
  asio::io_context context{1};
  Stream stream(context);
  boost::system::error_code failed;
  const auto note = [&failed](const boost::system::error_code& error, auto&&...) { failed = error; };
  stream.expires_after(patience);
  stream.async_connect(endpoint(context, address), note);
  finish(context, failed);
  http::request<http::empty_body> request{http::verb::get, path, 11};
  request.set(http::field::host, "imapmeter");
  http::async_write(stream, request, note);
  finish(context, failed);
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> answer;
  answer.body_limit(largest_answer);
  http::async_read(stream, buffer, answer, note);
  finish(context, failed);
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
  } catch (const std::exception& error) {
    throw std::runtime_error("no answer from imapmeter on " + address + ": " + error.what());
  }
}

}  // namespace imapmeter::metrics
