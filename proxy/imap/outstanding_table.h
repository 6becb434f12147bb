// The commands of one session that were begun and not answered, oldest first.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "proxy/imap/tag_pool.h"

namespace imapmeter::imap {

// Holds 4 commands itself, 256 with a block lent by the pool. A tag may be in it several times (RFC 9051 section
// 2.2.1 lets clients reuse tags): the oldest comes first.
class OutstandingTable {
 public:
  static constexpr std::size_t inline_size = 4;
  static constexpr std::size_t none = static_cast<std::size_t>(-1);

  explicit OutstandingTable(TagPool* pool) noexcept : pool_(pool) {}
  OutstandingTable(const OutstandingTable&) = delete;
  OutstandingTable& operator=(const OutstandingTable&) = delete;
  ~OutstandingTable() { clear(); }

  std::size_t size() const noexcept { return size_; }
  OutstandingCommand& operator[](std::size_t index) noexcept { return *slot(index); }
  const OutstandingCommand& operator[](std::size_t index) const noexcept {
    return *const_cast<OutstandingTable*>(this)->slot(index);
  }
  // False when there is no room: the command stays untracked.
  bool add(const OutstandingCommand& command) noexcept;
  // The oldest command with this tag.
  std::size_t find(const TagHash& tag) const noexcept;
  void remove(std::size_t index) noexcept;
  void clear() noexcept;

 private:
  OutstandingCommand* slot(std::size_t index) noexcept {
    return block_ ? &block_->commands[(first_ + index) % tag_block_size] : &own_[index];
  }
  bool grow() noexcept;
  void shrink() noexcept;

  TagPool* pool_;
  std::unique_ptr<TagBlock> block_;  // a ring
  std::array<OutstandingCommand, inline_size> own_{};
  std::uint16_t first_ = 0;  // of the ring
  std::uint16_t size_ = 0;
};

}  // namespace imapmeter::imap
