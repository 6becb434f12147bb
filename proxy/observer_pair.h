// Two observers as one, composed once at the start. The types are known, so that what one of them does not listen to
// costs nothing.
#pragma once

#include "proxy/observer.h"

namespace imapmeter::proxy {

// Both outlive the pair; `First` hears everything first.
template <class First, class Second>
class ObserverPair final : public Observer {
 public:
  ObserverPair(First& first, Second& second) noexcept : first_(first), second_(second) {}

  void on_accepted() noexcept override {
    both([](auto& to) { to.on_accepted(); });
  }
  void on_handshake(const Handshake& handshake) noexcept override {
    both([&](auto& to) { to.on_handshake(handshake); });
  }
  void on_starttls(Side side, StarttlsResult result) noexcept override {
    both([&](auto& to) { to.on_starttls(side, result); });
  }
  void on_plaintext_login_refused() noexcept override {
    both([&](auto& to) { to.on_plaintext_login_refused(); });
  }
  void on_upstream_connect(std::size_t server, ConnectResult result) noexcept override {
    both([&](auto& to) { to.on_upstream_connect(server, result); });
  }
  void on_upstream_sessions(std::size_t server, int change) noexcept override {
    both([&](auto& to) { to.on_upstream_sessions(server, change); });
  }
  void on_bytes(imap::Direction direction, std::size_t octets) noexcept override {
    both([&](auto& to) { to.on_bytes(direction, octets); });
  }
  void on_authored(Authored what) noexcept override {
    both([&](auto& to) { to.on_authored(what); });
  }
  void on_blocked(Side side, int change, std::chrono::nanoseconds waited) noexcept override {
    both([&](auto& to) { to.on_blocked(side, change, waited); });
  }
  void on_relay_delay(imap::Direction direction, std::chrono::nanoseconds delay) noexcept override {
    both([&](auto& to) { to.on_relay_delay(direction, delay); });
  }
  void on_step(Step step, std::chrono::nanoseconds time) noexcept override {
    both([&](auto& to) { to.on_step(step, time); });
  }
  void on_server_status(std::size_t server, imap::Condition condition) noexcept override {
    both([&](auto& to) { to.on_server_status(server, condition); });
  }
  void on_server_capabilities(std::size_t server, const imap::Capabilities& capabilities) noexcept override {
    both([&](auto& to) { to.on_server_capabilities(server, capabilities); });
  }
  void on_server_first_response(std::size_t server, std::chrono::nanoseconds time) noexcept override {
    both([&](auto& to) { to.on_server_first_response(server, time); });
  }
  void on_auth_attempt(std::size_t server, const SessionFacts& session,
                       const imap::AuthAttempt& attempt) noexcept override {
    both([&](auto& to) { to.on_auth_attempt(server, session, attempt); });
  }
  void on_closed(const Closed& closed) noexcept override {
    both([&](auto& to) { to.on_closed(closed); });
  }

 private:
  template <class Tell>
  void both(Tell tell) noexcept {
    tell(first_);
    tell(second_);
  }

  First& first_;
  Second& second_;
};

}  // namespace imapmeter::proxy
