// OpenSSL's small blocks, which each thread keeps for its next handshake: a resumed one takes and gives back 700.
// malloc(3) keeps seven of each size at hand and merges and cuts the others again, which is 3 % of the handshake.
#pragma once

#include <array>
#include <cstddef>

namespace imapmeter::proxy {

// Before malloc(3), on one thread; a block may come from, or go to, another one's. Keeps what it is given back until
// clear(), most_kept octets at most, and is left by whoever ends: no destructor.
class BlockCache {
 public:
  static constexpr std::size_t largest = 4096;  // octets of a block that is kept
  static constexpr std::size_t most_kept = std::size_t{512} << 10;

  void* allocate(std::size_t octets) noexcept;  // nullptr for none, and when out of memory
  // As realloc(3), with a block of allocate() or nullptr; 0 octets give it back, and are nullptr.
  void* reallocate(void* block, std::size_t octets) noexcept;
  void release(void* block) noexcept;  // of allocate(), or nullptr
  void clear() noexcept;
  std::size_t kept() const noexcept { return kept_; }  // octets

 private:
  struct Free {
    Free* next;
  };
  std::array<Free*, largest / 16 + 1> lists_{};  // list n: blocks of 16 n + 8 octets
  std::size_t kept_ = 0;
};

// From here on, for all of OpenSSL; throws std::logic_error when that has allocated something before. Does nothing
// under a sanitizer, which has to see each block.
void keep_tls_memory();
// The cache of this thread is cleared.
void give_tls_memory_back() noexcept;

}  // namespace imapmeter::proxy
