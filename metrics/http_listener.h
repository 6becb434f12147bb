// One HTTP listener: accepts within its limits, reads one request per connection, answers, closes.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <list>
#include <memory>
#include <string>

#include "metrics/admin_server.h"
#include "metrics/bind.h"
#include "metrics/descriptor_reserve.h"
#include "metrics/pages.h"
#include "metrics/scrape_limiter.h"

namespace imapmeter::metrics {

class HttpConnection;

// Lives on the HTTP thread. `pages`, `reserve` and `limits` outlive it.
class HttpListener {
 public:
  HttpListener(boost::asio::io_context& context, BoundAddress bound, Exposure exposure, const Pages& pages,
               DescriptorReserve& reserve, const AdminLimits& limits);
  ~HttpListener();
  HttpListener(const HttpListener&) = delete;
  HttpListener& operator=(const HttpListener&) = delete;

  // Again after anything was thrown: what was being waited for is waited for anew.
  void start();
  const std::string& address() const { return bound_.text; }

 private:
  friend class HttpConnection;
  using Socket = boost::asio::generic::stream_protocol::socket;
  using Endpoint = boost::asio::generic::stream_protocol::endpoint;

  void drop_stranded();
  void wait();
  void accept_waiting();
  Socket accept(Endpoint& peer, boost::system::error_code& error);
  void back_off();
  void admit(Socket socket, const Endpoint& peer);
  void make_room();
  void remove(const HttpConnection& connection);

  BoundAddress bound_;
  Exposure exposure_;
  const Pages& pages_;
  DescriptorReserve& reserve_;
  const AdminLimits& limits_;
  ScrapeLimiter limiter_;
  boost::asio::steady_timer backoff_;
  std::list<std::shared_ptr<HttpConnection>> connections_;  // oldest first
};

}  // namespace imapmeter::metrics
