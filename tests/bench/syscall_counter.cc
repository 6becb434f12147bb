#include "tests/bench/syscall_counter.h"

#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>

namespace imapmeter::bench {

SyscallCounter::SyscallCounter(const std::vector<pid_t>& processes) {
  std::uint64_t tracepoint = 0;
  permitted_ = static_cast<bool>(std::ifstream("/sys/kernel/tracing/events/raw_syscalls/sys_enter/id") >> tracepoint);
  for (const pid_t process : processes) {
    const std::filesystem::directory_iterator threads("/proc/" + std::to_string(process) + "/task");
    for (const auto& thread : threads) permitted_ = permitted_ && add(std::stoi(thread.path().filename()), tracepoint);
  }
}

SyscallCounter::~SyscallCounter() {
  for (const int event : events_) close(event);
}

// False: it is not permitted.
bool SyscallCounter::add(pid_t thread, std::uint64_t tracepoint) {
  perf_event_attr attributes{};
  attributes.type = PERF_TYPE_TRACEPOINT;
  attributes.size = sizeof attributes;
  attributes.config = tracepoint;
  attributes.inherit = 1;
  const auto event = static_cast<int>(syscall(SYS_perf_event_open, &attributes, thread, -1, -1, PERF_FLAG_FD_CLOEXEC));
  if (event < 0) return errno == ESRCH;  // the thread is over
  events_.push_back(event);
  return true;
}

std::optional<std::uint64_t> SyscallCounter::count() const {
  if (!permitted_) return std::nullopt;
  std::uint64_t sum = 0;
  for (const int event : events_) {
    std::uint64_t calls = 0;
    if (read(event, &calls, sizeof calls) == sizeof calls) sum += calls;
  }
  return sum;
}

}  // namespace imapmeter::bench
