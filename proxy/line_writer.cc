#include "proxy/line_writer.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

namespace imapmeter::proxy {

bool LineWriter::write(std::string_view line) noexcept {
  if (torn_ && !put("\n")) return false;
  torn_ = false;
  return put(line);
}

bool LineWriter::put(std::string_view octets) noexcept {
  const std::size_t whole = octets.size();
  while (!octets.empty()) {
    const ssize_t written = ::write(fd_, octets.data(), octets.size());
    if (written > 0) {
      octets.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {  // whoever shares the pipe has made it non-blocking
      pollfd room{fd_, POLLOUT, 0};
      poll(&room, 1, -1);
    } else if (errno != EINTR) {
      torn_ = torn_ || octets.size() != whole;
      return false;
    }
  }
  return true;
}

}  // namespace imapmeter::proxy
