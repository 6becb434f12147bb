#include "proxy/imap/outstanding_table.h"

#include <utility>

namespace imapmeter::imap {

bool OutstandingTable::add(const OutstandingCommand& command) noexcept {
  if (size_ == (block_ ? tag_block_size : inline_size) && !grow()) return false;
  ++size_;
  *slot(size_ - 1U) = command;
  return true;
}

std::size_t OutstandingTable::find(const TagHash& tag) const noexcept {
  for (std::size_t index = 0; index < size_; ++index) {
    if ((*this)[index].has(tag)) return index;
  }
  return none;
}

void OutstandingTable::remove(std::size_t index) noexcept {
  if (block_ && index == 0) {  // the usual case: answered in order
    first_ = static_cast<std::uint16_t>((first_ + 1U) % tag_block_size);
  } else {
    for (std::size_t next = index + 1; next < size_; ++next) *slot(next - 1) = *slot(next);
  }
  --size_;
  if (block_ && size_ <= inline_size) shrink();
}

void OutstandingTable::clear() noexcept {
  size_ = 0;
  if (block_) shrink();
}

bool OutstandingTable::grow() noexcept {
  if (block_ || pool_ == nullptr) return false;
  std::unique_ptr<TagBlock> block = pool_->borrow();
  if (!block) return false;
  for (std::size_t index = 0; index < size_; ++index) block->commands[index] = own_[index];
  first_ = 0;
  block_ = std::move(block);
  return true;
}

void OutstandingTable::shrink() noexcept {
  for (std::size_t index = 0; index < size_; ++index) own_[index] = *slot(index);
  pool_->give_back(std::move(block_));
}

}  // namespace imapmeter::imap
