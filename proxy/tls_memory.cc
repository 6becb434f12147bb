#include "proxy/tls_memory.h"

#include <malloc.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <cstdlib>
#include <new>
#include <stdexcept>
#include <utility>

namespace imapmeter::proxy {
namespace {

// As glibc cuts them: 24 octets, 40, 56, and so on, each with a header of 8.
constexpr std::size_t list_for(std::size_t octets) noexcept { return std::max<std::size_t>(octets + 7, 16) / 16; }
constexpr std::size_t octets_of(std::size_t list) noexcept { return 16 * list + 8; }

thread_local constinit BlockCache cache;

}  // namespace

void* BlockCache::allocate(std::size_t octets) noexcept {
  if (octets == 0) return nullptr;
  if (octets > largest) return std::malloc(octets);
  const std::size_t list = list_for(octets);
  Free* const block = lists_[list];
  if (block == nullptr) return std::malloc(octets_of(list));
  lists_[list] = block->next;
  kept_ -= octets_of(list);
  return block;
}

void* BlockCache::reallocate(void* block, std::size_t octets) noexcept {
  if (octets > 0) return std::realloc(block, octets);
  release(block);
  return nullptr;
}

void BlockCache::release(void* block) noexcept {
  if (block == nullptr) return;
  const std::size_t octets = malloc_usable_size(block);
  if (octets < octets_of(1) || octets > octets_of(lists_.size() - 1)) return std::free(block);
  const std::size_t list = (octets - 8) / 16;
  if (kept_ + octets_of(list) > most_kept) return std::free(block);
  lists_[list] = new (block) Free{lists_[list]};
  kept_ += octets_of(list);
}

void BlockCache::clear() noexcept {
  for (Free*& list : lists_)
    while (list != nullptr) std::free(std::exchange(list, list->next));
  kept_ = 0;
}

void keep_tls_memory() {
#ifndef IMAPMETER_SANITIZED
  const int taken = CRYPTO_set_mem_functions(
      [](std::size_t octets, const char*, int) { return cache.allocate(octets); },
      [](void* block, std::size_t octets, const char*, int) { return cache.reallocate(block, octets); },
      [](void* block, const char*, int) { cache.release(block); });
  if (taken != 1) throw std::logic_error("OpenSSL was used before its memory was taken over");
#endif
}

void give_tls_memory_back() noexcept { cache.clear(); }

}  // namespace imapmeter::proxy
