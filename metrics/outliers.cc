#include "metrics/outliers.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "metrics/quantile.h"

namespace imapmeter::metrics {
namespace {

// The test. A server and all its siblings together need so many, so that a handful of bad luck says nothing.
constexpr double least = 20;
constexpr double least_difference = 0.1;  // of shares
constexpr double deviations = 4;          // of the share that is to be expected by chance
constexpr double slower = 3;              // times the siblings' median
constexpr double least_delay = 0.05;      // seconds above it
constexpr double measured_quantile = 0.9;

using Servers = std::vector<Window::Server>;

// Of `all`, how many failed.
struct Part {
  double failed = 0;
  double all = 0;
  double share() const { return all == 0 ? 0 : failed / all; }
};

Part connects(const Window::Server& server) {
  Part part;
  for (std::size_t i = 0; i < server.counted.connects.size(); ++i) {
    const auto n = static_cast<double>(server.counted.connects[i]);
    part.all += n;
    if (static_cast<proxy::ConnectResult>(i) != proxy::ConnectResult::ok) part.failed += n;
  }
  return part;
}

// A rejected password is no failure of the server's.
Part logins(const Window::Server& server) {
  Part part;
  for (const std::uint64_t n : server.counted.auth_attempts) part.all += static_cast<double>(n);
  part.failed = static_cast<double>(server.counted.auth_attempts[at(ServerAuthResult::temporary)] +
                                    server.counted.auth_attempts[at(ServerAuthResult::other)]);
  return part;
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

// Whether `part` fails more often than its siblings by more than chance: a test of two proportions.
bool differs(const Part& part, const Part& others, double siblings_median) {
  if (part.all < least || others.all < least || part.share() - siblings_median < least_difference) return false;
  const double pooled = (part.failed + others.failed) / (part.all + others.all);
  const double expected = std::sqrt(pooled * (1 - pooled) * (1 / part.all + 1 / others.all));
  return part.share() - others.share() > deviations * expected;
}

template <class PartOf>
void find_shares(const std::string& upstream, const Servers& servers, std::string_view what, PartOf part_of,
                 std::vector<Outlier>& found) {
  for (const Window::Server& server : servers) {
    Part others;
    std::vector<double> shares;
    for (const Window::Server& sibling : servers) {
      if (&sibling == &server) continue;
      const Part part = part_of(sibling);
      others.failed += part.failed;
      others.all += part.all;
      if (part.all != 0) shares.push_back(part.share());
    }
    const Part own = part_of(server);
    const double siblings = median(shares);
    if (differs(own, others, siblings)) found.push_back({upstream, server.name, what, own.share(), siblings});
  }
}

void find_slow(const std::string& upstream, const Servers& servers, std::vector<Outlier>& found) {
  for (const Window::Server& server : servers) {
    std::vector<double> others;
    for (const Window::Server& sibling : servers) {
      if (&sibling == &server || static_cast<double>(count(sibling.counted.first_response)) < least) continue;
      others.push_back(quantile(sibling.counted.first_response, measured_quantile).value_or(0));
    }
    if (others.empty() || static_cast<double>(count(server.counted.first_response)) < least) continue;
    const double own = quantile(server.counted.first_response, measured_quantile).value_or(0);
    const double siblings = median(others);
    if (own >= slower * siblings && own - siblings >= least_delay)
      found.push_back({upstream, server.name, "first_response", own, siblings});
  }
}

// By its health checks, or by what sessions found.
void find_down(const std::string& upstream, const Servers& servers, std::vector<Outlier>& found) {
  for (const Window::Server& server : servers)
    if (!server.up) found.push_back({upstream, server.name, "health", 1, 0});
}

// Which code makes up most of the failures for which servers are to blame; of all servers, as codes are not counted by
// server.
std::string_view commonest_code(const Window& window) {
  std::string_view code;
  std::uint64_t most = 0;
  for (const AuthFailure failure :
       {AuthFailure::unavailable, AuthFailure::contactadmin, AuthFailure::limit, AuthFailure::inuse}) {
    if (window.auth_failures[at(failure)] <= most) continue;
    most = window.auth_failures[at(failure)];
    code = name(failure);
  }
  return code;
}

}  // namespace

std::vector<Outlier> outliers(const Window& window) {
  std::vector<Outlier> all;
  for (const auto& [upstream, servers] : window.upstreams) {
    std::vector<Outlier> found;
    find_down(upstream, servers, found);
    find_shares(upstream, servers, "connects", connects, found);
    find_shares(upstream, servers, "logins", logins, found);
    find_slow(upstream, servers, found);
    std::set<std::string> odd;
    for (const Outlier& each : found) odd.insert(each.server);
    for (Outlier& each : found) {
      each.others = servers.size() - 1;
      each.normal = servers.size() - odd.size();
      if (each.what == "logins") each.code = commonest_code(window);
      all.push_back(std::move(each));
    }
  }
  return all;
}

std::string percent(double share) { return std::to_string(std::lround(share * 100)) + " %"; }

std::string sentence(const Outlier& outlier) {
  const auto milliseconds = [](double seconds) { return std::to_string(std::lround(seconds * 1000)) + " ms"; };
  std::string text = "server " + outlier.server;
  if (outlier.what == "health") {
    text += " is down";
  } else if (outlier.what == "connects") {
    text += " fails " + percent(outlier.value) + " of connections";
  } else if (outlier.what == "logins") {
    text += " refuses " + percent(outlier.value) + " of logins";
    if (!outlier.code.empty()) text += " ([" + std::string(outlier.code) + "])";
  } else {
    text += " is slow: one first response in ten takes " + milliseconds(outlier.value) + " or more, of its siblings " +
            milliseconds(outlier.siblings);
  }
  if (outlier.others == 0) return text;
  if (outlier.normal == 0) return text + "; no other is normal";
  return text + "; " + std::to_string(outlier.normal) + (outlier.normal == 1 ? " other normal" : " others normal");
}

}  // namespace imapmeter::metrics
