// What is said before TLS, on either leg (RFC 9051 section 6.2.1): octets in, replies and a verdict out. Nothing of it
// is kept but a tag while its line is read, and nothing said before TLS ever goes into TLS.
//
// Rules towards a client (ClientDialogue)
// - CAPABILITY, NOOP, ID, LOGOUT and STARTTLS are answered. LOGIN and AUTHENTICATE get NO [PRIVACYREQUIRED]; the third
//   of them gets BYE. Their arguments are skipped octet by octet.
// - BYE, too, for a line longer than 8 KiB, the fourth BAD, a literal, and a control octet: who speaks TLS here at once
//   is told apart by his first octet.
// - No octet behind the line of STARTTLS is taken. The first of them decides: 0x16 begins TLS, any other is an
//   injection.
//
// Rules towards a server (UpstreamDialogue)
// - It greets, is asked for its capabilities unless the greeting told them, and for STARTTLS. TLS begins with the
// tagged
//   OK to STARTTLS and an octet behind that is an injection.
// - Never without TLS: NO, BAD, STARTTLS not offered, PREAUTH, BYE, and whatever is no untagged OK, NO or BAD and no
//   answer to what was asked, end it; so does a tagged line that began before the question was sent.
// - An untagged OK, NO or BAD after the greeting is passed over, whatever it says.
// - Inside TLS it is asked for its capabilities where imapmeter has to write a greeting of its own.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "proxy/imap/line_framer.h"
#include "proxy/imap/response_scanner.h"
#include "proxy/imap/words.h"

namespace imapmeter::imap {

// imapmeter as the server of a client without TLS.
class ClientDialogue {
 public:
  static constexpr std::string_view greeting = "* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] ready\r\n";
  static constexpr std::size_t longest_line = 8192;  // its line end included
  static constexpr std::size_t longest_tag = 64;     // of a longer one, the line is answered BAD without a tag
  static constexpr unsigned most_bad = 3;
  static constexpr unsigned most_logins = 2;

  enum class Verdict : std::uint8_t {
    more,
    start_tls,  // the next octet begins TLS
    injection,  // the next octet does not: close, without a word
    limit,      // close, as for the next two, when the BYE has been sent
    plaintext,  // too many attempts to log in
    logout,
  };
  struct Read {
    std::size_t taken = 0;  // octets, from the front: up to and including one line end at most
    std::string_view say;   // valid until the next call
    Verdict verdict = Verdict::more;
    bool login_refused = false;
  };

  // Reads to the end of the next line, or of `octets`, which are not empty. Not after a verdict.
  Read read(std::span<const char> octets) noexcept;
  // STARTTLS was answered OK: what comes next is TLS.
  bool switching() const noexcept { return stage_ == Stage::switching; }

 private:
  enum class Stage : std::uint8_t { start, tag, name, arguments, odd, switching };
  enum class Command : std::uint8_t { capability, noop, logout, starttls, login, authenticate, id, none };

  bool step(char octet) noexcept;
  void step_tag(char octet) noexcept;
  void step_name(char octet) noexcept;
  Read end_line() noexcept;
  Read answer(Command command, bool arguments) noexcept;
  Read refuse_login() noexcept;
  Read refuse(std::string_view why) noexcept;
  std::string_view tagged(std::string_view before, std::string_view after) noexcept;
  void begin_line() noexcept;

  LiteralMarker marker_;
  WordMatcher word_;
  std::size_t length_ = 0;  // of this line, so far
  Stage stage_ = Stage::start;
  std::uint8_t tag_size_ = 0;
  std::uint8_t bad_ = 0;
  std::uint8_t logins_ = 0;
  bool after_cr_ = false;
  bool switching_ = false;
  std::array<char, longest_tag> tag_{};
  std::array<char, 256> reply_{};
};

// imapmeter as the client of a server.
class UpstreamDialogue {
 public:
  static constexpr std::size_t longest = 64 * 1024;  // octets of the server, before TLS or inside it
  static constexpr std::size_t longest_capabilities = 4096;

  enum class Goal : std::uint8_t {
    greeting,      // its greeting alone
    starttls,      // TLS
    capabilities,  // TLS, and its capabilities inside it
  };
  enum class Verdict : std::uint8_t {
    more,
    start_tls,  // TLS begins; begin_inside_tls() when it stands
    done,
    bye,  // instead of a greeting
    preauth,
    no_greeting,  // its first line is none
    refused,      // NO or BAD to STARTTLS
    stripped,     // STARTTLS is not offered, or something is said that has no place here
    injection,    // octets behind the OK to STARTTLS
  };
  struct Read {
    std::size_t taken = 0;  // octets, from the front; all of them but for `done`
    Verdict verdict = Verdict::more;
  };

  explicit UpstreamDialogue(Goal goal) noexcept : goal_(goal) {}

  // What is read before to_say() has been sent has been said before it. `octets` are not empty; after start_tls, octets
  // that did not wait for TLS are given here, too.
  Read read(std::span<const char> octets) noexcept;
  // What to send next; empty: nothing. Then said().
  std::string_view to_say() const noexcept { return to_say_; }
  void said() noexcept { to_say_ = {}; }
  // Whether there is something to ask there: else the dialogue is over.
  bool begin_inside_tls() noexcept;

  bool greeted() const noexcept { return stage_ != Stage::greeting; }
  const ResponseLine& greeting() const noexcept { return greeting_; }  // once greeted()
  // The words inside TLS, each with a SP in front; empty where they are not known.
  std::string_view capabilities() const noexcept { return {list_.data(), list_size_}; }

 private:
  enum class Stage : std::uint8_t { greeting, capability, starttls, tls, inside, over };

  Verdict on_token(ResponseScanner::Token token) noexcept;
  ResponseScanner::Scan take_list(std::span<const char> octets) noexcept;
  void end_word() noexcept;
  void begin_list() noexcept;
  Verdict on_line() noexcept;
  Verdict on_greeting(const ResponseLine& line) noexcept;
  Verdict on_untagged(const ResponseLine& line) noexcept;
  Verdict on_tagged(const ResponseLine& line) noexcept;
  Verdict ask_for_starttls() noexcept;
  Verdict misplaced() const noexcept;
  Verdict unreadable() const noexcept;
  void ask(std::string_view command, Stage stage) noexcept;

  ResponseScanner scanner_;
  ResponseLine greeting_;
  WordMatcher word_;
  std::string_view to_say_;
  std::size_t octets_ = 0;
  std::size_t list_size_ = 0;
  Goal goal_;
  Stage stage_ = Stage::greeting;
  bool early_ = false;      // this line began before our command was sent
  bool in_list_ = false;    // of capabilities
  bool in_word_ = false;    // of that list
  bool list_seen_ = false;  // a whole list has been read
  bool offered_ = false;    // STARTTLS was in the last list
  bool too_long_ = false;   // the list inside TLS does not fit
  std::array<char, longest_capabilities> list_{};
};

}  // namespace imapmeter::imap
