#include "proxy/imap/line_framer.h"

#include <algorithm>
#include <cstring>

#include "proxy/imap/octets.h"

namespace imapmeter::imap {
namespace {

constexpr std::uint64_t max_literal = (std::uint64_t{1} << 63) - 1;  // number64, RFC 9051 section 9

const char* find(std::span<const char> octets, char wanted) noexcept {
  if (octets.empty()) return nullptr;
  return static_cast<const char*>(std::memchr(octets.data(), wanted, octets.size()));
}

}  // namespace

inline void LiteralMarker::digit(char octet) noexcept {
  stage_ = Stage::digits;
  const auto value = static_cast<std::uint64_t>(octet - '0');
  if (size_ > (max_literal - value) / 10) {
    too_large_ = true;  // for good: more digits never make it smaller
  } else {
    size_ = size_ * 10 + value;
  }
}

inline void LiteralMarker::step(char octet) noexcept {
  if (octet == '{') {
    start();
    stage_ = Stage::open;
  } else if (is_digit(octet) && (stage_ == Stage::open || stage_ == Stage::digits)) {
    digit(octet);
  } else if (octet == '+' && stage_ == Stage::digits) {
    stage_ = Stage::plus;
    plus_ = true;
  } else if (octet == '}' && (stage_ == Stage::digits || stage_ == Stage::plus)) {
    stage_ = Stage::closed;
  } else if (octet == cr && stage_ == Stage::closed) {
    stage_ = Stage::cr;
  } else {
    start();
  }
}

void LiteralMarker::fold(std::span<const char> octets) noexcept {
  // Only what stands after the last octet that cannot be part of a marker matters.
  std::size_t from = octets.size();
  while (from > 0) {
    const char c = octets[from - 1];
    if (c == '{') {
      --from;
      break;
    }
    if (!is_digit(c) && c != '+' && c != '}' && c != cr) {
      start();
      return;
    }
    --from;
  }
  for (const char c : octets.subspan(from)) step(c);
}

void QuoteState::fold(std::span<const char> octets) noexcept {
  const char* at = octets.data();
  const char* const end = at + octets.size();
  while (at != end) {
    if (open) {
      at = close(at, end);
    } else {
      const char* const quote = find({at, end}, '"');
      if (quote == nullptr) return;
      open = true;
      at = quote + 1;
    }
  }
}

const char* QuoteState::close(const char* at, const char* end) noexcept {
  const char* const quote = find({at, end}, '"');
  const char* const rest = quote == nullptr ? end : quote;
  if (!escaped && find({at, rest}, '\\') == nullptr) {
    open = quote == nullptr;
    return open ? end : quote + 1;
  }
  for (; at != end; ++at) {
    if (escaped) {
      escaped = false;
    } else if (*at == '\\') {
      escaped = true;
    } else if (*at == '"') {
      open = false;
      return at + 1;
    }
  }
  return at;
}

LineFramer::Part LineFramer::find_end(std::span<const char> octets) noexcept {
  const char* end = find(octets, lf);
  return {end == nullptr ? octets.size() : static_cast<std::size_t>(end - octets.data()) + 1, end != nullptr};
}

void LineFramer::take(std::span<const char> content, bool ended, bool markers) noexcept {
  if (content.empty()) return;
  last_cr_ = content.back() == cr;
  nul_ = nul_ || find(content, '\0') != nullptr;
  if (!markers) return;
  const std::size_t size = content.size() - (last_cr_ ? 1 : 0);
  if (ended && (size == 0 ? !marker_.begun() : content[size - 1] != '}')) return marker_.start();
  marker_.fold(content);
  if (!ended || marker_.complete()) quote_.fold(content);
}

LineFramer::Part LineFramer::take_part(std::span<const char> octets, bool markers) noexcept {
  const Part part = find_end(octets);
  take(octets.first(part.octets - (part.ended ? 1 : 0)), part.ended, markers);
  return part;
}

void LineFramer::begin_literal() noexcept {
  const LiteralMarker announced = marker_;
  begin_part();
  if (announced.size() != 0) marker_ = announced;
}

std::size_t LineFramer::take_literal(std::size_t available) noexcept {
  const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(marker_.size(), available));
  marker_.count_down(taken);
  if (marker_.size() == 0) marker_.start();
  return taken;
}

void LineFramer::begin_part() noexcept { *this = LineFramer{}; }

}  // namespace imapmeter::imap
