#include "metrics/window.h"

namespace imapmeter::metrics {
namespace {

std::uint64_t since(std::uint64_t now, std::uint64_t before) { return now - before; }
template <class T, std::size_t N>
std::array<T, N> since(const std::array<T, N>& now, const std::array<T, N>& before) {
  std::array<T, N> increase{};
  for (std::size_t i = 0; i < N; ++i) increase[i] = since(now[i], before[i]);
  return increase;
}

// Of what verdicts look at.
ServerTotals since(const ServerTotals& now, const ServerTotals& before) {
  ServerTotals increase;
  increase.connects = since(now.connects, before.connects);
  increase.auth_attempts = since(now.auth_attempts, before.auth_attempts);
  increase.first_response.buckets = since(now.first_response.buckets, before.first_response.buckets);
  return increase;
}

void add_attempts(Window& to, const Totals& totals) {
  for (const auto& results : totals.auth_attempts) {
    for (std::size_t i = 0; i < results.size(); ++i) {
      if (static_cast<imap::AuthResult>(i) != imap::AuthResult::aborted)
        to.attempts[at(FailureOf::login)] += results[i];
    }
  }
  for (const auto& results : totals.commands) {
    for (const auto answer : {imap::CommandResult::ok, imap::CommandResult::no, imap::CommandResult::bad})
      to.attempts[at(FailureOf::command)] += results[at(answer)];
  }
  to.attempts[at(FailureOf::session)] += totals.accepted;
}

}  // namespace

Window window_of(const Snapshot& snapshot) {
  Window all;
  for (const ListenerSnapshot& listener : snapshot.listeners) {
    for (std::size_t i = 0; i < failure_count; ++i) all.failures[i] += listener.totals.failures[i];
    for (std::size_t i = 0; i < auth_failure_count; ++i) all.auth_failures[i] += listener.totals.auth_failures[i];
    add_attempts(all, listener.totals);
  }
  for (const UpstreamSnapshot& upstream : snapshot.upstreams) {
    auto& servers = all.upstreams[upstream.name];
    for (const auto& [server, totals] : upstream.servers)
      servers.push_back({server, upstream.health.at(server).up, totals});
  }
  return all;
}

Window since(const Window& now, const Window& before) {
  Window window = now;
  window.failures = since(now.failures, before.failures);
  window.attempts = since(now.attempts, before.attempts);
  window.auth_failures = since(now.auth_failures, before.auth_failures);
  for (auto& [upstream, servers] : window.upstreams) {
    const auto& old = before.upstreams.at(upstream);
    for (std::size_t i = 0; i < servers.size(); ++i) servers[i].counted = since(servers[i].counted, old[i].counted);
  }
  return window;
}

}  // namespace imapmeter::metrics
