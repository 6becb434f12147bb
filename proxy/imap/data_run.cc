#include "proxy/imap/data_run.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>

#include "proxy/imap/line_framer.h"
#include "proxy/imap/message_literal.h"
#include "proxy/imap/octets.h"

namespace imapmeter::imap {
namespace {

constexpr std::ptrdiff_t most_digits = 10;
constexpr std::ptrdiff_t most_literal_digits = 9;

// The head of a response, up to where its line end is looked for.
struct Head {
  const char* behind = nullptr;  // null: none of a run
  DataKeyword keyword = DataKeyword::fetch;
};

bool begins(const char* at, const char* end, std::string_view with) noexcept {
  return end - at > static_cast<std::ptrdiff_t>(with.size()) && std::memcmp(at, with.data(), with.size()) == 0;
}

// `end` is behind an LF, which ends any number.
Head read_head(const char* at, const char* end) noexcept {
  if (at[0] != '*' || at[1] != ' ') return {};
  const char* digit = at + 2;
  while (is_digit(*digit)) ++digit;
  if (digit == at + 2 || digit - at > 2 + most_digits) return {};
  if (begins(digit, end, " FETCH ")) return {digit + 7, DataKeyword::fetch};
  if (begins(digit, end, " EXISTS\r")) return {digit + 8, DataKeyword::exists};
  if (begins(digit, end, " EXPUNGE\r")) return {digit + 9, DataKeyword::expunge};
  if (begins(digit, end, " RECENT\r")) return {digit + 8, DataKeyword::recent};
  return {};
}

// Of the part of a line that goes on at `at`, its LF; null where the part is not as a run has it.
const char* find_line_end(const char* at) noexcept {
  const char* const found = ::strchrnul(at, lf);
  return *found == lf && found[-1] == cr ? found : nullptr;
}

// The same behind a literal, which is mostly the last.
const char* find_part_end(const char* at) noexcept {
  return at[0] == ')' && at[1] == cr && at[2] == lf ? at + 2 : find_line_end(at);
}

// What QuoteState tells, in fewer searches as long as no quote could be escaped.
bool quote_open(std::string_view items) noexcept {
  QuoteState quotes;
  std::size_t from = 0;
  for (;;) {
    const std::size_t quote = items.find('"', from);
    if (quote == std::string_view::npos) return quotes.open;
    if (quote != 0 && items[quote - 1] == '\\') break;
    quotes.open = !quotes.open;
    from = quote + 1;
  }
  quotes.fold(items.substr(from));
  return quotes.open;
}

struct Literal {
  std::size_t size = 0;
  bool message = false;
};

// What the part of a line at `at` announces with the `}` at `close`.
std::optional<Literal> read_marker(const char* at, const char* close) noexcept {
  Literal literal;
  std::size_t place = 1;
  const char* digit = close;
  while (digit - 1 > at && is_digit(digit[-1]) && close - digit < most_literal_digits) {
    --digit;
    literal.size += place * static_cast<std::size_t>(*digit - '0');
    place *= 10;
  }
  if (digit == close || digit[-1] != '{') return std::nullopt;
  const std::string_view items(at, static_cast<std::size_t>(digit - 1 - at));
  if (quote_open(items)) return std::nullopt;
  literal.message = literal.size != 0 && MessageLiteral::is_message(items);
  return literal;
}

// Adds the literals of the response at `at`, whose first part ends with `line_end` and announces one; what follows it,
// or null where it is none of a run.
const char* take_literals(const char* at, const char* line_end, const char* end, DataRun& run) noexcept {
  DataRun found;
  while (line_end[-2] == '}') {
    const char* const next = line_end + 1;
    const auto literal = read_marker(at, line_end - 2);
    if (!literal || literal->size >= static_cast<std::size_t>(end - next)) return nullptr;
    found.message = found.message || literal->message;
    found.literals += literal->size;
    ++found.announced;
    at = next + literal->size;
    if (*at != ' ' && *at != ')') return nullptr;
    line_end = find_part_end(at);
    if (line_end == nullptr) return nullptr;
  }
  run.announced += found.announced;
  run.literals += found.literals;
  run.message = found.message;
  return line_end + 1;
}

std::uint32_t saturated(std::size_t octets) noexcept {
  return static_cast<std::uint32_t>(std::min<std::size_t>(octets, UINT32_MAX));
}

}  // namespace

const char* DataReader::lines_end() noexcept {
  if (end_ == nullptr) {
    const void* const last = ::memrchr(read_.data(), lf, read_.size());
    end_ = last == nullptr ? read_.data() : static_cast<const char*>(last) + 1;
  }
  return end_;
}

DataRun DataReader::take(std::span<const char> octets) noexcept {
  DataRun run;
  const char* const end = lines_end();
  const char* at = octets.data();
  while (at < end && run.responses < DataRun::most_responses && !run.message) {
    const Head head = read_head(at, end);
    if (head.behind == nullptr || (run.responses != 0 && head.keyword != run.keyword)) break;
    const char* next = head.behind + 1;
    if (head.keyword == DataKeyword::fetch) {
      const char* const line_end = find_line_end(head.behind);
      if (line_end == nullptr) break;
      next = line_end[-2] == '}' ? take_literals(at, line_end, end, run) : line_end + 1;
      if (next == nullptr) break;
    } else if (*head.behind != lf) {
      break;
    }
    at = next;
    run.keyword = head.keyword;
    ++run.responses;
  }
  run.taken = static_cast<std::size_t>(at - octets.data());
  // of the parts of a response only the last counts its LF
  run.octets = saturated(run.taken - run.literals - run.announced);
  return run;
}

DataRun DataReader::take_parts(std::span<const char> octets) noexcept {
  DataRun run;
  const char* const end = lines_end();
  const char* at = octets.data();
  while (at < end && (*at == ' ' || *at == ')')) {
    const char* const line_end = find_line_end(at);
    if (line_end == nullptr || line_end[-2] != '}') break;
    const auto literal = read_marker(at, line_end - 2);
    const char* const next = line_end + 1;
    if (!literal || literal->size > static_cast<std::size_t>(octets.data() + octets.size() - next)) break;
    run.message = run.message || literal->message;
    run.literals += literal->size;
    ++run.announced;
    at = next + literal->size;
  }
  run.taken = static_cast<std::size_t>(at - octets.data());
  run.octets = saturated(run.taken - run.literals - run.announced);
  return run;
}

}  // namespace imapmeter::imap
