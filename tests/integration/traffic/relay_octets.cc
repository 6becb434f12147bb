// relay_octets: pumps IMAP-like traffic both ways through a proxy and checks every octet in place.
// Prints what the proxy must have counted, as samples of its exposition.
#include <csignal>
#include <cstdio>
#include <exception>
#include <iostream>

#include "tests/integration/traffic/octets.h"
#include "tests/integration/traffic/options.h"

namespace {

using namespace traffic;

std::vector<SessionPlan> make_plans(const Options& options, std::uint64_t seed) {
  const std::uint64_t sessions = options.number("sessions", 64);
  const std::uint64_t octets = options.number("bytes", 256ULL << 20U);
  std::vector<SessionPlan> plans;
  for (std::uint64_t number = 0; number < sessions; ++number) {
    OctetPlan plan;
    plan.seed = seed;
    plan.session = number;
    plan.shape = static_cast<Shape>(number % 3);
    plan.octets = octets / sessions / 2;
    plan.capability_words = options.has("capability-words");
    plan.client_first = number % 4 < 2;
    plans.push_back(plan_octets(plan));
  }
  return plans;
}

void print_expected(const Options& options, const Totals& totals) {
  std::uint64_t logout = 0;
  std::uint64_t client_eof = 0;
  std::uint64_t upstream_eof = 0;
  const std::uint64_t sessions = options.number("sessions", 64);
  for (std::uint64_t number = 0; number < sessions; ++number) {
    ++(number % 3 == 0 ? logout : number % 4 < 2 ? client_eof : upstream_eof);
  }
  const auto print = [](const char* sample, std::uint64_t value) {
    if (value > 0) std::cout << sample << ' ' << value << '\n';
  };
  print("imapmeter_bytes_total{direction=\"client_to_server\"}", totals.client_to_server);
  print("imapmeter_bytes_total{direction=\"server_to_client\"}", totals.server_to_client);
  print("imapmeter_sessions_accepted_total", sessions);
  print("imapmeter_sessions_closed_total{reason=\"logout\"}", logout);
  print("imapmeter_sessions_closed_total{reason=\"client_eof\"}", client_eof);
  print("imapmeter_sessions_closed_total{reason=\"upstream_eof\"}", upstream_eof);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    std::signal(SIGPIPE, SIG_IGN);
    std::vector<std::string> known = meeting_options;
    known.insert(known.end(), {"bytes", "capability-words"});
    const Options options = parse_options(argc, argv, known);
    Listener listener;
    Meeting meeting = meet_proxy(options, listener);
    Totals totals;
    const bool good = run(meeting.run, listener, make_plans(options, meeting.run.seed), totals);
    print_expected(options, totals);
    return good ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "relay_octets: %s\n", error.what());
    return 2;
  }
}
