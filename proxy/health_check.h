// Whether a server would serve a session: at intervals it is asked for its greeting as a session would ask, over
// connect, TLS or STARTTLS, and the first line. On the control thread alone; sessions read the verdict in
// ServerState::up.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "proxy/imap/starttls_dialogue.h"
#include "proxy/leg.h"
#include "proxy/rise_fall.h"
#include "proxy/snapshot.h"

namespace imapmeter::proxy {

enum class CheckResult : std::uint8_t {
  ok,
  preauth,
  bye,      // it is there and takes no sessions
  no_imap,  // its first line is no greeting
  ended,    // no line before the end
  timeout,
  dns,  // its name has not been looked up so far
  refused,
  tls,
  certificate,
  starttls,
};
std::string_view text(CheckResult result) noexcept;  // for the log: "greeting OK"
constexpr bool succeeded(CheckResult result) noexcept {
  return result == CheckResult::ok || result == CheckResult::preauth;
}

// What is to be said of a server when the dialogue with it has come to `verdict`; nothing: it goes on.
std::optional<CheckResult> check_result(imap::UpstreamDialogue::Verdict verdict, bool starttls) noexcept;

// The checks of one server.
class HealthCheck {
 public:
  // After each check: whether it succeeded, and whether the server now counts as up.
  using Noted = std::function<void(bool succeeded, bool up)>;

  // `upstream` and `buffers` outlive it; what `upstream` holds may change between the turns of `context`.
  HealthCheck(boost::asio::io_context& context, ThreadBuffers& buffers, const UpstreamTarget& upstream,
              std::size_t server, const config::HealthCheck& settings, Noted noted);
  ~HealthCheck();
  HealthCheck(const HealthCheck&) = delete;
  HealthCheck& operator=(const HealthCheck&) = delete;

  // The first check begins at once. Called again: whatever was going on is given up for a new check.
  void start();

 private:
  enum class Stage : std::uint8_t { waiting, connect, handshake, greeting, leaving };

  void dial_next(CheckResult failure);
  void step();
  void finish_connect();
  void shake_hands();
  void begin_tls();
  void read_greeting();
  void leave();
  void read_to_the_end();

  void decide(CheckResult result);
  void note(CheckResult result);
  void tell_change(CheckResult result) const;
  void end();
  void on_timeout();
  void await_socket();
  void await_timer(std::chrono::steady_clock::time_point until);
  void close_socket();

  const ServerTarget& server() const { return upstream_.servers[number_]; }
  ServerState& state() const { return upstream_.state->servers[number_]; }

  boost::asio::posix::stream_descriptor descriptor_;
  boost::asio::steady_timer timer_;
  ThreadBuffers& buffers_;
  const UpstreamTarget& upstream_;
  const std::size_t number_;
  const config::HealthCheck settings_;
  const Noted noted_;
  RiseFall rise_fall_;
  Leg leg_;
  imap::UpstreamDialogue dialogue_;
  std::vector<SocketAddress> addresses_;  // of the present check, in the order in which they are tried
  std::size_t address_ = 0;
  std::size_t farewell_ = 0;  // octets that the server has said behind LOGOUT
  std::chrono::steady_clock::time_point began_;
  std::uint64_t turn_ = 0;  // moves on with each wait: what was waited for before is of no interest
  Stage stage_ = Stage::waiting;
};

}  // namespace imapmeter::proxy
