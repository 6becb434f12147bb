#include "tests/bench/process_sample.h"

#include <unistd.h>

#include <ctime>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>

namespace imapmeter::bench {
namespace {

std::uint64_t nanoseconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
}

std::uint64_t tick_ms() { return 1000U / static_cast<std::uint64_t>(sysconf(_SC_CLK_TCK)); }

void add_sample(pid_t pid, ProcessSample& sample);

}  // namespace

std::uint64_t monotonic_ns() { return nanoseconds(CLOCK_MONOTONIC); }

std::uint64_t machine_cpu_ms() {
  std::ifstream stat("/proc/stat");
  std::string name;
  // proc(5): user, nice, system, idle, iowait, irq, softirq, steal
  std::uint64_t ticks[8] = {};
  stat >> name;
  for (std::uint64_t& tick : ticks) stat >> tick;
  return (ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6] + ticks[7]) * tick_ms();
}

std::vector<pid_t> process_tree(pid_t pid) {
  std::vector<pid_t> tree = {pid};
  for (std::size_t i = 0; i < tree.size(); ++i) {
    const std::string id = std::to_string(tree[i]);
    std::string file = "/proc/";
    std::ifstream children(file.append(id).append("/task/").append(id).append("/children"));
    if (!children) throw std::runtime_error("cannot read " + file);
    for (pid_t child = 0; children >> child;) tree.push_back(child);
  }
  return tree;
}

ProcessSample sample_process(pid_t pid) {
  ProcessSample sample;
  for (const pid_t member : process_tree(pid)) add_sample(member, sample);
  return sample;
}

namespace {

void add_sample(pid_t pid, ProcessSample& sample) {
  clockid_t clock = 0;
  const std::string proc = "/proc/" + std::to_string(pid);
  std::ifstream stat(proc + "/stat");
  std::string line;
  if (clock_getcpuclockid(pid, &clock) != 0 || !std::getline(stat, line))
    throw std::runtime_error("process " + std::to_string(pid) + " is gone");
  sample.cpu_ns += nanoseconds(clock);

  // Fields 14 and 15 of proc(5); the name in field 2 may hold spaces, so count from behind its parenthesis.
  std::istringstream fields(line.substr(line.rfind(')') + 2));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  std::uint64_t user = 0;
  std::uint64_t system = 0;
  fields >> user >> system;
  sample.user_ms += user * tick_ms();
  sample.system_ms += system * tick_ms();

  std::ifstream status(proc + "/status");
  while (std::getline(status, line))
    if (line.starts_with("VmRSS:")) sample.resident_kib += std::stoull(line.substr(6));
}

}  // namespace
}  // namespace imapmeter::bench
