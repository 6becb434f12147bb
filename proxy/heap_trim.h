// When the heap is worth malloc_trim(3): what a flood of handshakes, or sessions that have fallen silent, have left in
// pieces is of no use to those that stay. It takes 0.35 ms with 9,500 sessions, and who speaks again gets
// the memory from the system again, page by page.
#pragma once

#include <cstddef>

namespace imapmeter::proxy {

class HeapTrim {
 public:
  // To be asked about once a second, and to be followed when it says yes. `sessions`: that are open. `cooled`: legs
  // that have given OpenSSL's buffers back, in all (Worker::cool).
  bool is_due(std::size_t sessions, std::size_t cooled) noexcept;

 private:
  std::size_t peak_sessions_ = 0;  // since the last time
  std::size_t cooled_ = 0;         // at the last time
  unsigned looks_to_wait_ = 0;     // until silence may be a reason again
};

}  // namespace imapmeter::proxy
