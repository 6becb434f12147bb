#include "proxy/imap/fetch_run.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>

#include "proxy/imap/line_framer.h"
#include "proxy/imap/message_literal.h"
#include "proxy/imap/octets.h"

namespace imapmeter::imap {
namespace {

constexpr std::string_view name = " FETCH ";
constexpr std::ptrdiff_t most_digits = 10;
constexpr std::ptrdiff_t most_literal_digits = 9;

// Behind `* n FETCH `; null where that is not what is there. `end` is behind an LF, which ends any number.
const char* skip_head(const char* at, const char* end) noexcept {
  if (at[0] != '*' || at[1] != ' ') return nullptr;
  const char* digit = at + 2;
  while (is_digit(*digit)) ++digit;
  const bool fits = digit != at + 2 && digit - at <= 2 + most_digits;
  if (!fits || end - digit <= static_cast<std::ptrdiff_t>(name.size())) return nullptr;
  return std::memcmp(digit, name.data(), name.size()) == 0 ? digit + name.size() : nullptr;
}

// Of the part of a line that goes on at `at`, its LF; null where the part is not as a run has it.
const char* find_line_end(const char* at) noexcept {
  const char* const found = ::strchrnul(at, lf);
  return *found == lf && found[-1] == cr ? found : nullptr;
}

// Of the literal that is announced in front of `close`, its `}`.
std::optional<std::size_t> literal_size(const char* begin, const char* close) noexcept {
  std::size_t size = 0;
  std::size_t place = 1;
  const char* digit = close;
  while (digit - 1 > begin && is_digit(digit[-1]) && close - digit < most_literal_digits) {
    --digit;
    size += place * static_cast<std::size_t>(*digit - '0');
    place *= 10;
  }
  if (digit == close || digit[-1] != '{') return std::nullopt;
  return size;
}

// Adds the literals of the response at `at`, whose first part ends with `line_end` and announces one; what follows it,
// or null where it is none of a run.
const char* take_literals(const char* at, const char* line_end, const char* end, FetchRun& run) noexcept {
  std::size_t literals = 0;
  std::uint32_t count = 0;
  bool message = false;
  while (line_end[-2] == '}') {
    const char* const next = line_end + 1;
    const auto size = literal_size(at, line_end - 2);
    if (!size || *size >= static_cast<std::size_t>(end - next)) return nullptr;
    const std::span<const char> announced(at, next);
    QuoteState quote;
    quote.fold(announced);
    if (quote.open) return nullptr;
    MessageLiteral literal;
    literal.fold(announced);
    message = message || (*size != 0 && literal.found());
    literals += *size;
    ++count;
    at = next + *size;
    if (*at != ' ' && *at != ')') return nullptr;
    line_end = find_line_end(at);
    if (line_end == nullptr) return nullptr;
  }
  run.announced += count;
  run.literals += literals;
  run.message = message;
  return line_end + 1;
}

}  // namespace

FetchRun FetchReader::take(std::span<const char> octets) noexcept {
  if (end_ == nullptr) {
    const void* const last = ::memrchr(read_.data(), lf, read_.size());
    end_ = last == nullptr ? read_.data() : static_cast<const char*>(last) + 1;
  }
  FetchRun run;
  const char* at = octets.data();
  while (at < end_ && run.responses < FetchRun::most_responses && !run.message) {
    const char* const items = skip_head(at, end_);
    const char* const line_end = items == nullptr ? nullptr : find_line_end(items);
    if (line_end == nullptr) break;
    const char* const next = line_end[-2] == '}' ? take_literals(at, line_end, end_, run) : line_end + 1;
    if (next == nullptr) break;
    at = next;
    ++run.responses;
  }
  run.taken = static_cast<std::size_t>(at - octets.data());
  // of the parts of a response only the last counts its LF
  run.octets = static_cast<std::uint32_t>(std::min<std::size_t>(run.taken - run.literals - run.announced, UINT32_MAX));
  return run;
}

}  // namespace imapmeter::imap
