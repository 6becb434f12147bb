#include "proxy/server.h"

#include <malloc.h>
#include <openssl/rand.h>
#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <stdexcept>

#include "proxy/log.h"
#include "proxy/tls_memory.h"

namespace imapmeter::proxy {
namespace {

constexpr std::size_t spare_descriptors = 16;  // for scrapes, certificates, look-ups
constexpr unsigned most_workers = 4;

std::size_t index_of(const std::vector<config::Upstream>& upstreams, const std::string& name) {
  const auto found = std::find_if(upstreams.begin(), upstreams.end(), [&](const auto& u) { return u.name == name; });
  if (found == upstreams.end()) throw std::runtime_error("no upstream is named " + name);
  return static_cast<std::size_t>(found - upstreams.begin());
}

// Then an IPv6 address must leave IPv4 to the other.
bool shares_port_with_ipv4(const config::Address& bind, const config::Config& config) {
  for (const config::Listener& listener : config.listeners)
    for (const config::Address& other : listener.binds)
      if (other.port == bind.port && bind.port != 0 && !other.is_unix() && other.host.find(':') == std::string::npos)
        return true;
  return false;
}

std::uint64_t random_key() {
  std::uint64_t key = 0;
  if (RAND_bytes(reinterpret_cast<unsigned char*>(&key), sizeof key) != 1) throw std::runtime_error("no random octets");
  return key;
}

// How many sessions the open-files limit suffices for: two descriptors each, after those that are open now.
std::size_t sessions_by_descriptors() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const std::filesystem::directory_iterator open("/proc/self/fd");
  const auto in_use = static_cast<std::size_t>(std::distance(begin(open), end(open)));
  const std::size_t taken = in_use + spare_descriptors;
  return limit.rlim_cur > taken ? (limit.rlim_cur - taken) / 2 : 0;
}

// cgroup v2: "max 100000" or "200000 100000"; 0 where there is no limit.
unsigned cpus_by_cgroup() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  double quota = 0;
  double period = 0;
  if (!(file >> quota >> period) || period <= 0) return 0;
  return std::max(1U, static_cast<unsigned>(quota / period));
}

std::vector<bool> tls_listeners(const config::Config& config) {
  std::vector<bool> tls;
  for (const config::Listener& each : config.listeners) tls.push_back(each.tls != config::Tls::none);
  return tls;
}

}  // namespace

unsigned default_workers() {
  cpu_set_t set;
  CPU_ZERO(&set);
  unsigned cpus = sched_getaffinity(0, sizeof set, &set) == 0 ? static_cast<unsigned>(CPU_COUNT(&set)) : 1;
  if (const unsigned granted = cpus_by_cgroup(); granted != 0) cpus = std::min(cpus, granted);
  return std::clamp(cpus, 1U, most_workers);
}

Server::Server(const config::Config& config, unsigned workers, const ObserversOf& observers_of)
    : configured_sessions_(config.limits.sessions),
      limits_(config.limits, tls_listeners(config), config.upstreams.size()),
      load_(workers) {
  settings_.timeouts = config.timeouts;
  for (const config::Upstream& each : config.upstreams) {
    UpstreamTarget target;
    target.name = each.name;
    target.balance = each.balance;
    target.state = std::make_shared<UpstreamState>(each.servers.size());
    if (each.tls != config::Tls::none) target.tls = make_client_context(each);
    target.starttls = each.tls == config::Tls::starttls;
    for (const config::Address& server : each.servers)
      target.servers.push_back({config::to_string(server), server.host, {}});
    target.proxy_protocol = each.proxy_protocol;
    for (const std::string& source : each.sources) target.sources.push_back(ip_address(source));
    settings_.upstreams.push_back(std::move(target));
  }
  for (const config::Listener& each : config.listeners) {
    ListenerSettings settings{
        each.name,           nullptr,      index_of(config.upstreams, each.upstream), each.capabilities,
        each.proxy_protocol, each.observe, each.tls == config::Tls::starttls,         each.trusted_networks};
    if (each.tls != config::Tls::none) settings.tls = make_server_tls(each, tickets_);
    settings_.listeners.push_back(std::move(settings));
    for (const config::Address& bind : each.binds)
      listening_.push_back({ListeningSocket(bind, config.timeouts.keepalive, shares_port_with_ipv4(bind, config)),
                            settings_.listeners.size() - 1});
  }
  const std::uint64_t tag_key = random_key();
  for (unsigned number = 0; number < workers; ++number) {
    std::vector<ListenerContext> contexts;
    for (std::size_t listener = 0; listener < config.listeners.size(); ++listener) {
      const Observers observers = observers_of(number, listener);
      ListenerContext& context = contexts.emplace_back();
      context.observer = observers.relay;
      context.imap_observer = observers.imap;
      context.rules.enabled = config.listeners[listener].capabilities == config::Capabilities::auto_;
      context.rules.strip_starttls = config.listeners[listener].tls != config::Tls::none;
    }
    workers_.push_back(std::make_unique<Worker>(number, std::move(contexts), tag_key,
                                                config.limits.relay_buffers / workers, load_, limits_, workers_));
  }
}

Server::~Server() {
  force();
  join();
}

std::vector<Server::ListenedAddress> Server::addresses() const {
  std::vector<ListenedAddress> all;
  for (const auto& each : listening_) all.push_back({each.listener, to_string(local_address(each.socket.fd()))});
  return all;
}

std::vector<ServedCertificate> Server::certificates(std::size_t listener) const {
  const auto& tls = settings_.listeners[listener].tls;
  return tls == nullptr ? std::vector<ServedCertificate>{} : tls->certificates;
}

void Server::set_addresses(std::size_t upstream, std::size_t server, std::vector<SocketAddress> addresses) {
  settings_.upstreams[upstream].servers[server].addresses = std::move(addresses);
  publish();
}

void Server::publish() {
  if (threads_.empty()) return;
  const auto snapshot = std::make_shared<const Snapshot>(settings_);
  for (auto& worker : workers_) worker->loop.post([&worker = *worker, snapshot] { worker.use(snapshot); });
}

void Server::start() {
  const auto snapshot = std::make_shared<const Snapshot>(settings_);
  std::vector<Listening> listening;
  for (const auto& each : listening_) listening.push_back({each.socket.fd(), each.listener});
  load_.limit = sessions_by_descriptors();
  log_info("descriptors suffice for {} sessions", load_.limit);
  running_ = static_cast<unsigned>(workers_.size());
  for (auto& worker : workers_) {
    worker->prepare(snapshot, listening);
    threads_.emplace_back([this, &worker = *worker] {
      worker.run();
      if (--running_ == 0 && on_drained_) on_drained_();
    });
  }
}

// What is given back now is counted at the next look.
void Server::cool_workers() noexcept {
  give_tls_memory_back();  // of health checks
  for (auto& worker : workers_) {
    try {
      worker->loop.post([&worker = *worker] { worker.cool(); });
    } catch (const std::bad_alloc&) {  // its sessions stay warm until the next look
    }
  }
}

void Server::watch_memory() {
  const bool trim_is_due =
      heap_trim_.is_due(load_.total.load(std::memory_order_relaxed), load_.cooled.load(std::memory_order_relaxed));
  if (trim_is_due || limits_.memory.is_short()) malloc_trim(0);
  cool_workers();
  if (const std::uint64_t resident = resident_memory(); resident != 0) limits_.memory.look(resident);
}

std::uint64_t Server::session_limit() const noexcept {
  return configured_sessions_ == 0 ? load_.limit : std::min<std::uint64_t>(configured_sessions_, load_.limit);
}

std::uint64_t Server::relay_buffer_bytes() const noexcept {
  std::uint64_t lent = 0;
  for (const auto& worker : workers_) lent += worker->buffers.budget.lent();
  return lent;
}

namespace {

// The answers of the workers. It outlives whoever asked: a worker may answer late.
struct Roll {
  std::mutex mutex;
  std::condition_variable complete;
  OpenSessions all;
  std::size_t missing = 0;

  void add(OpenSessions some) {
    const std::lock_guard lock(mutex);
    all.total += some.total;
    all.shown.insert(all.shown.end(), some.shown.begin(), some.shown.end());
    if (--missing == 0) complete.notify_one();
  }
};

}  // namespace

OpenSessions Server::open_sessions(std::size_t most, std::chrono::milliseconds patience) {
  const auto roll = std::make_shared<Roll>();
  roll->missing = workers_.size();
  for (auto& worker : workers_)
    worker->loop.post([roll, &worker = *worker, part = most / workers_.size()] {
      try {
        roll->add(worker.open_sessions(part));
      } catch (const std::bad_alloc&) {  // it is left out
      }
    });
  std::unique_lock lock(roll->mutex);
  roll->complete.wait_for(lock, patience, [&] { return roll->missing == 0; });
  return roll->all;
}

void Server::drain(std::chrono::milliseconds spread, std::function<void()> on_drained) {
  on_drained_ = std::move(on_drained);
  load_.draining.store(true, std::memory_order_release);
  for (auto& worker : workers_) worker->loop.post([&worker = *worker, spread] { worker.drain(spread); });
}

void Server::force() {
  for (auto& worker : workers_) worker->loop.post([this, &worker = *worker] { forced_ += worker.force(); });
}

std::size_t Server::join() {
  for (std::thread& each : threads_) each.join();
  threads_.clear();
  listening_.clear();
  return forced_;
}

}  // namespace imapmeter::proxy
