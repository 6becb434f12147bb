// The control side of the upstreams: looks their names up, off the data path, and keeps the last good addresses.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <vector>

#include "config/config.h"
#include "proxy/net.h"

namespace imapmeter::proxy {

// One server's name. Runs on the control thread's io_context.
class NameLookup {
 public:
  // `changed` gets each new, non-empty set of addresses, in the resolver's order.
  using Changed = std::function<void(std::vector<SocketAddress>)>;
  NameLookup(boost::asio::io_context& context, config::Address server, Changed changed);
  void start();
  void stop();
  // The first look-up has ended, well or not.
  bool tried() const noexcept { return tried_; }

 private:
  using Results = boost::asio::ip::tcp::resolver::results_type;
  void look_up();
  void done(const boost::system::error_code& error, const Results& results);

  boost::asio::ip::tcp::resolver resolver_;
  boost::asio::steady_timer timer_;
  config::Address server_;
  Changed changed_;
  std::vector<SocketAddress> last_;
  bool tried_ = false;
};

}  // namespace imapmeter::proxy
