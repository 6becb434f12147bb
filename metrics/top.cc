#include "metrics/top.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "metrics/api_client.h"

namespace imapmeter::metrics {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds pause{2};
constexpr std::size_t most_commands = 8;
constexpr const char* clear_screen = "\x1b[H\x1b[2J";

std::string right(const std::string& text, std::size_t width) {
  return text.size() >= width ? text : std::string(width - text.size(), ' ') + text;
}
std::string left(const std::string& text, std::size_t width) {
  return text.size() >= width ? text : text + std::string(width - text.size(), ' ');
}
std::string count(const json& number) { return std::to_string(number.get<std::int64_t>()); }

std::string fixed(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.2f", value);
  return text.data();
}

// "12 ms", "1.50 s"; "-" for what has not been measured.
std::string duration(const json& seconds) {
  if (!seconds.is_number()) return "-";
  const double value = seconds;
  return value < 1 ? std::to_string(std::lround(value * 1000)) + " ms" : fixed(value) + " s";
}
std::string quantile(const json& distribution, const char* which) {
  return distribution.is_object() ? duration(distribution.at(which)) : "-";
}

// "name 1  other 2", without those that are zero.
std::string counts(const json& object) {
  std::string line;
  for (const auto& [name, number] : object.items())
    if (number != 0) line += (line.empty() ? "" : "  ") + name + " " + count(number);
  return line.empty() ? "none" : line;
}

using Lines = std::vector<std::string>;

void add_listener(const json& listener, Lines& lines) {
  lines.push_back("");
  lines.push_back("LISTENER " + listener.at("name").get<std::string>() + " -> " +
                  listener.at("upstream").get<std::string>());
  lines.push_back("sessions   " + counts(listener.at("sessions")));
  lines.push_back("outcomes   " + counts(listener.at("session_outcomes")));
  std::string rates = "per second";
  for (const auto& [status, windows] : listener.at("rates_per_second").items())
    rates += " " + status + " " + fixed(windows.at("1m")) + " (15m " + fixed(windows.at("15m")) + ") ";
  lines.push_back(rates);
  lines.push_back("BYE        " + counts(listener.at("bye")));
  std::string failures;
  for (const auto& [party, kinds] : listener.at("failures").items()) {
    const std::string some = counts(kinds);
    if (some == "none") continue;
    if (!failures.empty()) failures += " | ";
    failures.append(party).append(": ").append(some);
  }
  lines.push_back("failures   " + (failures.empty() ? "none" : failures));
  lines.push_back("members    " + counts(listener.at("status_codes")));
}

std::int64_t answered(const json& command) {
  return command.at("OK").get<std::int64_t>() + command.at("NO").get<std::int64_t>() +
         command.at("BAD").get<std::int64_t>();
}

void add_commands(const json& listener, Lines& lines) {
  std::vector<json> commands = listener.at("commands");
  if (commands.empty()) return;
  std::stable_sort(commands.begin(), commands.end(),
                   [](const json& a, const json& b) { return answered(a) > answered(b); });
  commands.resize(std::min(commands.size(), most_commands));
  lines.push_back(left("COMMAND", 16) + right("answered", 10) + right("NO", 8) + right("BAD", 8) + right("p50", 10) +
                  right("p99", 10) + right("first p95", 11));
  for (const json& each : commands) {
    lines.push_back(left(each.at("command"), 16) + right(std::to_string(answered(each)), 10) +
                    right(count(each.at("NO")), 8) + right(count(each.at("BAD")), 8) +
                    right(quantile(each.at("duration"), "p50"), 10) + right(quantile(each.at("duration"), "p99"), 10) +
                    right(quantile(each.at("first_response"), "p95"), 11));
  }
}

void add_servers(const json& upstream, Lines& lines) {
  lines.push_back("");
  lines.push_back(left("SERVER of " + upstream.at("name").get<std::string>(), 32) + right("state", 7) +
                  right("sessions", 10) + right("logins", 9) + right("refused", 9) + right("first p95", 11));
  for (const json& server : upstream.at("servers")) {
    const json& logins = server.at("auth_attempts");
    const auto refused = logins.at("temporary").get<std::int64_t>() + logins.at("other").get<std::int64_t>();
    lines.push_back(left(server.at("server"), 32) + right(server.at("up") ? "up" : "down", 7) +
                    right(count(server.at("sessions")), 10) + right(count(logins.at("success")), 9) +
                    right(std::to_string(refused), 9) + right(quantile(server.at("first_response"), "p95"), 11));
  }
}

void add_sessions(const json& answer, Lines& lines) {
  std::vector<json> sessions = answer.at("sessions");
  std::stable_sort(sessions.begin(), sessions.end(),
                   [](const json& a, const json& b) { return a.at("seconds") < b.at("seconds"); });
  lines.push_back("");
  lines.push_back(left("SESSION (" + count(answer.at("total")) + " open)", 20) + left("state", 18) +
                  left("server", 24) + right("seconds", 9) + right("commands", 10) + right("octets", 12));
  for (const json& each : sessions) {
    const json& server = each.at("server");
    lines.push_back(left(each.at("id"), 20) + left(each.at("state"), 18) +
                    left(server.is_string() ? server.get<std::string>() : "-", 24) +
                    right(std::to_string(std::llround(each.at("seconds").get<double>())), 9) +
                    right(count(each.at("commands")), 10) + right(count(each.at("bytes_to_client")), 12));
  }
}

// What is longer than the terminal goes on in the next line, below the first column's right edge.
std::string fitted(const Lines& lines, TerminalSize size) {
  constexpr std::size_t indent = 11;
  std::string picture;
  std::size_t rows = 0;
  for (const std::string& line : lines) {
    for (std::size_t begin = 0; rows < size.rows; ++rows) {
      const std::size_t room = begin == 0 || size.columns <= indent ? size.columns : size.columns - indent;
      if (rows != 0) picture += "\n";
      if (begin != 0 && room < size.columns) picture += std::string(indent, ' ');
      picture += line.substr(begin, room);
      begin += room;
      if (begin < line.size()) continue;
      ++rows;
      break;
    }
  }
  return picture;
}

TopAnswers ask(const std::string& admin) {
  return {ask_api(admin, "/api/v1/verdict"), ask_api(admin, "/api/v1/status"), ask_api(admin, "/api/v1/sessions")};
}

TerminalSize terminal_size() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return {};
  return {size.ws_col, size.ws_row};
}

void draw(const std::string& picture) {
  std::fputs((clear_screen + picture).c_str(), stdout);
  std::fflush(stdout);
}

}  // namespace

std::string top_picture(const TopAnswers& answers, TerminalSize size) {
  const json verdict = json::parse(answers.verdict);
  const json status = json::parse(answers.status);
  Lines lines{verdict.at("sentence")};
  for (const json& outlier : verdict.at("outliers")) lines.push_back("  " + outlier.at("sentence").get<std::string>());
  for (const json& listener : status.at("listeners")) {
    add_listener(listener, lines);
    add_commands(listener, lines);
  }
  for (const json& upstream : status.at("upstreams")) add_servers(upstream, lines);
  add_sessions(json::parse(answers.sessions), lines);
  return fitted(lines, size);
}

void top(const std::string& admin) {
  TopAnswers answers = ask(admin);
  if (isatty(STDOUT_FILENO) == 0) {
    std::printf("%s\n", top_picture(answers, {200, 1000}).c_str());
    return;
  }
  for (;;) {
    // The last row stays free, or the terminal would scroll.
    const TerminalSize size = terminal_size();
    draw(top_picture(answers, {size.columns, size.rows - 1}));
    std::this_thread::sleep_for(pause);
    try {
      answers = ask(admin);
    } catch (const std::runtime_error& error) {
      draw(std::string(error.what()) + "\nTrying again; Ctrl-C ends.\n");
    }
  }
}

}  // namespace imapmeter::metrics
