// What a process and its descendants have used so far, read from outside.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace imapmeter::bench {

struct ProcessSample {
  std::uint64_t cpu_ns = 0;   // all threads, utime + stime, from the processes' CPU clocks
  std::uint64_t user_ms = 0;  // the same time as /proc/PID/stat splits it (10 ms ticks)
  std::uint64_t system_ms = 0;
  std::uint64_t resident_kib = 0;  // VmRSS; what processes share counts in each of them
};

// The sum over a process and all that descend from it: a master and its workers are one subject. Throws
// std::runtime_error where one is gone.
ProcessSample sample_process(pid_t pid);
// The process and all that descend from it.
std::vector<pid_t> process_tree(pid_t pid);
// What all processes of the machine together have used, in milliseconds of CPU time (10 ms ticks).
std::uint64_t machine_cpu_ms();
// Nanoseconds of the monotonic clock.
std::uint64_t monotonic_ns();

}  // namespace imapmeter::bench
