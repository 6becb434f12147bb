// Server to client: which lines are status responses, and with what condition and code (RFC 9051 section 7).
//
// Rules
// - The first octets decide the shape of a line: `* ` + word, `+`, or a tag and SP. Only that head is read octet by
//   octet, the rest is skipped to its line end.
// - Words are compared whole: `* OKAY` is data.
// - A response code is there only if `[` is the first octet of the text, an atom follows, and then `]` or SP.
//   Otherwise all is text. Its name is known at the SP; odd arguments never undo it. It ends at the first `]` outside
//   quoted strings, keywords of PERMANENTFLAGS (Gmail's hold brackets) and IP literals in URLs.
// - Only data announces literals; `{5}` at the end of a text, a tagged line or a `+` line is text. One exception:
//   the arguments of BADCHARSET, while the code is not closed (RFC 3501).
// - The scanner knows one line; what it means in the session is the tracker's to say.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "proxy/imap/bye_text.h"
#include "proxy/imap/data_run.h"
#include "proxy/imap/event.h"
#include "proxy/imap/line_framer.h"
#include "proxy/imap/message_literal.h"
#include "proxy/imap/provider_text.h"
#include "proxy/imap/status.h"
#include "proxy/imap/tag_hash.h"
#include "proxy/imap/words.h"

namespace imapmeter::imap {

enum class ResponseShape : std::uint8_t {
  empty,
  status,        // `* ` and a condition
  data,          // `* ` and anything else
  continuation,  // `+`
  tagged,        // a legal tag and SP; a status only if there is a condition
  no_space,      // `*x`
  double_space,  // `*  x`
  garbage,
};

struct ResponseLine {
  TagHash tag;
  ResponseShape shape = ResponseShape::garbage;
  bool has_condition = false;
  Condition condition = Condition::ok;  // if has_condition
  ResponseCode code = ResponseCode::none;
  DataKeyword keyword = DataKeyword::other;
  bool before_login = false;  // data that a server may send before login: CAPABILITY, ID, LANGUAGE, MULTIPLEX
  bool multiplex = false;     // MULTIPLEX: the answer of Dovecot to an ID that asks for it
  bool message = false;       // a literal with message data was announced
  bool code_unclosed = false;
  bool missing_space = false;  // after the condition, the code or `+`
  bool no_text = false;        // nothing after the condition
};

class ResponseScanner {
 public:
  enum class Token : std::uint8_t {
    more,        // all octets were taken, nothing to say
    tag,         // a tag and its SP were read
    list,        // the words of a capability list come next: take them and skip() them
    part,        // a part of the line ended, its literal comes next; see framer()
    literal,     // the octets taken were a literal's
    misfit,      // the octet after a literal cannot be right (it is not taken yet)
    line,        // the line ended
    unreadable,  // this is no IMAP: see METRICS.md, opaque `parser`
  };
  struct Scan {
    std::size_t taken = 0;  // octets, from the front
    Token token = Token::more;
  };

  // Reads to the next token. `octets` is not empty; `tag_key` is the secret of the tags' hashes.
  Scan scan(std::span<const char> octets, std::uint64_t tag_key) noexcept;
  // `octets` of a capability list, read by someone else, are behind us. False: unreadable.
  bool skip(std::size_t octets) noexcept;
  // Behind a literal of a FETCH response: DataReader::take_parts() may read on.
  bool between_literals() noexcept;
  // `run` of DataReader::take_parts() was read by someone else and is behind us.
  void skip_parts(const DataRun& run) noexcept;
  // The first line is not a greeting. Before it.
  void expect_no_greeting() noexcept { first_line_ = false; }
  // The rest of this line is not to be trusted: no code, no list, no literals.
  void distrust_line() noexcept;

  const ResponseLine& line() const noexcept { return line_; }  // complete at Token::line
  const LineFramer& framer() const noexcept { return framer_; }
  const ByeText& bye_text() const noexcept { return bye_text_; }
  const ProviderText& provider_text() const noexcept { return provider_text_; }  // of a NO, BAD or BYE
  std::uint32_t octets() const noexcept { return length_ + 1; }                  // of the line that ended
  bool in_code() const noexcept { return args_ != Args::none; }
  bool at_line_start() const noexcept { return stage_ == Stage::start || stage_ == Stage::ended; }

 private:
  enum class Stage : std::uint8_t {
    start,
    star,
    star_space,
    number,
    number_space,
    word,
    text,
    code,
    plus,
    tag,
    body,  // what need not be read octet by octet
    part_ended,
    literal,
    after_literal,
    ended,
  };
  // Inside a code's arguments, for its end. inner: between brackets of the arguments' own.
  enum class Args : std::uint8_t { none, open, quoted, escaped, inner, closed };

  // What the head of a line came upon; its octets were taken, those of the list were not.
  enum class Step : std::uint8_t { on, tag, list };

  // No first line of any server is that long without LF (METRICS.md, opaque `parser`).
  static constexpr std::uint32_t max_first_line = 8192;

  Scan take_head(std::span<const char> octets, std::uint64_t tag_key) noexcept;
  Step head(const char*& at, const char* end, std::uint64_t tag_key) noexcept;
  Step head_start(const char*& at) noexcept;
  Step head_star(const char*& at) noexcept;
  Step head_star_space(char octet) noexcept;
  Step head_tag(const char*& at, const char* end, std::uint64_t tag_key) noexcept;
  Step head_number(const char*& at, const char* end) noexcept;
  Step head_number_space(const char*& at, const char* end) noexcept;
  Step head_word(const char*& at, const char* end) noexcept;
  Step end_word(const char*& at) noexcept;
  Step head_text(const char*& at) noexcept;
  Step head_code(const char*& at, const char* end) noexcept;
  Step head_plus(char octet) noexcept;
  Step to_body(ResponseShape shape) noexcept;
  Step to_body() noexcept;
  Scan take_body(std::span<const char> octets) noexcept;
  Scan take_literal(std::size_t available) noexcept;
  // A condition whose text is looked at.
  bool is_refusal() const noexcept {
    return line_.has_condition && line_.condition != Condition::ok && line_.condition != Condition::preauth;
  }
  void text(std::span<const char> octets) noexcept;
  void read_text(std::span<const char> octets) noexcept;
  std::size_t arguments(std::span<const char> octets) noexcept;
  void argument(char octet, std::string_view brackets) noexcept;
  bool markers() const noexcept;
  bool too_long() const noexcept { return first_line_ && length_ >= max_first_line; }
  void count(std::size_t octets) noexcept {
    length_ = static_cast<std::uint32_t>(std::min<std::size_t>(length_ + octets, UINT32_MAX));
  }
  void begin_line() noexcept;
  void begin_literal() noexcept;

  LineFramer framer_;
  [[no_unique_address]] ByeText bye_text_;
  [[no_unique_address]] ProviderText provider_text_;
  MessageLiteral message_;
  std::uint32_t length_ = 0;  // octets of this line so far, literals and LF apart; saturates
  ResponseLine line_;
  WordMatcher word_;
  Stage stage_ = Stage::start;
  Args args_ = Args::none;
  bool first_line_ = true;
  bool distrusted_ = false;
};

}  // namespace imapmeter::imap
