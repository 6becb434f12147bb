// Counts what operator new is asked for, and refuses on order.
#include <atomic>
#include <cstdlib>
#include <new>
#include <utility>

#include "tests/fuzz/fuzzing.h"

namespace {

std::atomic<std::size_t> count{0};
thread_local bool refuse = false;

}  // namespace

std::size_t imapmeter::fuzz::allocations() noexcept { return count; }
void imapmeter::fuzz::refuse_allocation(bool next) noexcept { refuse = next; }

void* operator new(std::size_t size) {
  ++count;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  ++count;
  return std::exchange(refuse, false) ? nullptr : std::malloc(size);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
