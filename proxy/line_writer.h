// Lines to a descriptor that may be a full disk, a pipe that nobody reads, or closed.
#pragma once

#include <string_view>

namespace imapmeter::proxy {

class LineWriter {
 public:
  explicit LineWriter(int fd) noexcept : fd_(fd) {}
  // `line` with its LF. Waits while a pipe is full. False when the system has refused it, as a whole or in part; a part
  // that was written stays a line of its own.
  bool write(std::string_view line) noexcept;

 private:
  bool put(std::string_view octets) noexcept;

  int fd_;
  bool torn_ = false;  // the last line lacks its end
};

}  // namespace imapmeter::proxy
