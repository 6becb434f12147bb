// Writes one IMAP conversation with everything in it that makes counting hard, and its journal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "tests/integration/traffic/journal.h"
#include "tests/integration/traffic/random.h"
#include "tests/integration/traffic/script.h"

namespace traffic {

class Conversation {
 public:
  Conversation(std::uint64_t seed, std::size_t session, Journal& journal);

  // A session of at least `commands` commands.
  SessionPlan write(std::uint64_t commands);
  // A session that ends behind its greeting, which is none that a client would want.
  SessionPlan write_odd_greeting();

 private:
  struct Begun {
    std::string tag;
    std::string label;
    std::uint64_t messages = 0;  // of an APPEND
    std::string_view mechanism = "LOGIN_COMMAND";
    bool cancelled = false;
  };
  enum class When { in_time, early };  // an early answer comes before the command's last octet

  // conversation.cc: sessions and plain commands
  void greet();
  void log_in();
  void authenticated();
  void batch();
  void begin(const Begun& command, std::string_view arguments_and_end);
  void begin_plain();
  void begin_with_literals();
  void answer_one();
  void answer_all();
  void answer(const Begun& command, std::string_view condition, const StatusText& text, When when = When::in_time);
  void answer(const Begun& command);
  SessionPlan end();
  void log_out();
  void leave(bool with_bye);

  // noise.cc: what a server says besides
  void noise();
  void status_line(std::string_view start, std::string_view kind, std::string_view condition, const StatusText& text);
  void data_line();
  void message(std::string_view tag);
  void undefined_line(const Begun& command);
  void between_completions();
  std::string body(std::string_view tag, std::size_t octets);
  std::size_t body_size();
  std::string new_tag();
  std::string unique_tag();

  // exchanges.cc: commands in more than one line, and clients and servers that lose their way
  void append_accepted();
  void append_rejected();
  void append_answered_early();
  void append_impatient();
  void client_literal(std::size_t octets, std::string_view marker_end);
  void continuation();
  void idle();
  void authenticate(bool succeeds);
  void refused_switch();
  void stray_line();
  void desync();
  void overflow();

  Random random_;
  Journal& journal_;
  std::shared_ptr<Script> script_ = std::make_shared<Script>();
  std::deque<Begun> pending_;  // begun and unanswered in the script's order
  std::uint64_t begun_ = 0;
  std::uint64_t unwaited_ = 0;  // commands since the client last waited for everything
  std::uint64_t unique_ = 0;
  bool authenticated_ = false;
};

}  // namespace traffic
