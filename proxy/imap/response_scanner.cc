#include "proxy/imap/response_scanner.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "proxy/imap/octets.h"
#include "proxy/imap/status_names.h"

namespace imapmeter::imap {
namespace {

// A first line of this length without LF is no greeting of any server (METRICS.md, opaque `parser`).
constexpr std::uint32_t max_first_line = 8192;

// The conditions in the order of their enum, then keywords of data.
constexpr std::array<std::string_view, 17> first_words = {
    "OK",   "NO",     "BAD",     "PREAUTH", "BYE",      "CAPABILITY", "ENABLED",  "FLAGS",     "LIST",
    "LSUB", "SEARCH", "ESEARCH", "STATUS",  "VANISHED", "ID",         "LANGUAGE", "MULTIPLEX",
};
// What those keywords count as; the last three are known because a server may say them before login.
constexpr std::array<DataKeyword, first_words.size() - condition_count> first_keywords = {
    DataKeyword::capability, DataKeyword::enabled, DataKeyword::flags,   DataKeyword::list,
    DataKeyword::lsub,       DataKeyword::search,  DataKeyword::esearch, DataKeyword::status,
    DataKeyword::vanished,   DataKeyword::other,   DataKeyword::other,   DataKeyword::other,
};
constexpr std::size_t before_login_words = 3;
constexpr std::array<std::string_view, 4> numbered_words = {"EXISTS", "RECENT", "EXPUNGE", "FETCH"};
constexpr std::array<DataKeyword, 4> numbered_keywords = {DataKeyword::exists, DataKeyword::recent,
                                                          DataKeyword::expunge, DataKeyword::fetch};
constexpr auto numbered_table = WordTable<numbered_words.size()>::make(numbered_words);
constexpr auto first_word_table = WordTable<first_words.size()>::make(first_words);
constexpr auto code_table = WordTable<response_code_count - 2>::make(response_code_names);

constexpr bool ends_line(char octet) noexcept { return octet == cr || octet == lf; }

// Between what, in the arguments of this code, a `]` is not its end; an octet that cannot occur where nothing is.
constexpr std::string_view inner_brackets(ResponseCode code) noexcept {
  if (code == ResponseCode::permanentflags) return "()";
  return code == ResponseCode::referral || code == ResponseCode::badurl ? "[]" : "\n";
}

}  // namespace

ResponseScanner::Scan ResponseScanner::scan(std::span<const char> octets, std::uint64_t tag_key) noexcept {
  if (stage_ == Stage::ended) begin_line();
  if (stage_ == Stage::part_ended) {
    framer_.begin_literal();
    message_.start();
    stage_ = framer_.literal_left() == 0 ? Stage::after_literal : Stage::literal;
  }
  if (stage_ == Stage::literal) return take_literal(octets.size());
  if (stage_ == Stage::after_literal) {
    const char octet = octets.front();
    stage_ = Stage::body;
    if (octet != ' ' && octet != ')' && !ends_line(octet)) return {0, Token::misfit};
  }
  std::size_t taken = 0;
  while (stage_ != Stage::body) {
    if (taken == octets.size()) return {taken, Token::more};
    const Step step = head(octets[taken], tag_key);
    if (step == Step::list) return {taken, Token::list};
    if (step == Step::leave) continue;
    ++taken;
    count(1);
    if (step == Step::tag) return {taken, Token::tag};
    if (too_long()) return {taken, Token::unreadable};
  }
  if (taken == octets.size()) return {taken, Token::more};
  const Scan body = take_body(octets.subspan(taken));
  return {taken + body.taken, body.token};
}

void ResponseScanner::distrust_line() noexcept {
  distrusted_ = true;
  args_ = Args::none;
  stage_ = Stage::body;
}

bool ResponseScanner::skip(std::size_t octets) noexcept {
  count(octets);
  return !too_long();
}

void ResponseScanner::count(std::size_t octets) noexcept {
  length_ = static_cast<std::uint32_t>(std::min<std::size_t>(length_ + octets, UINT32_MAX));
}

bool ResponseScanner::too_long() const noexcept { return first_line_ && length_ >= max_first_line; }

void ResponseScanner::begin_line() noexcept {
  framer_.begin_part();
  message_.start();
  line_ = ResponseLine{};
  length_ = 0;
  args_ = Args::none;
  first_line_ = false;
  distrusted_ = false;
  stage_ = Stage::start;
}

ResponseScanner::Scan ResponseScanner::take_literal(std::size_t available) noexcept {
  const std::size_t taken = framer_.take_literal(available);
  if (framer_.literal_left() == 0) stage_ = Stage::after_literal;
  return {taken, Token::literal};
}

// --- the head of a line -------------------------------------------------------------------------------------------

ResponseScanner::Step ResponseScanner::head(char octet, std::uint64_t tag_key) noexcept {
  switch (stage_) {
    case Stage::start:
      return head_start(octet, tag_key);
    case Stage::star:
      return head_star(octet);
    case Stage::star_space:
      return head_star_space(octet);
    case Stage::number:
      return head_number(octet);
    case Stage::number_space:
      return head_number_space(octet);
    case Stage::word:
      return head_word(octet);
    case Stage::text:
      return head_text(octet);
    case Stage::code:
      return head_code(octet);
    case Stage::plus:
      return head_plus(octet);
    case Stage::tag:
      return head_tag(octet, tag_key);
    case Stage::tag_space:
      return head_tag_space(octet);
    default:  // not part of a head
      return to_body();
  }
}

ResponseScanner::Step ResponseScanner::to_body() noexcept {
  stage_ = Stage::body;
  return Step::leave;
}

ResponseScanner::Step ResponseScanner::to_body(ResponseShape shape) noexcept {
  line_.shape = shape;
  return to_body();
}

ResponseScanner::Step ResponseScanner::head_start(char octet, std::uint64_t tag_key) noexcept {
  if (octet == '*') {
    stage_ = Stage::star;
    return Step::take;
  }
  if (octet == '+') {
    line_.shape = ResponseShape::continuation;
    stage_ = Stage::plus;
    return Step::take;
  }
  if (is_tag_char(octet)) {
    stage_ = Stage::tag;
    return head_tag(octet, tag_key);
  }
  return to_body(ends_line(octet) ? ResponseShape::empty : ResponseShape::garbage);
}

ResponseScanner::Step ResponseScanner::head_star(char octet) noexcept {
  if (octet != ' ') return to_body(ends_line(octet) ? ResponseShape::garbage : ResponseShape::no_space);
  stage_ = Stage::star_space;
  return Step::take;
}

ResponseScanner::Step ResponseScanner::head_star_space(char octet) noexcept {
  if (octet == ' ') return to_body(ResponseShape::double_space);
  if (ends_line(octet)) return to_body(ResponseShape::garbage);
  line_.shape = ResponseShape::data;
  word_.start();
  stage_ = is_digit(octet) ? Stage::number : Stage::word;
  return is_digit(octet) ? Step::take : head_word(octet);
}

ResponseScanner::Step ResponseScanner::head_number(char octet) noexcept {
  if (octet == ' ') stage_ = Stage::number_space;
  return octet == ' ' || is_digit(octet) ? Step::take : to_body();
}

// The word behind the number.
ResponseScanner::Step ResponseScanner::head_number_space(char octet) noexcept {
  if (octet != ' ' && !ends_line(octet)) return word_.step(numbered_table, octet) ? Step::take : to_body();
  const std::size_t found = word_.found(numbered_table, numbered_words.size());
  if (found < numbered_words.size()) line_.keyword = numbered_keywords[found];
  return to_body();
}

ResponseScanner::Step ResponseScanner::head_tag(char octet, std::uint64_t tag_key) noexcept {
  if (octet == ' ') {
    line_.shape = ResponseShape::tagged;
    stage_ = Stage::tag_space;
    return Step::tag;
  }
  if (!is_tag_char(octet)) return to_body(ResponseShape::garbage);
  line_.tag.step(tag_key, octet);
  return Step::take;
}

ResponseScanner::Step ResponseScanner::head_tag_space(char octet) noexcept {
  word_.start();
  stage_ = Stage::word;
  return head_word(octet);
}

ResponseScanner::Step ResponseScanner::head_word(char octet) noexcept {
  if (octet == ' ' || ends_line(octet)) return end_word(octet);
  return word_.step(first_word_table, octet) ? Step::take : to_body();
}

ResponseScanner::Step ResponseScanner::end_word(char octet) noexcept {
  const std::size_t found = word_.found(first_word_table, first_words.size());
  if (found < condition_count) {
    line_.has_condition = true;
    line_.condition = static_cast<Condition>(found);
    if (line_.shape == ResponseShape::data) line_.shape = ResponseShape::status;
    if (line_.condition == Condition::bye) bye_text_.start();
    provider_text_.start();
    if (octet == ' ') {
      stage_ = Stage::text;
      return Step::take;
    }
    line_.no_text = true;
    line_.missing_space = true;
    return to_body();
  }
  if (found < first_words.size() && line_.shape == ResponseShape::data) {
    line_.keyword = first_keywords[found - condition_count];
    line_.before_login = line_.keyword == DataKeyword::capability || found >= first_words.size() - before_login_words;
    line_.multiplex = found == first_words.size() - 1;
    to_body();
    return line_.keyword == DataKeyword::capability && octet == ' ' ? Step::list : Step::leave;
  }
  return to_body();
}

ResponseScanner::Step ResponseScanner::head_text(char octet) noexcept {
  if (octet != '[') {
    line_.no_text = ends_line(octet);
    return to_body();
  }
  text_octet(octet);
  word_.start();
  stage_ = Stage::code;
  return Step::take;
}

ResponseScanner::Step ResponseScanner::head_code(char octet) noexcept {
  if (is_atom_char(octet)) {
    word_.step(code_table, octet);
    text_octet(octet);
    return Step::take;
  }
  const bool named = word_.depth != 0;
  if (!named || (octet != ' ' && octet != ']')) {
    line_.code_unclosed = ends_line(octet);
    return to_body();
  }
  const auto other = static_cast<std::size_t>(ResponseCode::other);
  line_.code = static_cast<ResponseCode>(word_.found(code_table, other));
  args_ = Args::open;
  to_body();
  return line_.code == ResponseCode::capability && octet == ' ' ? Step::list : Step::leave;
}

ResponseScanner::Step ResponseScanner::head_plus(char octet) noexcept {
  line_.missing_space = octet != ' ';
  return to_body();
}

// --- the rest of a line -------------------------------------------------------------------------------------------

bool ResponseScanner::markers() const noexcept {
  switch (line_.shape) {
    case ResponseShape::data:
    case ResponseShape::no_space:
    case ResponseShape::double_space:
      return !first_line_ && !distrusted_;
    default:
      return line_.code == ResponseCode::badcharset && in_code();
  }
}

ResponseScanner::Scan ResponseScanner::take_body(std::span<const char> octets) noexcept {
  if (args_ != Args::none || is_refusal()) read_text(octets);
  const bool announces = markers();
  const LineFramer::Part part = framer_.take_part(octets, announces);
  count(part.octets - (part.ended ? 1 : 0));
  if (too_long() || (first_line_ && framer_.has_nul())) return {part.octets, Token::unreadable};
  const bool announced = announces && part.ended && framer_.marker().complete();
  if (line_.keyword == DataKeyword::fetch && (announced || !part.ended)) message_.fold(octets.first(part.octets));
  if (!part.ended) return {part.octets, Token::more};
  if (announced) {
    if (framer_.marker().too_large()) return {part.octets, Token::unreadable};
    if (framer_.marker().size() != 0 && line_.keyword == DataKeyword::fetch && message_.found()) line_.message = true;
    stage_ = Stage::part_ended;
    return {part.octets, Token::part};
  }
  if (args_ != Args::none && args_ != Args::closed) line_.code_unclosed = true;
  if (line_.shape == ResponseShape::empty && length_ > 1) line_.shape = ResponseShape::garbage;
  stage_ = Stage::ended;
  return {part.octets, Token::line};
}

// A condition whose text is looked at.
bool ResponseScanner::is_refusal() const noexcept {
  if (!line_.has_condition) return false;
  return line_.condition == Condition::no || line_.condition == Condition::bad || line_.condition == Condition::bye;
}

void ResponseScanner::text_octet(char octet) noexcept {
  if (!is_refusal()) return;
  provider_text_.step(octet);
  if (line_.condition == Condition::bye) bye_text_.step(octet);
}

// Looks for the end of the code, and at what is said after it.
void ResponseScanner::read_text(std::span<const char> octets) noexcept {
  for (const char octet : octets) {
    if (octet == lf || (args_ == Args::none && !is_refusal())) break;
    text_octet(octet);
    if (args_ != Args::none) argument(octet);
  }
}

void ResponseScanner::argument(char octet) noexcept {
  switch (args_) {
    case Args::none:
      break;
    case Args::open:
      if (octet == '"') args_ = Args::quoted;
      if (octet == inner_brackets(line_.code).front()) args_ = Args::inner;
      if (octet != ']') break;
      args_ = Args::closed;
      bye_text_.start();  // the text begins after the code
      break;
    case Args::quoted:
      if (octet == '"') args_ = Args::open;
      if (octet == '\\') args_ = Args::escaped;
      break;
    case Args::escaped:
      args_ = Args::quoted;
      break;
    case Args::inner:
      if (octet == inner_brackets(line_.code).back()) args_ = Args::open;
      break;
    case Args::closed:
      line_.missing_space = octet != ' ' && !ends_line(octet);
      args_ = Args::none;
      break;
  }
}

}  // namespace imapmeter::imap
