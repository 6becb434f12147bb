#include "metrics/descriptor_reserve.h"

#include <fcntl.h>
#include <unistd.h>

namespace imapmeter::metrics {

DescriptorReserve::DescriptorReserve(std::size_t size) : wanted_(size), null_(open("/dev/null", O_RDONLY | O_CLOEXEC)) {
  spares_.reserve(size);
  refill();
}

DescriptorReserve::~DescriptorReserve() {
  for (const int fd : spares_) close(fd);
  if (null_ >= 0) close(null_);
}

bool DescriptorReserve::give() {
  if (spares_.empty()) return false;
  close(spares_.back());
  spares_.pop_back();
  return true;
}

void DescriptorReserve::take(int fd) {
  if (null_ >= 0 && spares_.size() < wanted_ && dup3(null_, fd, O_CLOEXEC) == fd) {
    spares_.push_back(fd);
  } else {
    close(fd);
  }
}

void DescriptorReserve::refill() {
  while (spares_.size() < wanted_) {
    const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    spares_.push_back(fd);
  }
}

}  // namespace imapmeter::metrics
