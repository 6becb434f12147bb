// Room for the outstanding commands of the few sessions that pipeline deeply (FAULTS.md B11).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "proxy/imap/event.h"
#include "proxy/imap/status.h"
#include "proxy/imap/tag_hash.h"

namespace imapmeter::imap {

// A command that was begun and not answered. Its tag is kept as a length and a keyed hash only.
struct OutstandingCommand {
  std::uint64_t tag_hash = 0;
  TimePoint since{};             // when the line of it that was read last ended; of an IDLE let in: when its `+` did
  std::uint16_t tag_length = 0;  // saturates
  std::uint16_t messages = 0;    // of an APPEND
  std::uint16_t owed = 0;        // continuation requests that the client waits for, or should have waited for
  Command command = Command::other;
  Mechanism mechanism : 4 = Mechanism::other;  // CommandLine's
  bool impatient : 1 = false;                  // it sent octets of a literal that was not asked for yet
  bool cancelled : 1 = false;                  // the last line of its SASL exchange was `*`
  bool idling : 1 = false;                     // an IDLE that was let in

  static constexpr std::uint16_t length_of(const TagHash& tag) noexcept {
    return static_cast<std::uint16_t>(std::min<std::uint32_t>(tag.length, UINT16_MAX));
  }
  bool has(const TagHash& tag) const noexcept { return tag_hash == tag.value && tag_length == length_of(tag); }
};
static_assert(sizeof(OutstandingCommand) == 24);

inline constexpr std::size_t tag_block_size = 256;

struct TagBlock {
  std::array<OutstandingCommand, tag_block_size> commands;
  std::unique_ptr<TagBlock> next;  // in the free list
};

// Lends blocks of 256 outstanding commands; never more than `max_blocks` exist. One per worker, used on its thread
// only, outlives the sessions. A block is allocated when it is first needed and then kept.
class TagPool {
 public:
  explicit TagPool(std::size_t max_blocks) noexcept : left_(max_blocks) {}
  TagPool(const TagPool&) = delete;
  TagPool& operator=(const TagPool&) = delete;
  ~TagPool();

  // Null when the cap is reached or memory is short.
  std::unique_ptr<TagBlock> borrow() noexcept;
  void give_back(std::unique_ptr<TagBlock> block) noexcept;

 private:
  std::unique_ptr<TagBlock> free_;
  std::size_t left_;  // blocks that may still be allocated
};

}  // namespace imapmeter::imap
