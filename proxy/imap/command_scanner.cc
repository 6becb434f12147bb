#include "proxy/imap/command_scanner.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "proxy/imap/octets.h"
#include "proxy/imap/status_names.h"

namespace imapmeter::imap {
namespace {

constexpr auto command_table = WordTable<command_count - 1>::make(command_names);

constexpr std::string_view done_word = "DONE";
constexpr std::uint8_t not_done = 0xff;

constexpr bool ends_line(char octet) noexcept { return octet == cr || octet == lf; }

}  // namespace

CommandScanner::Scan CommandScanner::scan(std::span<const char> octets, std::uint64_t tag_key) noexcept {
  if (stage_ == Stage::ended) begin_line();
  if (stage_ == Stage::waiting) {
    stage_ = Stage::literal_next;
    return {0, Token::impatient};
  }
  if (stage_ == Stage::literal_next) begin_literal();
  if (stage_ == Stage::literal) return take_literal(octets);
  std::size_t taken = 0;
  while (stage_ != Stage::body) {
    if (taken == octets.size()) return {taken, Token::more};
    if (!head(octets[taken], tag_key)) continue;
    ++taken;
    count(1);
  }
  if (taken == octets.size()) return {taken, Token::more};
  const Scan body = take_body(octets.subspan(taken));
  return {taken + body.taken, body.token};
}

void CommandScanner::go_ahead() noexcept {
  if (stage_ == Stage::waiting) stage_ = Stage::literal_next;
}

void CommandScanner::reject() noexcept {
  if (stage_ != Stage::waiting) return;
  stage_ = Stage::ended;
  open_ = false;
}

void CommandScanner::count(std::size_t octets) noexcept {
  length_ = static_cast<std::uint32_t>(std::min<std::size_t>(length_ + octets, UINT32_MAX));
}

void CommandScanner::begin_line() noexcept {
  framer_.begin_part();
  if (expect_ == Expect::command) line_ = CommandLine{};  // else this line belongs to the command before it
  word_.start();
  stage_ = Stage::start;
  done_ = 0;
  length_ = 0;
  answered_ = false;
  further_ = false;
}

void CommandScanner::begin_literal() noexcept {
  framer_.begin_literal();
  length_ = 0;
  const bool empty = framer_.literal_left() == 0;
  if (line_.command == Command::append) append_.literal(empty);
  stage_ = empty ? Stage::body : Stage::literal;
  if (empty && line_.command == Command::id) software_.literal({}, true);
}

CommandScanner::Scan CommandScanner::take_literal(std::span<const char> octets) noexcept {
  const std::size_t taken = framer_.take_literal(octets.size());
  const bool last = framer_.literal_left() == 0;
  if (last) stage_ = Stage::body;
  if (line_.command == Command::id) software_.literal(octets.first(taken), last);
  return {taken, Token::literal};
}

// --- the head of a line: each function says whether it took the octet ---------------------------------------------

bool CommandScanner::head(char octet, std::uint64_t tag_key) noexcept {
  switch (stage_) {
    case Stage::start:
      return head_start(octet, tag_key);
    case Stage::tag:
      return head_tag(octet, tag_key);
    case Stage::name:
      return head_name(octet);
    case Stage::mechanism:
      return head_mechanism(octet);
    case Stage::done:
      return head_done(octet);
    case Stage::cancel:
      return head_cancel(octet);
    default:  // not part of a head
      stage_ = Stage::body;
      return false;
  }
}

bool CommandScanner::to_body(CommandShape shape) noexcept {
  line_.shape = shape;
  stage_ = Stage::body;
  return false;
}

bool CommandScanner::head_start(char octet, std::uint64_t tag_key) noexcept {
  reading_ = expect_;
  if (reading_ == Expect::sasl) {
    if (octet != '*') return to_body(CommandShape::no_command);
    stage_ = Stage::cancel;
    return true;
  }
  if (ends_line(octet)) return to_body(CommandShape::empty);
  if (reading_ == Expect::idle) {
    stage_ = Stage::done;
    return head_done(octet);
  }
  if (!is_tag_char(octet)) return to_body(CommandShape::no_command);
  stage_ = Stage::tag;
  return head_tag(octet, tag_key);
}

bool CommandScanner::head_tag(char octet, std::uint64_t tag_key) noexcept {
  if (octet == ' ') {
    stage_ = Stage::name;
    return true;
  }
  if (ends_line(octet) && done_ == done_word.size()) return to_body(CommandShape::done);
  if (!is_tag_char(octet)) return to_body(CommandShape::no_command);
  line_.tag.step(tag_key, octet);
  step_done(octet);
  return true;
}

bool CommandScanner::head_name(char octet) noexcept {
  if (word_.depth == 0 && ends_line(octet)) return to_body(CommandShape::no_command);
  if (octet == ' ' || ends_line(octet)) {
    WordMatcher prefix = word_;
    if (octet == ' ' && word_.depth != 0 && prefix.step(command_table, octet)) {
      word_ = prefix;  // `UID ` and a second word
      return true;
    }
    const auto other = static_cast<std::size_t>(Command::other);
    line_.command = static_cast<Command>(word_.found(command_table, other));
    to_body(CommandShape::command);
    if (line_.command == Command::id) software_.begin();
    if (line_.command == Command::append) append_.begin();
    if (line_.command == Command::login) line_.mechanism = Mechanism::login_command;
    if (line_.command != Command::authenticate || octet != ' ') return false;
    mechanism_.start();
    stage_ = Stage::mechanism;
    return true;
  }
  return word_.step(command_table, octet) || to_body(CommandShape::command);
}

bool CommandScanner::head_mechanism(char octet) noexcept {
  if (is_atom_char(octet)) {
    mechanism_.step(octet);
    return true;
  }
  if (octet == ' ' || ends_line(octet)) line_.mechanism = mechanism_.found();
  return to_body(CommandShape::command);  // a literal may stand where the mechanism should
}

bool CommandScanner::head_cancel(char octet) noexcept {
  return to_body(ends_line(octet) ? CommandShape::cancel : CommandShape::no_command);
}

bool CommandScanner::head_done(char octet) noexcept {
  if (ends_line(octet) && done_ == done_word.size()) return to_body(CommandShape::done);
  return step_done(octet) || to_body(CommandShape::no_command);
}

bool CommandScanner::step_done(char octet) noexcept {
  if (done_ < done_word.size() && upper(octet) == done_word[done_]) {
    ++done_;
    return true;
  }
  done_ = not_done;
  return false;
}

// --- the rest of a line -------------------------------------------------------------------------------------------

CommandScanner::Scan CommandScanner::take_body(std::span<const char> octets) noexcept {
  const bool markers = reading_ != Expect::sasl;
  const LineFramer::Part part = framer_.take_part(octets, markers);
  if (line_.command == Command::id) software_.line(octets.first(part.octets));
  if (line_.command == Command::append) append_.line(octets.first(part.octets));
  count(part.octets);
  if (!part.ended) return {part.octets, Token::more};
  if (markers && framer_.marker().complete() && framer_.marker().too_large()) return {part.octets, Token::unreadable};
  if (line_.shape == CommandShape::empty && length_ > 2) line_.shape = CommandShape::no_command;
  const Token token = further_ ? Token::next_line : Token::line;
  after_line();
  return {part.octets, token};
}

// Whether the command goes on.
void CommandScanner::after_line() noexcept {
  const LiteralMarker& marker = framer_.marker();
  const bool announces = reading_ != Expect::sasl && marker.complete();
  const bool is_command = line_.shape == CommandShape::command;
  stage_ = Stage::ended;
  if (announces && marker.plus()) {
    stage_ = Stage::literal_next;
  } else if (announces && is_command && !answered_) {
    stage_ = Stage::waiting;
  }
  further_ = stage_ != Stage::ended;
  open_ = further_ && is_command;
}

}  // namespace imapmeter::imap
