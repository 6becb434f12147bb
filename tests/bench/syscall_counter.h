// How many system calls other processes make, by the kernel's tracepoint: needs root and a mounted tracefs.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace imapmeter::bench {

class SyscallCounter {
 public:
  // Counts from now on, in all threads that there are, and in those that they start.
  explicit SyscallCounter(const std::vector<pid_t>& processes);
  ~SyscallCounter();
  SyscallCounter(const SyscallCounter&) = delete;
  SyscallCounter& operator=(const SyscallCounter&) = delete;

  // So far; nullopt where it is not permitted.
  std::optional<std::uint64_t> count() const;

 private:
  bool add(pid_t thread, std::uint64_t tracepoint);

  std::vector<int> events_;
  bool permitted_ = false;
};

}  // namespace imapmeter::bench
