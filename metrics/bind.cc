#include "metrics/bind.h"

#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <cstring>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "config/config.h"

namespace imapmeter::metrics {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::string_view unix_prefix = "unix:";

bool is_loopback(const asio::ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).is_loopback();
  }
  return address.is_loopback();
}

tcp::endpoint resolve(asio::io_context& context, const std::string& text) {
  const auto address = config::parse_address(text);
  if (!address) throw std::runtime_error("neither host:port nor unix:/path");
  tcp::resolver resolver(context);
  const auto flags = tcp::resolver::passive | tcp::resolver::numeric_service;
  return *resolver.resolve(address->host, std::to_string(address->port), flags).begin();
}

BoundAddress bind_tcp(asio::io_context& context, const std::string& text) {
  const tcp::endpoint endpoint = resolve(context, text);
  StreamAcceptor acceptor(context);
  acceptor.open(endpoint.protocol());
  acceptor.set_option(asio::socket_base::reuse_address(true));
  acceptor.bind(endpoint);
  acceptor.listen();

  tcp::endpoint bound;
  const auto generic = acceptor.local_endpoint();
  bound.resize(generic.size());
  std::memcpy(bound.data(), generic.data(), generic.size());
  const std::string name = config::to_string({bound.address().to_string(), bound.port()});
  return {std::move(acceptor), name, "", is_loopback(bound.address())};
}

// A socket file of a process that is gone stays behind; one that answers, and any other file, is not ours to remove.
void remove_stale(asio::io_context& context, const asio::local::stream_protocol::endpoint& endpoint) {
  struct stat info {};
  if (lstat(endpoint.path().c_str(), &info) != 0 || !S_ISSOCK(info.st_mode)) return;
  asio::local::stream_protocol::socket probe(context);
  error_code error;
  probe.connect(endpoint, error);
  if (error == asio::error::connection_refused) unlink(endpoint.path().c_str());
}

BoundAddress bind_unix(asio::io_context& context, const std::string& path) {
  const asio::local::stream_protocol::endpoint endpoint(path);
  remove_stale(context, endpoint);
  StreamAcceptor acceptor(context);
  acceptor.open(endpoint.protocol());
  acceptor.bind(endpoint);
  chmod(path.c_str(), S_IRUSR | S_IWUSR);  // before listen(): until then nobody can connect
  acceptor.listen();
  return {std::move(acceptor), std::string(unix_prefix) + path, path, true};
}

}  // namespace

BoundAddress bind_address(asio::io_context& context, const std::string& address) {
  const auto fail = [&](const std::string& reason) {
    return std::runtime_error("cannot serve HTTP on " + address + ": " + reason);
  };
  try {
    BoundAddress bound = address.starts_with(unix_prefix) ? bind_unix(context, address.substr(unix_prefix.size()))
                                                          : bind_tcp(context, address);
    bound.acceptor.non_blocking(true);
    return bound;
  } catch (const boost::system::system_error& error) {
    throw fail(error.code().message());
  } catch (const std::runtime_error& error) {
    throw fail(error.what());
  }
}

}  // namespace imapmeter::metrics
