// count_responses: real conversations through a proxy, both ends written here from one script. Prints the journal: what
// the proxy must have counted, as samples of its exposition.
#include <csignal>
#include <cstdio>
#include <exception>

#include "tests/integration/traffic/conversation.h"
#include "tests/integration/traffic/options.h"

namespace {

using namespace traffic;

std::vector<SessionPlan> make_plans(const Options& options, std::uint64_t seed, Journal& journal) {
  const std::uint64_t sessions = options.number("sessions", 64);
  const std::uint64_t commands = options.number("commands", 100000) / sessions + 1;
  const std::uint64_t odd_greetings = options.number("odd-greetings", 32);
  std::vector<SessionPlan> plans;
  for (std::uint64_t number = 0; number < sessions + odd_greetings; ++number) {
    Conversation conversation(seed, number, journal);
    plans.push_back(number < sessions ? conversation.write(commands) : conversation.write_odd_greeting());
  }
  return plans;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    std::signal(SIGPIPE, SIG_IGN);
    std::vector<std::string> known = meeting_options;
    known.insert(known.end(), {"commands", "odd-greetings"});
    const Options options = parse_options(argc, argv, known);
    Listener listener;
    Meeting meeting = meet_proxy(options, listener);
    Journal journal;
    Totals totals;
    const bool good = run(meeting.run, listener, make_plans(options, meeting.run.seed, journal), totals);
    journal.add("imapmeter_bytes_total{direction=\"client_to_server\"}", totals.client_to_server);
    journal.add("imapmeter_bytes_total{direction=\"server_to_client\"}", totals.server_to_client);
    journal.print();
    return good ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "count_responses: %s\n", error.what());
    return 2;
  }
}
