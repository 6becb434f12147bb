// One client connection of the benchmark: says its commands and checks every octet that comes back.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/conversation.h"
#include "tests/bench/stream.h"

namespace imapmeter::bench {

// What the clients did and saw, for comparison with the counters of the proxy between.
struct Journal {
  std::uint64_t connections = 0;
  std::uint64_t greetings = 0;
  std::uint64_t full_handshakes = 0, resumed_handshakes = 0;
  std::uint64_t tagged_ok = 0, untagged_ok = 0, untagged_bye = 0, untagged_exists = 0;
  std::uint64_t bytes_in = 0, bytes_out = 0;  // IMAP octets, compared and sent
  std::uint64_t closed_without_notify = 0;    // ends without close_notify, after everything had arrived
  std::string cipher, version, group;         // of the first handshake
  std::string certificate;                    // its SHA-256 as hexadecimal octets with colons
};

class Session {
 public:
  enum class State {
    connecting,
    ready,    // nothing is outstanding; new mail may come where the last command was IDLE
    waiting,  // for octets from the server
    over,     // the connection has ended in order
  };

  // Starts a connection to 127.0.0.1:port from 127.0.0.`source`. `resume` may be null. `greeting` is what is expected.
  // Throws std::runtime_error with a sentence, as all of this class does when the other side is wrong in any way.
  Session(SSL_CTX* context, std::uint16_t port, SSL_SESSION* resume, Journal& journal, std::uint8_t source = 1,
          std::string_view greeting = bench::greeting());

  // Sends the next command. Only in `ready`; after LOGOUT the session goes on to `over`.
  void send(Verb verb);
  // Ends our direction and waits for the other end to close. Only in `ready`.
  void finish();
  // To be called when the descriptor is writable for the first time and whenever it is readable: moves on as far as it
  // can.
  void progress();
  int fd() const { return stream_.fd; }
  SSL* ssl() const { return stream_.ssl.get(); }

  State state = State::connecting;
  std::uint64_t since = 0;  // when the outstanding command, or connecting, began; set by the owner

 private:
  void on_handshake();
  void compare(std::string_view octets);
  bool awaits_more() const;
  void completed();
  void on_end(Stream::Status status);

  Stream stream_;
  Journal& journal_;
  unsigned tag_ = 0;
  std::string command_;
  std::string_view body_;  // what is still expected: first this, then
  std::string_view tail_;  // this
  std::string tail_text_;
  const Exchange* current_ = nullptr;  // null: the greeting
  bool finishing_ = false;
  bool idling_ = false;    // from the answer to IDLE to that to DONE
  std::string_view mail_;  // what is still expected of new_mail()
};

}  // namespace imapmeter::bench
