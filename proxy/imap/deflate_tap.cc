#include "proxy/imap/deflate_tap.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <string_view>

namespace imapmeter::imap {
namespace {

constexpr int raw_deflate = -15;  // no header, 32 KiB of history
constexpr std::string_view flush_mark{"\x00\x00\xff\xff", 4};
constexpr std::uint32_t flush_mark_value = 0x0000ffff;
// z_stream::data_type: a block has ended, no bit of the last octet is unused, and it was not the last block.
constexpr int between_blocks = 128;

// What zlib may allocate: given out once, taken back all at once.
struct Arena {
  std::size_t used = 0;
  alignas(std::max_align_t) std::array<unsigned char, inflater_memory> memory;
};

void* allocate(void* opaque, uInt items, uInt size) noexcept {
  Arena& arena = *static_cast<Arena*>(opaque);
  constexpr std::size_t alignment = alignof(std::max_align_t);
  const std::size_t octets = (std::size_t{items} * size + alignment - 1) / alignment * alignment;
  if (octets > arena.memory.size() - arena.used) return nullptr;
  void* const room = arena.memory.data() + arena.used;
  arena.used += octets;
  return room;
}

void deallocate(void* /*opaque*/, void* /*room*/) noexcept {}

// One direction.
class Stream {
 public:
  Stream() noexcept {
    zlib_.zalloc = allocate;
    zlib_.zfree = deallocate;
    zlib_.opaque = &arena_;
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() { explicit_bzero(arena_.memory.data(), arena_.memory.size()); }

  bool start() noexcept {
    arena_.used = 0;
    tail_ = ~std::uint32_t{0};
    usable_ = inflateInit2(&zlib_, raw_deflate) == Z_OK;
    return usable_;
  }

  Inflater::Step inflate(std::span<const char> octets, std::span<char> room) noexcept {
    if (!usable_) return {0, {}, Inflation::failed};
    const std::span<const char> input = octets.first(to_flush_mark(octets));
    // zlib does not write what it reads
    zlib_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input.data()));
    zlib_.avail_in = static_cast<uInt>(input.size());
    zlib_.next_out = reinterpret_cast<Bytef*>(room.data());
    zlib_.avail_out = static_cast<uInt>(room.size());
    const int result = ::inflate(&zlib_, Z_SYNC_FLUSH);
    const std::size_t taken = input.size() - zlib_.avail_in;
    const std::span<char> out = room.first(room.size() - zlib_.avail_out);
    note(input.first(taken));
    return {taken, out, state(result, out.empty())};
  }

 private:
  // How many octets to take at once: all before the last one of the next 00 00 FF FF, which may have begun in octets
  // taken before; if that is the first one, it alone.
  std::size_t to_flush_mark(std::span<const char> octets) const noexcept {
    std::uint32_t tail = tail_;
    for (std::size_t i = 0; i < std::min(octets.size(), flush_mark.size() - 1); ++i) {
      tail = (tail << 8U) | static_cast<unsigned char>(octets[i]);
      if (tail == flush_mark_value) return std::max(i, std::size_t{1});
    }
    const std::size_t mark = std::string_view(octets.data(), octets.size()).find(flush_mark);
    return mark == std::string_view::npos ? octets.size() : mark + flush_mark.size() - 1;
  }

  void note(std::span<const char> taken) noexcept {
    for (const char c : taken.last(std::min(taken.size(), flush_mark.size()))) {
      tail_ = (tail_ << 8U) | static_cast<unsigned char>(c);
    }
  }

  Inflation state(int result, bool silent) noexcept {
    if (result == Z_STREAM_END) {
      usable_ = false;
      return Inflation::ended;
    }
    if (result != Z_OK && result != Z_BUF_ERROR) {
      usable_ = false;
      return Inflation::failed;
    }
    if (tail_ == flush_mark_value && silent && zlib_.data_type == between_blocks) {
      tail_ = ~std::uint32_t{0};  // told once
      return Inflation::flushed;
    }
    return zlib_.avail_out == 0 ? Inflation::full : Inflation::more;
  }

  z_stream zlib_{};
  std::uint32_t tail_ = 0;  // the last four octets taken
  bool usable_ = false;
  Arena arena_;
};

class DeflateTap final : public Inflater {
 public:
  DeflateTap(InflatedSessions& sessions, std::span<char> out) noexcept : sessions_(sessions), out_(out) {}
  ~DeflateTap() override {
    overwrite();
    sessions_.count.fetch_sub(1, std::memory_order_relaxed);
  }

  bool start() noexcept {
    return std::all_of(streams_.begin(), streams_.end(), [](Stream& each) { return each.start(); });
  }

  void start(Direction direction) noexcept override { stream(direction).start(); }
  Step inflate(Direction direction, std::span<const char> octets) noexcept override {
    const Step step = stream(direction).inflate(octets, out_);
    written_ = std::max(written_, step.out.size());
    return step;
  }
  void wipe() noexcept override { overwrite(); }

 private:
  void overwrite() noexcept {
    explicit_bzero(out_.data(), written_);
    written_ = 0;
  }
  Stream& stream(Direction direction) noexcept { return streams_[static_cast<std::size_t>(direction)]; }

  InflatedSessions& sessions_;
  std::span<char> out_;
  std::size_t written_ = 0;  // octets of out_ since the last wipe()
  std::array<Stream, direction_count> streams_;
};

}  // namespace

std::unique_ptr<Inflater> DeflateTaps::make() noexcept {
  if (sessions_.count.fetch_add(1, std::memory_order_relaxed) >= sessions_.limit) {
    sessions_.count.fetch_sub(1, std::memory_order_relaxed);
    return nullptr;
  }
  std::unique_ptr<DeflateTap> tap(new (std::nothrow) DeflateTap(sessions_, out_));
  if (!tap) {
    sessions_.count.fetch_sub(1, std::memory_order_relaxed);
    return nullptr;
  }
  if (!tap->start()) return nullptr;
  return tap;
}

}  // namespace imapmeter::imap
