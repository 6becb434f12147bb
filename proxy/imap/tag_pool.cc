#include "proxy/imap/tag_pool.h"

#include <new>
#include <utility>

namespace imapmeter::imap {

TagPool::~TagPool() {
  // one by one: a chain of destructors would recurse
  while (free_) free_ = std::move(free_->next);
}

std::unique_ptr<TagBlock> TagPool::borrow() noexcept {
  if (free_) {
    std::unique_ptr<TagBlock> block = std::move(free_);
    free_ = std::move(block->next);
    return block;
  }
  if (left_ == 0) return nullptr;
  std::unique_ptr<TagBlock> block(new (std::nothrow) TagBlock);
  if (block) --left_;
  return block;
}

void TagPool::give_back(std::unique_ptr<TagBlock> block) noexcept {
  if (!block) return;
  block->next = std::move(free_);
  free_ = std::move(block);
}

}  // namespace imapmeter::imap
