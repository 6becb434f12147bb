#include "proxy/heap_trim.h"

#include <algorithm>

namespace imapmeter::proxy {
namespace {

constexpr std::size_t many_sessions = 100;  // fewer leave little behind
constexpr std::size_t many_legs = 16;       // half a MiB
constexpr unsigned looks_between = 3;

}  // namespace

bool HeapTrim::is_due(std::size_t sessions, std::size_t cooled) noexcept {
  peak_sessions_ = std::max(peak_sessions_, sessions);
  if (looks_to_wait_ > 0) --looks_to_wait_;
  const bool many_ended = peak_sessions_ >= many_sessions && sessions <= peak_sessions_ / 2;
  const bool many_fell_silent = looks_to_wait_ == 0 && cooled - cooled_ >= many_legs;
  if (!many_ended && !many_fell_silent) return false;
  peak_sessions_ = sessions;
  cooled_ = cooled;
  looks_to_wait_ = looks_between;
  return true;
}

}  // namespace imapmeter::proxy
