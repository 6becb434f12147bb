#include "metrics/admin_server.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <optional>
#include <thread>
#include <utility>

#include "metrics/bind.h"
#include "metrics/descriptor_reserve.h"
#include "metrics/http_listener.h"
#include "metrics/pages.h"

namespace imapmeter::metrics {

struct AdminServer::Impl {
  Impl(const Metrics& metrics, std::function<bool()> ready, const AdminLimits& limits)
      : limits(limits), pages(metrics, std::move(ready)), reserve(limits.spare_descriptors) {}

  void listen(std::optional<HttpListener>& listener, BoundAddress bound, Exposure exposure) {
    listener.emplace(context, std::move(bound), exposure, pages, reserve, limits);
  }
  void run();

  const AdminLimits limits;
  Pages pages;
  DescriptorReserve reserve;
  boost::asio::io_context context{1};
  // Where nothing is waited for, after an exception, run() would return and the context be stopped for good.
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> until_stopped{context.get_executor()};
  std::optional<HttpListener> metrics_listener;
  std::optional<HttpListener> admin_listener;
  std::string metrics_address;
  std::string admin_address;
  std::thread thread;
};

void AdminServer::Impl::run() {
  for (;;) {
    try {
      if (metrics_listener) metrics_listener->start();
      if (admin_listener) admin_listener->start();
      context.run();
      return;
    } catch (const std::exception&) {
      // No memory, most likely: what was being served is lost, the relay and the next request are not.
      std::this_thread::sleep_for(limits.accept_backoff);
    }
  }
}

AdminServer::AdminServer(const std::string& metrics, const std::string& admin, const Metrics& metrics_source,
                         std::function<bool()> ready, const AdminLimits& limits)
    : impl_(std::make_unique<Impl>(metrics_source, std::move(ready), limits)) {
  if (!metrics.empty()) {
    impl_->listen(impl_->metrics_listener, bind_address(impl_->context, metrics), Exposure::network);
    impl_->metrics_address = impl_->metrics_listener->address();
  }
  if (admin.empty() || admin == "none") return;
  BoundAddress bound = bind_address(impl_->context, admin);
  const bool local = bound.local;
  impl_->listen(impl_->admin_listener, std::move(bound), local ? Exposure::local : Exposure::network);
  impl_->admin_address = impl_->admin_listener->address();
}

AdminServer::~AdminServer() { stop(); }

void AdminServer::start() {
  impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
}

void AdminServer::stop() {
  impl_->context.stop();
  if (impl_->thread.joinable()) impl_->thread.join();
  impl_->metrics_listener.reset();
  impl_->admin_listener.reset();
}

const std::string& AdminServer::metrics_address() const { return impl_->metrics_address; }
const std::string& AdminServer::admin_address() const { return impl_->admin_address; }

}  // namespace imapmeter::metrics
