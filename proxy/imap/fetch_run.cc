#include "proxy/imap/fetch_run.h"

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

// Behind `* n FETCH `; null where that is not what is there.
const char* skip_head(const char* at, const char* end) noexcept {
  if (end - at < 2 || at[0] != '*' || at[1] != ' ') return nullptr;
  const char* const number = at + 2;
  const char* digit = number;
  while (digit < end && is_digit(*digit)) ++digit;
  const bool fits = digit != number && digit - number <= most_digits;
  if (!fits || end - digit <= static_cast<std::ptrdiff_t>(name.size())) return nullptr;
  return std::memcmp(digit, name.data(), name.size()) == 0 ? digit + name.size() : nullptr;
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

// Adds the response at `at`; what follows it, or null where it is none of a run. `end` is behind an LF.
const char* take_response(const char* at, const char* end, FetchRun& run) noexcept {
  std::size_t octets = 1;
  std::size_t literals = 0;
  bool message = false;
  const char* part = at;
  const char* search = skip_head(at, end);
  if (search == nullptr) return nullptr;
  for (;;) {
    const char* const line_end = ::strchrnul(search, lf);
    if (*line_end != lf || line_end[-1] != cr) return nullptr;
    octets += static_cast<std::size_t>(line_end - part);
    const char* const next = line_end + 1;
    if (line_end[-2] != '}') {
      run.octets += static_cast<std::uint32_t>(octets);
      run.announced = run.announced || part != at;
      run.literals += literals;
      run.message = message;
      ++run.responses;
      return next;
    }
    const auto size = literal_size(part, line_end - 2);
    if (!size || *size >= static_cast<std::size_t>(end - next)) return nullptr;
    const std::span<const char> announced(part, next);
    QuoteState quote;
    quote.fold(announced);
    if (quote.open) return nullptr;
    MessageLiteral literal;
    literal.fold(announced);
    message = message || (*size != 0 && literal.found());
    literals += *size;
    part = search = next + *size;
    if (*part != ' ' && *part != ')') return nullptr;
  }
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
    const char* const next = take_response(at, end_, run);
    if (next == nullptr) break;
    at = next;
  }
  run.taken = static_cast<std::size_t>(at - octets.data());
  return run;
}

}  // namespace imapmeter::imap
