// A listening socket from the text of an address.
#pragma once

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <string>

namespace imapmeter::metrics {

using StreamAcceptor = boost::asio::basic_socket_acceptor<boost::asio::generic::stream_protocol>;

struct BoundAddress {
  StreamAcceptor acceptor;  // listening, not blocking
  std::string text;         // with the real port
  std::string unix_path;    // to remove at the end; empty for TCP
  bool local = false;       // loopback or a unix socket: only this machine can connect
};

// `address`: host:port (a name is looked up, its first address counts) or unix:/path (made with mode 0600; one that
// nobody listens on any more is replaced). Throws std::runtime_error with a sentence for the operator.
BoundAddress bind_address(boost::asio::io_context& context, const std::string& address);

}  // namespace imapmeter::metrics
