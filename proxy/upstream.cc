#include "proxy/upstream.h"

#include <algorithm>
#include <cstring>

#include "proxy/log.h"

namespace imapmeter::proxy {
namespace {

constexpr std::chrono::seconds refresh{30};
constexpr std::chrono::seconds retry{2};

bool same(const SocketAddress& a, const SocketAddress& b) noexcept {
  return a.size == b.size && std::memcmp(&a.storage, &b.storage, a.size) == 0;
}

}  // namespace

NameLookup::NameLookup(boost::asio::io_context& context, config::Address server, Changed changed)
    : resolver_(context), timer_(context), server_(std::move(server)), changed_(std::move(changed)) {}

void NameLookup::start() {
  if (server_.is_unix()) {
    tried_ = true;
    return changed_({unix_address(server_.path)});
  }
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(server_.host, error);
  if (error) return look_up();
  const boost::asio::ip::tcp::endpoint endpoint(address, server_.port);
  SocketAddress fixed;
  fixed.size = static_cast<socklen_t>(endpoint.size());
  std::memcpy(&fixed.storage, endpoint.data(), endpoint.size());
  tried_ = true;
  changed_({fixed});
}

void NameLookup::stop() {
  resolver_.cancel();
  timer_.cancel();
}

void NameLookup::look_up() {
  resolver_.async_resolve(server_.host, std::to_string(server_.port),
                          [this](const boost::system::error_code& error, const Results& results) {
                            if (error != boost::asio::error::operation_aborted) done(error, results);
                          });
}

void NameLookup::done(const boost::system::error_code& error, const Results& results) {
  tried_ = true;
  std::vector<SocketAddress> found;
  for (const auto& entry : results) {
    SocketAddress address;
    address.size = static_cast<socklen_t>(entry.endpoint().size());
    std::memcpy(&address.storage, entry.endpoint().data(), entry.endpoint().size());
    found.push_back(address);
  }
  if (error || found.empty())
    log_warning("upstream server {}: the name cannot be looked up: {}{}", config::to_string(server_), error.message(),
                last_.empty() ? "" : "; the last good addresses stay in use");
  else if (!std::equal(found.begin(), found.end(), last_.begin(), last_.end(), same))
    changed_(last_ = found);
  timer_.expires_after(last_.empty() ? retry : refresh);
  timer_.async_wait([this](const boost::system::error_code& stopped) {
    if (!stopped) look_up();
  });
}

}  // namespace imapmeter::proxy
