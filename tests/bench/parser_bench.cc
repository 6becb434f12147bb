// What reading costs without a relay around it: the tracker of a session fed from memory, its events counted.
//   parser_bench WORKLOAD [ROUNDS]    WORKLOAD: bulk, lines, commands, statuses, exists, unknown, literals; or
//   literal=N, fetches=N, nesting=N, pipeline=N
// Prints octets, lines and nanoseconds, the median of five passes. Under callgrind: one pass of so many rounds.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/shard.h"
#include "proxy/imap/session_tracker.h"
#include "tests/bench/conversation.h"

namespace imapmeter::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t read_size = std::size_t{64} * 1024;

class Reader {
 public:
  Reader() {
    server("* OK ready\r\n");
    command("l LOGIN u p\r\n", "l OK in\r\n");
    command("s SELECT INBOX\r\n", "s OK [READ-WRITE] done\r\n");
  }

  void command(std::string_view command, std::string_view answer) {
    tracker_.client(command, Clock::time_point(now_ += std::chrono::microseconds(100)));
    server(answer);
  }

 private:
  void server(std::string_view octets) {
    while (!octets.empty()) {
      const std::size_t size = std::min(read_size, octets.size());
      std::copy_n(octets.data(), size, room_.begin() + imap::capability_headroom);
      tracker_.server({room_.data() + imap::capability_headroom, size}, Clock::time_point(now_));
      octets.remove_prefix(size);
    }
  }

  std::chrono::nanoseconds now_{1};
  imap::TagPool tags_{1};
  imap::CapabilityRules rules_{.enabled = false};
  imap::TrackerContext context_{&tags_, &rules_, 12345, nullptr};
  metrics::Shard shard_{1};
  imap::SessionTracker tracker_{shard_, context_};
  std::vector<char> room_ = std::vector<char>(imap::capability_headroom + read_size);
};

struct Talk {
  std::string command;
  std::string answer;
};

std::string repeated(std::string_view text, std::size_t times = 1000) {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) all += text;
  return all;
}

// What can be made as long as one likes.
Talk sized(std::string_view shape, std::size_t size) {
  const std::string done = "a OK x\r\n";
  if (shape == "literal")
    return {"a X\r\n",
            "* 1 FETCH (BODY[] {" + std::to_string(size) + "}\r\n" + std::string(size, 'x') + ")\r\n" + done};
  if (shape == "fetches") return {"a X\r\n", repeated("* 1 FETCH (UID 4711 FLAGS (\\Seen))\r\n", size) + done};
  if (shape == "nesting")
    return {"a X\r\n", "* 1 FETCH (BODYSTRUCTURE " + repeated("(", size) + repeated(")", size) + ")\r\n" + done};
  if (shape == "pipeline") return {repeated("a NOOP\r\n", size), repeated("a OK NOOP completed.\r\n", size)};
  return {};
}

Talk talk(std::string_view workload) {
  const std::size_t size = workload.find('=');
  if (size != std::string_view::npos)
    return sized(workload.substr(0, size), std::strtoul(workload.data() + size + 1, nullptr, 10));
  if (workload == "bulk") return {"a FETCH 1 BODY[]\r\n", std::string(exchange(Verb::fetch_bulk).body) + "a OK x\r\n"};
  if (workload == "lines") return {"a FETCH 1:* X\r\n", std::string(exchange(Verb::fetch_lines).body) + "a OK x\r\n"};
  if (workload == "commands") return {"a NOOP\r\n", "a OK NOOP completed.\r\n"};
  if (workload == "exists") return {"a NOOP\r\n", repeated("* 1 EXISTS\r\n") + "a OK x\r\n"};
  if (workload == "unknown") return {"a NOOP\r\n", repeated("* XNAME000123\r\n") + "a OK x\r\n"};
  if (workload == "literals") return {"a X\r\n", "* 1 FETCH (X " + repeated("{1}\r\nx ") + ")\r\na OK x\r\n"};
  if (workload == "statuses")
    return {"a NOOP\r\n", repeated("* OK [UIDNEXT 4711] Predicted next UID\r\n* NO [ALERT] Quota\r\n") + "a OK x\r\n"};
  return {};
}

std::chrono::nanoseconds pass(Reader& reader, const Talk& talk, std::size_t rounds) {
  const auto start = Clock::now();
  for (std::size_t i = 0; i < rounds; ++i) reader.command(talk.command, talk.answer);
  return Clock::now() - start;
}

int run(std::string_view workload, std::size_t rounds) {
  const Talk what = talk(workload);
  if (what.command.empty()) return std::fputs("parser_bench: no such workload\n", stderr), 2;
  Reader reader;
  std::array<double, 5> times{};
  const std::size_t passes = rounds == 0 ? times.size() : 1;
  if (rounds == 0) rounds = 1 + (std::size_t{100} << 20U) / (what.answer.size() + 200);
  for (std::size_t i = 0; i < passes; ++i)
    times[i] = static_cast<double>(pass(reader, what, rounds).count()) / static_cast<double>(rounds);
  std::sort(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(passes));
  const double each = times[passes / 2];
  const auto lines = static_cast<double>(std::count(what.answer.begin(), what.answer.end(), '\n'));
  const auto octets = static_cast<double>(what.answer.size() + what.command.size());
  std::printf("%-9.*s %9.0f octets, %.0f lines: %10.1f ns, %.3f ns an octet, %.1f ns a line\n",
              static_cast<int>(workload.size()), workload.data(), octets, lines, each, each / octets, each / lines);
  return 0;
}

}  // namespace
}  // namespace imapmeter::bench

int main(int argc, char** argv) {
  if (argc < 2) return imapmeter::bench::run("", 0);
  return imapmeter::bench::run(argv[1], argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 0);
}
