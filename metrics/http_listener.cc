#include "metrics/http_listener.h"

#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <cstring>
#include <optional>
#include <utility>

#include "metrics/gzip.h"

namespace imapmeter::metrics {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;

// A refused request may have more to come: it is read and thrown away up to here, since closing on unread octets
// resets the connection and takes the answer with it.
constexpr std::size_t discarded_octets = std::size_t{1} << 20;

// What a browser may do with a page. The console loads its own files and asks the API, and nothing else.
constexpr const char* page_policy = "default-src 'none'; frame-ancestors 'none'";
constexpr const char* console_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

bool is_syntax_error(const error_code& error) {
  return error.category() == http::make_error_code(http::error::bad_target).category() &&
         error != http::error::end_of_stream && error != http::error::partial_message;
}

http::status status_of(const error_code& error) {
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return http::status::request_header_fields_too_large;
  }
  return http::status::bad_request;
}

using Header = http::request_header<>;

// What a request for a page never has; an intermediary that reads such a request differently could be tricked by it.
std::optional<http::status> refusal(const Header& header, bool octets_follow) {
  if (header.method() != http::verb::get && header.method() != http::verb::head) {
    return http::status::method_not_allowed;
  }
  if (header.count(http::field::expect) != 0) return http::status::expectation_failed;
  const auto length = header.find(http::field::content_length);
  const bool body = length != header.end() && length->value() != "0";
  if (body) return http::status::payload_too_large;
  const bool one_host = header.count(http::field::host) == 1 || header.version() < 11;
  if (header.count(http::field::transfer_encoding) != 0 || octets_follow || !one_host ||
      header.count(http::field::host) > 1) {
    return http::status::bad_request;
  }
  return std::nullopt;
}

// IPv4 addresses whole, IPv6 addresses by their network of 64 bits; empty for a unix socket.
std::string address_for_limit(const asio::generic::stream_protocol::endpoint& peer) {
  if (peer.data()->sa_family != AF_INET && peer.data()->sa_family != AF_INET6) return {};
  asio::ip::tcp::endpoint endpoint;
  endpoint.resize(peer.size());
  std::memcpy(endpoint.data(), peer.data(), peer.size());
  if (endpoint.address().is_v4()) return endpoint.address().to_string();
  const auto address = endpoint.address().to_v6();
  if (address.is_v4_mapped()) return asio::ip::make_address_v4(asio::ip::v4_mapped, address).to_string();
  auto octets = address.to_bytes();
  std::fill(octets.begin() + 8, octets.end(), std::uint8_t{0});
  return asio::ip::make_address_v6(octets).to_string();
}

bool out_of_descriptors(const error_code& error) {
  return error == asio::error::no_descriptors || error == boost::system::errc::too_many_files_open_in_system;
}

}  // namespace

class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  HttpConnection(HttpListener& owner, HttpListener::Socket socket, std::string peer)
      : owner_(owner), stream_(std::move(socket)), peer_(std::move(peer)), buffer_(owner.limits_.header_octets) {}

  void start();
  // Being answered, as opposed to asking, or lingering after the answer.
  bool answering() const { return answering_; }
  // Resets the connection, unless the peer has closed it in order.
  void finish(bool in_order);

 private:
  void on_header(error_code error, std::size_t octets);
  void answer();
  void send(http::status status, Page page);
  void on_written(error_code error, std::size_t octets);
  void discard();
  void on_discarded(error_code error, std::size_t octets);

  HttpListener& owner_;
  beast::basic_stream<asio::generic::stream_protocol> stream_;
  std::string peer_;
  beast::flat_buffer buffer_;
  http::request_parser<http::empty_body> parser_;
  http::response<http::string_body> response_;
  std::array<char, 4096> discarded_{};
  std::size_t discarded_total_ = 0;
  bool answering_ = false;
  bool finished_ = false;
};

void HttpConnection::start() {
  // Whoever is dropped or too slow is reset, so that the kernel keeps nothing for him.
  error_code ignored;
  stream_.socket().set_option(asio::socket_base::linger(true, 0), ignored);
  parser_.header_limit(static_cast<std::uint32_t>(owner_.limits_.header_octets));
  parser_.body_limit(boost::none);  // refusal() says what is wrong with a body
  stream_.expires_after(owner_.limits_.request_timeout);
  http::async_read_header(stream_, buffer_, parser_,
                          beast::bind_front_handler(&HttpConnection::on_header, shared_from_this()));
}

void HttpConnection::on_header(error_code error, std::size_t octets) {
  if (finished_) return;
  // Beast's own limit leaves out what it has parsed before.
  if (!error && octets > owner_.limits_.header_octets) error = http::error::header_limit;
  if (error && !is_syntax_error(error)) return finish(error == http::error::end_of_stream);
  try {
    if (error) {
      send(status_of(error), {});
    } else {
      answer();
    }
  } catch (const std::exception&) {  // no memory: this connection only
    finish(false);
  }
}

void HttpConnection::answer() {
  const Header& header = parser_.get();
  if (const auto status = refusal(header, buffer_.size() != 0)) return send(*status, {});

  const std::string_view target(header.target().data(), header.target().size());
  const bool limited = owner_.exposure_ == Exposure::network && !peer_.empty() && path_of(target) == metrics_path;
  if (limited && !owner_.limiter_.allow(peer_, std::chrono::steady_clock::now())) {
    return send(http::status::too_many_requests, {});
  }
  Page page = owner_.pages_.get(target, owner_.exposure_);
  const auto encodings = header[http::field::accept_encoding];
  if (accepts_gzip({encodings.data(), encodings.size()})) {
    page.body = gzip(page.body);
    response_.set(http::field::content_encoding, "gzip");
  }
  const auto status = static_cast<http::status>(page.status);
  send(status, std::move(page));
}

void HttpConnection::send(http::status status, Page page) {
  answering_ = true;
  if (page.body.empty()) page.body = std::string(http::obsolete_reason(status)) + "\n";
  response_.result(status);
  response_.version(11);
  response_.set(http::field::content_type, page.type);
  response_.set(http::field::cache_control, "no-store");
  response_.set(http::field::vary, "Accept-Encoding");
  response_.set("X-Content-Type-Options", "nosniff");
  response_.set("Content-Security-Policy", page.type.starts_with("text/html") ? console_policy : page_policy);
  if (status == http::status::method_not_allowed) response_.set(http::field::allow, "GET, HEAD");
  if (status == http::status::too_many_requests) response_.set(http::field::retry_after, "1");
  response_.keep_alive(false);
  response_.set(http::field::connection, "close");
  response_.content_length(page.body.size());
  const bool head = parser_.is_header_done() && parser_.get().method() == http::verb::head;
  if (!head) response_.body() = std::move(page.body);

  stream_.expires_after(owner_.limits_.write_timeout);
  http::async_write(stream_, response_, beast::bind_front_handler(&HttpConnection::on_written, shared_from_this()));
}

void HttpConnection::on_written(error_code error, std::size_t /*octets*/) {
  if (finished_) return;
  if (error) return finish(false);
  answering_ = false;
  error_code ignored;
  stream_.socket().shutdown(asio::socket_base::shutdown_send, ignored);
  discard();
}

void HttpConnection::discard() {
  try {
    stream_.async_read_some(asio::buffer(discarded_),
                            beast::bind_front_handler(&HttpConnection::on_discarded, shared_from_this()));
  } catch (const std::bad_alloc&) {
    finish(true);
  }
}

void HttpConnection::on_discarded(error_code error, std::size_t octets) {
  if (finished_) return;
  discarded_total_ += octets;
  if (error || discarded_total_ > discarded_octets) return finish(error == asio::error::eof);
  discard();
}

void HttpConnection::finish(bool in_order) {
  if (finished_) return;
  finished_ = true;
  error_code error;
  auto socket = stream_.release_socket();
  if (socket.is_open()) {
    // What the peer has not read yet is his.
    if (in_order) socket.set_option(asio::socket_base::linger(false, 0), error);
    const int fd = socket.release(error);
    if (!error) owner_.reserve_.take(fd);
  }
  owner_.reserve_.refill();
  owner_.remove(*this);
}

HttpListener::HttpListener(asio::io_context& context, BoundAddress bound, Exposure exposure, const Pages& pages,
                           DescriptorReserve& reserve, const AdminLimits& limits)
    : bound_(std::move(bound)),
      exposure_(exposure),
      pages_(pages),
      reserve_(reserve),
      limits_(limits),
      limiter_(limits.scrapes_per_second),
      backoff_(context) {}

HttpListener::~HttpListener() {
  if (!bound_.unix_path.empty()) unlink(bound_.unix_path.c_str());
}

void HttpListener::start() {
  backoff_.cancel();
  bound_.acceptor.cancel();
  drop_stranded();
  wait();
}

// What has thrown took an operation with it: nobody else holds its connection, and no deadline would end it.
void HttpListener::drop_stranded() {
  for (auto next = connections_.begin(); next != connections_.end();) {
    const auto each = next++;
    if (each->use_count() > 1) continue;
    const auto stranded = *each;
    stranded->finish(false);
  }
}

void HttpListener::wait() {
  bound_.acceptor.async_wait(asio::socket_base::wait_read, [this](error_code error) {
    if (!error) accept_waiting();
  });
}

void HttpListener::accept_waiting() {
  for (std::size_t i = 0; i < limits_.connections; ++i) {
    error_code error;
    Endpoint peer;
    Socket socket = accept(peer, error);
    if (error == asio::error::would_block || error == asio::error::try_again) break;
    if (error == asio::error::connection_aborted || error == asio::error::interrupted) continue;
    if (error) return back_off();
    admit(std::move(socket), peer);
  }
  wait();
}

HttpListener::Socket HttpListener::accept(Endpoint& peer, error_code& error) {
  Socket socket = bound_.acceptor.accept(peer, error);
  if (!out_of_descriptors(error) || !reserve_.give()) return socket;
  return bound_.acceptor.accept(peer, error);
}

// The connection stays in the kernel's queue and would wake us again at once: never spin.
void HttpListener::back_off() {
  reserve_.refill();
  backoff_.expires_after(limits_.accept_backoff);
  backoff_.async_wait([this](error_code error) {
    if (!error) accept_waiting();
  });
}

void HttpListener::admit(Socket socket, const Endpoint& peer) {
  if (connections_.size() >= limits_.connections) make_room();
  std::shared_ptr<HttpConnection> connection;
  try {
    connection = std::make_shared<HttpConnection>(*this, std::move(socket), address_for_limit(peer));
    connections_.push_back(connection);
    connection->start();
  } catch (const std::bad_alloc&) {  // this connection only
    if (connection) connection->finish(false);
  }
}

void HttpListener::make_room() {
  const auto idle = std::find_if(connections_.begin(), connections_.end(),
                                 [](const auto& connection) { return !connection->answering(); });
  const auto victim = idle != connections_.end() ? *idle : connections_.front();
  victim->finish(false);
}

void HttpListener::remove(const HttpConnection& connection) {
  connections_.remove_if([&](const auto& each) { return each.get() == &connection; });
}

}  // namespace imapmeter::metrics
