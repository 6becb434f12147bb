#include "proxy/imap/response_scanner.h"

#include <array>
#include <string_view>

#include "proxy/imap/octets.h"
#include "proxy/imap/status_names.h"

namespace imapmeter::imap {
namespace {

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
constexpr bool ends_word(char octet) noexcept { return octet == ' ' || ends_line(octet); }

// Between what, in the arguments of this code, a `]` is not its end; an octet that cannot occur where nothing is.
constexpr std::string_view inner_brackets(ResponseCode code) noexcept {
  if (code == ResponseCode::permanentflags) return "()";
  return code == ResponseCode::referral || code == ResponseCode::badurl ? "[]" : "\n";
}

}  // namespace

ResponseScanner::Scan ResponseScanner::scan(std::span<const char> octets, std::uint64_t tag_key) noexcept {
  if (stage_ == Stage::ended) begin_line();
  if (stage_ == Stage::part_ended) begin_literal();
  if (stage_ == Stage::literal) return take_literal(octets.size());
  if (stage_ == Stage::after_literal) {
    const char octet = octets.front();
    stage_ = Stage::body;
    if (octet != ' ' && octet != ')' && !ends_line(octet)) return {0, Token::misfit};
  }
  if (stage_ == Stage::body) return take_body(octets);
  const Scan scanned = take_head(octets, tag_key);
  if (scanned.token != Token::more || scanned.taken == octets.size()) return scanned;
  const Scan body = take_body(octets.subspan(scanned.taken));
  return {scanned.taken + body.taken, body.token};
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

bool ResponseScanner::between_literals() noexcept {
  if (stage_ == Stage::part_ended && framer_.marker().size() == 0) begin_literal();
  return stage_ == Stage::after_literal && line_.keyword == DataKeyword::fetch && markers();
}

void ResponseScanner::begin_literal() noexcept {
  framer_.begin_literal();
  message_.start();
  stage_ = framer_.literal_left() == 0 ? Stage::after_literal : Stage::literal;
}

void ResponseScanner::skip_parts(const DataRun& run) noexcept {
  count(run.octets);
  line_.message = line_.message || run.message;
}

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
// Each function takes as many octets as it can.

ResponseScanner::Scan ResponseScanner::take_head(std::span<const char> octets, std::uint64_t tag_key) noexcept {
  const char* at = octets.data();
  const char* const end = at + octets.size();
  Step step = Step::on;
  while (step == Step::on && stage_ != Stage::body && at != end) step = head(at, end, tag_key);
  const auto taken = static_cast<std::size_t>(at - octets.data());
  count(taken);
  if (too_long()) return {taken, Token::unreadable};
  if (step == Step::on) return {taken, Token::more};
  return {taken, step == Step::tag ? Token::tag : Token::list};
}

ResponseScanner::Step ResponseScanner::head(const char*& at, const char* end, std::uint64_t tag_key) noexcept {
  switch (stage_) {
    case Stage::start:
      return head_start(at);
    case Stage::star:
      return head_star(at);
    case Stage::star_space:
      return head_star_space(*at);
    case Stage::number:
      return head_number(at, end);
    case Stage::number_space:
      return head_number_space(at, end);
    case Stage::word:
      return head_word(at, end);
    case Stage::text:
      return head_text(at);
    case Stage::code:
      return head_code(at, end);
    case Stage::plus:
      return head_plus(*at);
    case Stage::tag:
      return head_tag(at, end, tag_key);
    default:  // not part of a head
      return to_body();
  }
}

ResponseScanner::Step ResponseScanner::to_body() noexcept {
  stage_ = Stage::body;
  return Step::on;
}

ResponseScanner::Step ResponseScanner::to_body(ResponseShape shape) noexcept {
  line_.shape = shape;
  return to_body();
}

ResponseScanner::Step ResponseScanner::head_start(const char*& at) noexcept {
  if (*at == '*') {
    ++at;
    stage_ = Stage::star;
  } else if (*at == '+') {
    ++at;
    line_.shape = ResponseShape::continuation;
    stage_ = Stage::plus;
  } else if (is_tag_char(*at)) {
    stage_ = Stage::tag;
  } else {
    return to_body(ends_line(*at) ? ResponseShape::empty : ResponseShape::garbage);
  }
  return Step::on;
}

ResponseScanner::Step ResponseScanner::head_star(const char*& at) noexcept {
  if (*at != ' ') return to_body(ends_line(*at) ? ResponseShape::garbage : ResponseShape::no_space);
  ++at;
  stage_ = Stage::star_space;
  return Step::on;
}

ResponseScanner::Step ResponseScanner::head_star_space(char octet) noexcept {
  if (octet == ' ') return to_body(ResponseShape::double_space);
  if (ends_line(octet)) return to_body(ResponseShape::garbage);
  line_.shape = ResponseShape::data;
  word_.start();
  stage_ = is_digit(octet) ? Stage::number : Stage::word;
  return Step::on;
}

ResponseScanner::Step ResponseScanner::head_number(const char*& at, const char* end) noexcept {
  while (at != end && is_digit(*at)) ++at;
  if (at == end) return Step::on;
  if (*at != ' ') return to_body();
  ++at;
  stage_ = Stage::number_space;
  return Step::on;
}

// The word behind the number.
ResponseScanner::Step ResponseScanner::head_number_space(const char*& at, const char* end) noexcept {
  at = word_.take(numbered_table, at, end);
  if (at == end) return Step::on;
  const std::size_t found = ends_word(*at) ? word_.found(numbered_table, numbered_words.size()) : numbered_words.size();
  if (found < numbered_words.size()) line_.keyword = numbered_keywords[found];
  return to_body();
}

ResponseScanner::Step ResponseScanner::head_tag(const char*& at, const char* end, std::uint64_t tag_key) noexcept {
  TagHash tag = line_.tag;
  for (; at != end && is_tag_char(*at); ++at) tag.step(tag_key, *at);
  line_.tag = tag;
  if (at == end) return Step::on;
  if (*at != ' ') return to_body(ResponseShape::garbage);
  ++at;
  line_.shape = ResponseShape::tagged;
  word_.start();
  stage_ = Stage::word;
  return Step::tag;
}

ResponseScanner::Step ResponseScanner::head_word(const char*& at, const char* end) noexcept {
  at = word_.take(first_word_table, at, end);
  if (at == end) return Step::on;
  return ends_word(*at) ? end_word(at) : to_body();
}

ResponseScanner::Step ResponseScanner::end_word(const char*& at) noexcept {
  const std::size_t found = word_.found(first_word_table, first_words.size());
  if (found < condition_count) {
    line_.has_condition = true;
    line_.condition = static_cast<Condition>(found);
    if (line_.shape == ResponseShape::data) line_.shape = ResponseShape::status;
    if (line_.condition == Condition::bye) bye_text_.start();
    provider_text_.start();
    if (*at == ' ') {
      ++at;
      stage_ = Stage::text;
      return Step::on;
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
    return line_.keyword == DataKeyword::capability && *at == ' ' ? Step::list : Step::on;
  }
  return to_body();
}

ResponseScanner::Step ResponseScanner::head_text(const char*& at) noexcept {
  if (*at != '[') {
    line_.no_text = ends_line(*at);
    return to_body();
  }
  text(std::span(at, 1));
  ++at;
  word_.start();
  stage_ = Stage::code;
  return Step::on;
}

ResponseScanner::Step ResponseScanner::head_code(const char*& at, const char* end) noexcept {
  const char* const from = at;
  while (at != end && is_atom_char(*at)) ++at;
  text({from, at});
  if (at != end && word_.depth == 0) {
    word_.look_up(code_table, {from, at});
  } else if (word_.take(code_table, from, at) != at) {
    word_.fail();
  }
  if (at == end) return Step::on;
  const bool named = word_.depth != 0;
  if (!named || (*at != ' ' && *at != ']')) {
    line_.code_unclosed = ends_line(*at);
    return to_body();
  }
  const auto other = static_cast<std::size_t>(ResponseCode::other);
  line_.code = static_cast<ResponseCode>(word_.found(code_table, other));
  args_ = Args::open;
  to_body();
  return line_.code == ResponseCode::capability && *at == ' ' ? Step::list : Step::on;
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
  const LineFramer::Part part = LineFramer::find_end(octets);
  const std::span<const char> content = octets.first(part.octets - (part.ended ? 1 : 0));
  if (args_ != Args::none || is_refusal()) read_text(content);
  const bool announces = markers();
  framer_.take(content, part.ended, announces);
  count(content.size());
  if (too_long() || (first_line_ && framer_.has_nul())) return {part.octets, Token::unreadable};
  const bool announced = announces && part.ended && framer_.marker().complete();
  // an empty literal is no message, and one message says it all
  const bool asked = line_.keyword == DataKeyword::fetch && !line_.message;
  if (asked && (!part.ended || (announced && framer_.marker().size() != 0))) message_.fold(octets.first(part.octets));
  if (!part.ended) return {part.octets, Token::more};
  if (announced) {
    if (framer_.marker().too_large()) return {part.octets, Token::unreadable};
    if (framer_.marker().size() != 0 && asked && message_.found()) line_.message = true;
    stage_ = Stage::part_ended;
    return {part.octets, Token::part};
  }
  if (args_ != Args::none && args_ != Args::closed) line_.code_unclosed = true;
  if (line_.shape == ResponseShape::empty && length_ > 1) line_.shape = ResponseShape::garbage;
  stage_ = Stage::ended;
  return {part.octets, Token::line};
}

void ResponseScanner::text(std::span<const char> octets) noexcept {
  if (!is_refusal()) return;
  provider_text_.read(octets);
  if (line_.condition == Condition::bye) bye_text_.read(octets);
}

// Looks for the end of the code, and at what is said after it.
void ResponseScanner::read_text(std::span<const char> octets) noexcept {
  while (args_ != Args::none && !octets.empty()) {
    const std::size_t taken = arguments(octets);
    text(octets.first(taken));
    octets = octets.subspan(taken);
    if (args_ == Args::closed) bye_text_.start();  // the text begins after the code
  }
  text(octets);
}

// Takes octets of the code, up to and with the `]` that closes it; or the octet after that.
std::size_t ResponseScanner::arguments(std::span<const char> octets) noexcept {
  if (args_ == Args::closed) {
    line_.missing_space = octets.front() != ' ' && !ends_line(octets.front());
    args_ = Args::none;
    return 1;
  }
  const std::string_view brackets = inner_brackets(line_.code);
  for (std::size_t i = 0; i < octets.size(); ++i) {
    argument(octets[i], brackets);
    if (args_ == Args::closed) return i + 1;
  }
  return octets.size();
}

void ResponseScanner::argument(char octet, std::string_view brackets) noexcept {
  switch (args_) {
    case Args::none:
    case Args::closed:
      break;
    case Args::open:
      if (octet == '"') args_ = Args::quoted;
      if (octet == brackets.front()) args_ = Args::inner;
      if (octet == ']') args_ = Args::closed;
      break;
    case Args::quoted:
      if (octet == '"') args_ = Args::open;
      if (octet == '\\') args_ = Args::escaped;
      break;
    case Args::escaped:
      args_ = Args::quoted;
      break;
    case Args::inner:
      if (octet == brackets.back()) args_ = Args::open;
      break;
  }
}

}  // namespace imapmeter::imap
