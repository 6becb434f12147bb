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

void LiteralMarker::step(char octet) noexcept {
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

void LiteralMarker::digit(char octet) noexcept {
  stage_ = Stage::digits;
  const auto value = static_cast<std::uint64_t>(octet - '0');
  if (size_ > (max_literal - value) / 10) {
    too_large_ = true;  // for good: more digits never make it smaller
  } else {
    size_ = size_ * 10 + value;
  }
}

void QuoteState::fold(std::span<const char> octets) noexcept {
  while (!octets.empty()) {
    if (!open) {
      const char* quote = find(octets, '"');
      if (quote == nullptr) return;
      open = true;
      octets = octets.subspan(static_cast<std::size_t>(quote - octets.data()) + 1);
      continue;
    }
    const char c = octets.front();
    octets = octets.subspan(1);
    if (escaped) {
      escaped = false;
    } else if (c == '\\') {
      escaped = true;
    } else if (c == '"') {
      open = false;
    }
  }
}

LineFramer::Part LineFramer::take_part(std::span<const char> octets, bool markers) noexcept {
  const char* end = find(octets, lf);
  const std::span<const char> content =
      end == nullptr ? octets : octets.first(static_cast<std::size_t>(end - octets.data()));
  if (!content.empty()) {
    last_cr_ = content.back() == cr;
    nul_ = nul_ || find(content, '\0') != nullptr;
    if (markers) {
      marker_.fold(content);
      if (end == nullptr || marker_.complete()) quote_.fold(content);
    }
  }
  return {content.size() + (end == nullptr ? 0U : 1U), end != nullptr};
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
