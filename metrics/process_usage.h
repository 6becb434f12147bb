// What the operating system says of this process: the process_* metrics of the official Prometheus clients.
#pragma once

#include <dirent.h>

#include <optional>

namespace imapmeter::metrics {

struct ProcessUsage {
  double cpu_seconds = 0;
  double resident_bytes = 0;
  double virtual_bytes = 0;
  double open_fds = 0;
  double max_fds = 0;
  double start_time_seconds = 0;  // since the epoch
};

// Opens /proc/self once and reads it again at each call: a process out of descriptors can still be looked at. To be
// used on one thread at a time.
class ProcessReader {
 public:
  ProcessReader();
  ~ProcessReader();
  ProcessReader(const ProcessReader&) = delete;
  ProcessReader& operator=(const ProcessReader&) = delete;

  // Nothing where /proc cannot be read.
  std::optional<ProcessUsage> read();

 private:
  int stat_ = -1;
  DIR* fds_ = nullptr;
  double start_time_ = 0;  // computed once: the wall clock may be set later
};

}  // namespace imapmeter::metrics
