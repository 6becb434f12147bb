// A few descriptors kept back, so that a process that has run out of them can still say so.
#pragma once

#include <cstddef>
#include <vector>

namespace imapmeter::metrics {

class DescriptorReserve {
 public:
  // Opens /dev/null `size` times, or as often as it can.
  explicit DescriptorReserve(std::size_t size);
  ~DescriptorReserve();
  DescriptorReserve(const DescriptorReserve&) = delete;
  DescriptorReserve& operator=(const DescriptorReserve&) = delete;

  // Frees one descriptor for the caller's next call. False: there is none.
  bool give();
  // Closes `fd` and, where one is missing, keeps its number in the same step: nobody else can take it in between.
  void take(int fd);
  // Opens what is missing, as far as possible.
  void refill();

  std::size_t size() const { return spares_.size(); }

 private:
  std::size_t wanted_;
  int null_ = -1;  // never given: what take() makes copies of
  std::vector<int> spares_;
};

}  // namespace imapmeter::metrics
