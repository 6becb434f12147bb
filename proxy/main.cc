// The composition root: arguments -> settings -> metrics -> server -> wait -> drain.
#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/version.hpp>
#include <csignal>
#include <cstdio>
#include <exception>
#include <fstream>
#include <list>
#include <stdexcept>
#include <thread>

#include "config/args.h"
#include "metrics/admin_server.h"
#include "metrics/metrics.h"
#include "metrics/opaque_watch.h"
#include "metrics/top.h"
#include "metrics/why.h"
#include "proxy/health_check.h"
#include "proxy/log.h"
#include "proxy/observer_pair.h"
#include "proxy/privileges.h"
#include "proxy/replay.h"
#include "proxy/server.h"
#include "proxy/session_log.h"
#include "proxy/tls_memory.h"
#include "proxy/upstream.h"

namespace imapmeter {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::seconds watch_interval{1};
constexpr std::chrono::milliseconds retry{100};  // where there was no memory
constexpr std::size_t sessions_shown = 1000;
constexpr std::chrono::seconds worker_patience{1};  // of the session table
constexpr std::chrono::seconds longest_end{3};      // of a drained process
constexpr std::chrono::seconds first_lookup{5};     // then it starts all the same, and the look-ups go on

// Passwords pass through this process: no core file, no ptrace by others of the same user, no new privileges.
void harden_process() {
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  std::signal(SIGPIPE, SIG_IGN);
}

// Started without one of the standard streams, the next descriptor, a peer's, would get its number, and the log. Only
// to be read: what is written there is refused, and counted as such.
void open_standard_streams() {
  int fd = 0;
  do fd = open("/dev/null", O_RDONLY);
  while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd >= 0) close(fd);
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

metrics::BuildInfo build_info() {
  return {IMAPMETER_VERSION, IMAPMETER_REVISION, OpenSSL_version(OPENSSL_VERSION_STRING), BOOST_LIB_VERSION};
}

// Everything that runs on the control thread: look-ups, health checks, signals, the drain's clock.
class Control {
 public:
  Control(const config::Config& config, proxy::Server& server, metrics::Metrics& metrics)
      : config_(config),
        server_(server),
        metrics_(metrics),
        signals_(context_, SIGTERM, SIGINT, SIGHUP),
        timer_(context_),
        ticket_timer_(context_),
        watch_timer_(context_),
        step_timer_(context_) {
    for (std::size_t upstream = 0; upstream < config.upstreams.size(); ++upstream) {
      const auto& servers = config.upstreams[upstream].servers;
      for (std::size_t number = 0; number < servers.size(); ++number)
        lookups_.emplace_back(context_, servers[number],
                              [this, upstream, number](std::vector<proxy::SocketAddress> addresses) {
                                server_.set_addresses(upstream, number, std::move(addresses));
                              });
      const config::HealthCheck& settings = config.upstreams[upstream].health_check;
      for (std::size_t number = 0; settings.interval.count() != 0 && number < servers.size(); ++number)
        health_checks_.emplace_back(context_, health_buffers_, server.upstream(upstream), number, settings,
                                    [&metrics, upstream, number](bool succeeded, bool up) {
                                      metrics.note_health_check(upstream, number, succeeded, up);
                                    });
    }
  }

  // A session never waits for a name: give the first look-ups a moment before there are sessions.
  void look_up_names() {
    for (proxy::NameLookup& each : lookups_) each.start();
    const auto until = std::chrono::steady_clock::now() + first_lookup;
    const auto pending = [this] {
      for (const proxy::NameLookup& each : lookups_)
        if (!each.tried()) return true;
      return false;
    };
    while (pending() && std::chrono::steady_clock::now() < until) context_.run_one_until(until);
  }

  // Returns when the last session of a drain is gone.
  void run() {
    for (;;) {
      try {
        await_everything();
        context_.restart();
        context_.run();
        return;
      } catch (const std::bad_alloc&) {
        proxy::log_limited(proxy::LogClass::internal, "no memory for the control thread; it tries again");
        std::this_thread::sleep_for(retry);
      }
    }
  }

  std::atomic<bool> draining{false};

 private:
  // Anew where something was waited for already.
  void await_everything() {
    signals_.cancel();
    await_signal();
    await_rotation();
    await_watch();
    await_step();
    for (proxy::HealthCheck& each : health_checks_) each.start();
  }

  void await_signal() {
    signals_.async_wait([this](const boost::system::error_code& error, int signal) {
      if (error) return;
      if (signal == SIGHUP)
        refuse_reload();
      else if (draining.exchange(true))
        server_.force();
      else
        drain();
      await_signal();
    });
  }

  void refuse_reload() {
    metrics_.note_reload(false);
    proxy::log_limited(proxy::LogClass::signal,
                       "SIGHUP: this version does not reload its configuration; restart it instead");
  }

  void await_rotation() {
    ticket_timer_.expires_after(proxy::TicketKeys::rotation);
    ticket_timer_.async_wait([this](const boost::system::error_code& error) {
      if (error) return;
      server_.rotate_ticket_keys();
      await_rotation();
    });
  }

  void await_watch() {
    watch_timer_.expires_after(watch_interval);
    watch_timer_.async_wait([this](const boost::system::error_code& error) {
      if (error) return;
      server_.watch_memory();
      await_watch();
    });
  }

  void await_step() {
    step_timer_.expires_after(metrics::History::step);
    step_timer_.async_wait([this](const boost::system::error_code& error) {
      if (error) return;
      const metrics::Snapshot snapshot = metrics_.snapshot();
      metrics_.step(snapshot);
      for (const std::string& each : opaque_watch_.look(snapshot, std::chrono::steady_clock::now()))
        proxy::log_warning("{}", each);
      await_step();
    });
  }

  void drain() {
    const auto limit = config_.timeouts.drain;
    proxy::log_info("draining, for at most {} ms", limit.count());
    timer_.expires_after(limit);
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error) server_.force();
    });
    server_.drain(limit / 2, [this] { asio::post(context_, [this] { context_.stop(); }); });
    metrics_.events().note({"drain"});  // last: where there is no memory for it, the drain has begun
  }

  const config::Config& config_;
  proxy::Server& server_;
  metrics::Metrics& metrics_;
  metrics::OpaqueWatch opaque_watch_;
  asio::io_context context_;
  asio::signal_set signals_;
  asio::steady_timer timer_;
  asio::steady_timer ticket_timer_;
  asio::steady_timer watch_timer_;
  asio::steady_timer step_timer_;
  std::list<proxy::NameLookup> lookups_;
  proxy::ThreadBuffers health_buffers_;
  std::list<proxy::HealthCheck> health_checks_;
};

// imapmeter_limit: what is in force. A limit that is off has no series.
void tell_limits(const config::Config& config, const proxy::Server& server, metrics::Metrics& metrics) {
  const auto tell = [&metrics](const std::string& listener, const char* limit, std::uint64_t value) {
    if (value != 0) metrics.set_limit(listener, limit, value);
  };
  tell("all", "sessions", server.session_limit());
  tell("all", "sessions_per_network", config.limits.sessions_per_network);
  tell("all", "sessions_per_upstream", config.limits.sessions_per_upstream);
  tell("all", "relay_buffer_bytes", config.limits.relay_buffers);
  tell("all", "memory_bytes", server.memory_limit());
  for (const config::Listener& each : config.listeners) {
    if (each.tls == config::Tls::none) continue;
    tell(each.name, "handshakes", config.limits.handshakes);
    tell(each.name, "handshakes_per_second", config.limits.handshakes_per_second);
  }
}

proxy::OpenSessions open_sessions(proxy::Server& server, const proxy::SessionLogShared& log) {
  proxy::OpenSessions open = server.open_sessions(sessions_shown, worker_patience);
  for (proxy::OpenSession& each : open.shown) each.client_text = log.client_text(each.client);
  return open;
}

// What the sessions of one worker and listener are told to: first counted, then logged.
struct Audience {
  Audience(const config::Config& config, std::size_t listener, metrics::Shard& shard, proxy::SessionLogShared& shared)
      : log(config, listener, shared), both(shard, log) {}

  proxy::SessionLog log;
  proxy::ObserverPair<metrics::Shard, proxy::SessionLog> both;
};

void print_ready(const config::Config& config, const proxy::Server& server, const metrics::AdminServer& admin) {
  std::string line = "ready";
  if (!admin.admin_address().empty()) line += " admin=" + admin.admin_address();
  if (!admin.metrics_address().empty()) line += " metrics=" + admin.metrics_address();
  for (const auto& each : server.addresses())
    line += " listener=" + config.listeners[each.listener].name + " address=" + each.text;
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

// The sessions are gone. What is left may hang for reasons of its own: a log that nobody reads, a resolver that waits
// for a dead name server.
void end_within(std::chrono::seconds limit, int status) {
  std::thread([limit, status] {
    std::this_thread::sleep_for(limit);
    _exit(status);
  }).detach();
}

int serve(const config::Config& config, const std::vector<std::string>& warnings) {
  raise_descriptor_limit();
  const unsigned workers = config.workers == 0 ? proxy::default_workers() : config.workers;
  metrics::Metrics metrics(config, workers, build_info());
  metrics.ask_for_dropped_lines(proxy::log_lines_dropped);
  proxy::SessionLogShared session_log(config);
  std::list<Audience> audiences;
  proxy::Server server(config, workers, [&](unsigned worker, std::size_t listener) {
    metrics::Shard& shard = metrics.shard(worker, listener);
    return proxy::Observers{&audiences.emplace_back(config, listener, shard, session_log).both, &shard};
  });
  for (std::size_t listener = 0; listener < config.listeners.size(); ++listener)
    for (const proxy::ServedCertificate& each : server.certificates(listener))
      metrics.set_certificate_expiry(listener, each.name, each.not_after);

  Control control(config, server, metrics);
  metrics::AdminServer admin(config.metrics, config.admin, metrics, [&control] { return !control.draining.load(); });
  for (const std::string& each : warnings) proxy::log_warning("{}", each);

  control.look_up_names();
  server.start();
  metrics.events().note({"start"});
  tell_limits(config, server, metrics);
  metrics.set_open_sessions([&] { return open_sessions(server, session_log); });
  metrics.set_relay_buffers([&server] { return server.relay_buffer_bytes(); });
  admin.start();
  print_ready(config, server, admin);
  control.run();

  const std::size_t forced = server.join();
  const int status = forced == 0 ? 0 : 1;
  end_within(longest_end, status);
  if (forced != 0) proxy::log_warning("the drain's time is up: {} sessions were cut", forced);
  admin.stop();
  return status;
}

// --check: whether the files that the settings name hold what they should. A self-signed certificate is not made.
int check(const config::Invocation& invocation) {
  proxy::start_log(invocation.config.log_level);
  try {
    proxy::TicketKeys keys;
    for (const config::Listener& each : invocation.config.listeners)
      if (!each.certificates.empty()) proxy::make_server_tls(each, keys);
    for (const config::Upstream& each : invocation.config.upstreams)
      if (each.tls != config::Tls::none) proxy::make_client_context(each);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "imapmeter: %s\n", error.what());
    return config::usage_error;
  }
  proxy::stop_log();
  std::fputs(invocation.output.c_str(), stdout);
  return 0;
}

int why(const config::Invocation& invocation) {
  const std::string id = invocation.arguments.empty() ? "" : invocation.arguments.front();
  std::fputs(metrics::why(invocation.config.admin, id).c_str(), stdout);
  return 0;
}

// Each file is a session of its own; what they hold is counted together.
int replay(const config::Invocation& invocation) {
  config::Config config;
  config.listeners.emplace_back();
  metrics::Metrics metrics(config, 1, build_info());
  metrics::Shard& shard = metrics.shard(0, 0);
  for (const std::string& name : invocation.arguments) {
    std::ifstream file(name);
    if (!file) throw std::runtime_error(name + ": cannot be read");
    try {
      proxy::replay(file, shard);
    } catch (const std::runtime_error& error) {
      throw std::runtime_error(name + ": " + error.what());
    }
  }
  std::fputs(metrics.counted().c_str(), stdout);
  return 0;
}

int run(int argc, char** argv) {
  const config::Invocation invocation = config::parse(argc, argv);
  if (invocation.action == config::Action::check) return check(invocation);
  if (invocation.action == config::Action::why) return why(invocation);
  if (invocation.action == config::Action::top) {
    metrics::top(invocation.config.admin);
    return 0;
  }
  if (invocation.action == config::Action::replay) return replay(invocation);
  if (invocation.action != config::Action::run) {
    std::fputs(invocation.output.c_str(), invocation.status == 0 ? stdout : stderr);
    return invocation.status;
  }
  int status = 1;
  try {
    if (!invocation.config.user.empty()) proxy::become(invocation.config.user);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "imapmeter: %s\n", error.what());
    return status;
  }
  harden_process();
  proxy::keep_tls_memory();
  proxy::start_log(invocation.config.log_level);
  if (geteuid() == 0) proxy::log_warning("running as root: name a user to become (user, --user)");
  try {
    status = serve(invocation.config, invocation.warnings);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "imapmeter: %s\n", error.what());
  }
  proxy::stop_log();
  return status;
}

}  // namespace
}  // namespace imapmeter

int main(int argc, char** argv) {
  imapmeter::open_standard_streams();
  try {
    return imapmeter::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "imapmeter: %s\n", error.what());
    return 1;
  }
}
