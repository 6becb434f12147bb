// One record in the log for each session at its end, and one for each login that failed, limited to 50 a second of each
// class.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "config/config.h"
#include "proxy/client_address.h"
#include "proxy/log_limiter.h"
#include "proxy/observer.h"
#include "proxy/session_record.h"

namespace imapmeter::proxy {

// So that what anyone can cause never keeps others from being heard.
enum class RecordClass : std::uint8_t {
  served,    // logged in, and all went well
  trouble,   // logged in, and it did not go well, or the server let nobody log in
  stranger,  // never logged in
  auth,      // an attempt to log in that failed
};
inline constexpr std::size_t record_class_count = 4;
RecordClass record_class(const Closed& closed) noexcept;

// What all listeners and workers share.
struct SessionLogShared {
  explicit SessionLogShared(const config::Config& config)
      : enabled(config.log_sessions), client_text(config.log_client_address) {}

  const bool enabled;
  const ClientAddressText client_text;
  std::array<LineRate, record_class_count> rates;
};

// For the sessions of one listener. Any thread.
class SessionLog final : public Observer {
 public:
  // `shared` outlives it.
  SessionLog(const config::Config& config, std::size_t listener, SessionLogShared& shared);

  void on_accepted() noexcept override {}
  void on_handshake(const Handshake& /*handshake*/) noexcept override {}
  void on_starttls(Side /*side*/, StarttlsResult /*result*/) noexcept override {}
  void on_plaintext_login_refused() noexcept override {}
  void on_upstream_connect(std::size_t /*server*/, ConnectResult /*result*/) noexcept override {}
  void on_upstream_sessions(std::size_t /*server*/, int /*change*/) noexcept override {}
  void on_bytes(imap::Direction /*direction*/, std::size_t /*octets*/) noexcept override {}
  void on_authored(Authored /*what*/) noexcept override {}
  void on_blocked(Side /*side*/, int /*change*/, std::chrono::nanoseconds /*waited*/) noexcept override {}
  void on_relay_delay(imap::Direction /*direction*/, std::chrono::nanoseconds /*delay*/) noexcept override {}
  void on_step(Step /*step*/, std::chrono::nanoseconds /*time*/) noexcept override {}
  void on_server_status(std::size_t /*server*/, imap::Condition /*condition*/) noexcept override {}
  void on_server_capabilities(std::size_t /*server*/, const imap::Capabilities& /*capabilities*/) noexcept override {}
  void on_server_first_response(std::size_t /*server*/, std::chrono::nanoseconds /*time*/) noexcept override {}
  void on_auth_attempt(std::size_t server, const SessionFacts& session,
                       const imap::AuthAttempt& attempt) noexcept override;
  void on_closed(const Closed& closed) noexcept override;

 private:
  bool may_write(config::LogLevel level, RecordClass record) noexcept;

  RecordNames names_;
  SessionLogShared& shared_;
};

}  // namespace imapmeter::proxy
