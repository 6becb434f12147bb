// Client to server: which lines begin a command, and where it ends (RFC 9051 section 2.2.1).
//
// Rules
// - A command is a tag, SP, a name and anything up to LF; a literal at the end of a line makes it go on.
// - `{n+}` (RFC 7888): the octets follow at once, in every line, even one that is no command.
// - `{n}`: the client has to wait. The tracker says go_ahead() or reject(); octets that come before are the literal's
//   all the same (Token::impatient). In a command that was answered already, or in a line that is no command, it
//   announces nothing.
// - Lines of a SASL exchange, and lines while IDLE, are no commands: the tracker switches with expect().
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "proxy/imap/append_messages.h"
#include "proxy/imap/client_software.h"
#include "proxy/imap/line_framer.h"
#include "proxy/imap/mechanism_matcher.h"
#include "proxy/imap/status.h"
#include "proxy/imap/tag_hash.h"
#include "proxy/imap/words.h"

namespace imapmeter::imap {

enum class CommandShape : std::uint8_t {
  empty,
  command,
  done,        // `DONE` alone
  no_command,  // no tag, or nothing after it
  cancel,      // `*` alone, in a SASL exchange
};

struct CommandLine {
  [[no_unique_address]] TagHash tag;  // what follows fits behind its length
  CommandShape shape = CommandShape::no_command;
  Command command = Command::other;
  Mechanism mechanism = Mechanism::other;  // of LOGIN and AUTHENTICATE
};

class CommandScanner {
 public:
  enum class Expect : std::uint8_t { command, sasl, idle };
  enum class Token : std::uint8_t {
    more,        // all octets were taken, nothing to say
    line,        // the first line of a command, or a line that is none, ended
    next_line,   // a further line of a command ended
    literal,     // the octets taken were a literal's
    impatient,   // octets come that should wait for the server (none was taken yet)
    unreadable,  // a literal above 2^63-1 octets
  };
  struct Scan {
    std::size_t taken = 0;  // octets, from the front
    Token token = Token::more;
  };

  // Reads to the next token. `octets` is not empty; `tag_key` is the secret of the tags' hashes.
  Scan scan(std::span<const char> octets, std::uint64_t tag_key) noexcept;
  // What the next line is; from the next line start on.
  void expect(Expect what) noexcept { expect_ = what; }
  // The server asked for the literal.
  void go_ahead() noexcept;
  // The server answered instead of asking for the literal: the command is over.
  void reject() noexcept;
  // The server answered the command before its end.
  void answered() noexcept { answered_ = true; }

  // Of the command that is being read or was read last; the shape is the last line's.
  const CommandLine& line() const noexcept { return line_; }
  const LineFramer& framer() const noexcept { return framer_; }
  Expect read_as() const noexcept { return reading_; }  // what the line that ended was
  // Of the line or part of a line that ended, its LF included; saturates.
  std::uint32_t octets() const noexcept { return length_; }
  ClientSoftware client_software() const noexcept { return software_.found(); }
  // Of the APPEND that is being read or was read last, so far.
  std::uint16_t messages() const noexcept { return append_.messages(); }
  // The client has to wait for the server before the octets of its literal.
  bool waiting() const noexcept { return stage_ == Stage::waiting; }
  // A command's first line was read, its last LF was not.
  bool command_open() const noexcept { return open_; }
  // The first line of this command is being read, its name was.
  bool beginning(const TagHash& tag) const noexcept {
    return stage_ == Stage::body && !further_ && line_.shape == CommandShape::command && line_.tag == tag;
  }

 private:
  enum class Stage : std::uint8_t {
    start,
    tag,
    name,
    mechanism,
    done,    // reading DONE while IDLE
    cancel,  // behind the `*` of a SASL exchange
    body,
    waiting,
    literal_next,
    literal,
    ended,
  };

  void begin_line() noexcept;
  bool head(char octet, std::uint64_t tag_key) noexcept;
  bool head_start(char octet, std::uint64_t tag_key) noexcept;
  bool head_tag(char octet, std::uint64_t tag_key) noexcept;
  bool head_name(char octet) noexcept;
  bool head_mechanism(char octet) noexcept;
  bool head_done(char octet) noexcept;
  bool head_cancel(char octet) noexcept;
  void count(std::size_t octets) noexcept;
  bool to_body(CommandShape shape) noexcept;
  bool step_done(char octet) noexcept;
  Scan take_body(std::span<const char> octets) noexcept;
  void begin_literal() noexcept;
  Scan take_literal(std::span<const char> octets) noexcept;
  void after_line() noexcept;

  LineFramer framer_;
  std::uint32_t length_ = 0;  // of this part so far
  CommandLine line_;
  WordMatcher word_;
  MechanismMatcher mechanism_;
  ClientSoftwareMatcher software_;
  AppendMessages append_;
  Stage stage_ = Stage::start;
  Expect expect_ = Expect::command;
  Expect reading_ = Expect::command;  // what this line is
  std::uint8_t done_ = 0;             // octets of DONE read
  bool open_ = false;
  bool answered_ = false;
  bool further_ = false;  // this part is not the first of its command
};

}  // namespace imapmeter::imap
