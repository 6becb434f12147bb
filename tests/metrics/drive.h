// A configuration to count for, and every event with every value there is.
#pragma once

#include <cstddef>
#include <functional>

#include "metrics/metrics.h"
#include "proxy/session_facts.h"

namespace imapmeter::metrics {

inline config::Config one_listener() {
  config::Config config;
  config::Listener listener;
  listener.binds = {{"0.0.0.0", 993}};
  listener.upstream = "dovecot";
  config.listeners.push_back(listener);
  config::Upstream upstream;
  upstream.name = "dovecot";
  upstream.servers = {{"mail.example.org", 993}, {"2001:db8::1", 1993}};
  config.upstreams.push_back(upstream);
  return config;
}

inline BuildInfo build() { return {"0.1.0", "abcdef", "OpenSSL 3.0", "1.81"}; }

template <class Enum>
void for_each_value(std::size_t count, const std::function<void(Enum)>& visit) {
  for (std::size_t i = 0; i < count; ++i) visit(static_cast<Enum>(i));
}

inline void drive_imap(Shard& shard) {
  for_each_value<imap::ResponseKind>(imap::response_kind_count, [&](auto kind) {
    for_each_value<imap::Condition>(imap::condition_count, [&](auto condition) {
      for_each_value<imap::ResponseCode>(imap::response_code_count, [&](auto code) {
        shard.on_status({kind, condition, code, {(1U << imap::status_code_count) - 1}});
      });
    });
  });
  shard.on_undefined_status();
  for_each_value<imap::ByeReason>(imap::bye_reason_count, [&](auto reason) { shard.on_bye(reason); });
  for_each_value<imap::Command>(imap::command_count, [&](auto command) {
    for_each_value<imap::CommandResult>(imap::command_result_count, [&](auto result) {
      shard.on_command_started({command});
      shard.on_command_ended({command, result});
    });
    shard.on_command_started({command});
  });
  for_each_value<imap::Direction>(imap::direction_count, [&](auto direction) {
    shard.on_literal(direction, 1);
    shard.on_bytes(direction, 1);
  });
  for_each_value<imap::Anomaly>(imap::anomaly_count, [&](auto anomaly) { shard.on_anomaly(anomaly); });
  for_each_value<imap::CompressResult>(imap::compress_result_count, [&](auto result) { shard.on_compress(result); });
  for_each_value<imap::Direction>(imap::direction_count, [&](auto direction) { shard.on_inflated(direction, 1, 1); });
  for_each_value<imap::OpaqueReason>(imap::opaque_reason_count, [&](auto reason) { shard.on_opaque(reason); });
  for_each_value<imap::Outcome>(imap::outcome_count, [&](auto outcome) { shard.on_outcome(outcome); });
  for_each_value<imap::Command>(imap::command_count, [&](auto command) {
    shard.on_command_started({command});
    shard.on_command_ended({command, imap::CommandResult::ok, std::chrono::milliseconds(1)});
    shard.on_first_response(command, std::chrono::milliseconds(1));
  });
  shard.on_idle(std::chrono::seconds(1));
  for_each_value<imap::DataKeyword>(imap::data_keyword_count, [&](auto keyword) { shard.on_data({keyword, 1}); });
  for_each_value<imap::MessageOperation>(imap::message_operation_count,
                                         [&](auto operation) { shard.on_messages(operation, 1); });
  for_each_value<imap::ProviderSignal>(imap::provider_signal_count,
                                       [&](auto signal) { shard.on_provider_signal(signal); });
  for_each_value<imap::Mechanism>(imap::mechanism_count, [&](auto mechanism) {
    for_each_value<imap::AuthResult>(imap::auth_result_count, [&](auto result) {
      for_each_value<imap::ResponseCode>(imap::response_code_count, [&](auto code) {
        shard.on_auth_attempt({mechanism, result, code});
      });
    });
  });
  shard.on_authenticated();
}

inline void drive_relay(Shard& shard, std::size_t servers) {
  for_each_value<imap::SessionState>(imap::session_state_count, [&](auto state) {
    shard.on_accepted();
    if (state != imap::SessionState::connecting) shard.on_state(imap::SessionState::connecting, state);
  });
  for_each_value<proxy::Side>(proxy::side_count, [&](auto side) {
    for_each_value<proxy::HandshakeResult>(proxy::handshake_result_count, [&](auto result) {
      if (result != proxy::HandshakeResult::ok) shard.on_handshake({side, result, proxy::TlsVersion::none, false});
    });
    for (const auto version : {proxy::TlsVersion::tls1_2, proxy::TlsVersion::tls1_3}) {
      shard.on_handshake({side, proxy::HandshakeResult::ok, version, false});
      shard.on_handshake({side, proxy::HandshakeResult::ok, version, true});
    }
  });
  for_each_value<proxy::Side>(proxy::side_count, [&](auto side) {
    for_each_value<proxy::StarttlsResult>(proxy::starttls_result_count,
                                          [&](auto result) { shard.on_starttls(side, result); });
  });
  shard.on_plaintext_login_refused();
  for_each_value<proxy::Side>(proxy::side_count,
                              [&](auto side) { shard.on_blocked(side, 1, std::chrono::seconds(1)); });
  for_each_value<imap::Direction>(imap::direction_count, [&](auto direction) { shard.on_relay_delay(direction, {}); });
  for_each_value<proxy::Step>(proxy::step_count, [&](auto step) { shard.on_step(step, {}); });
  for_each_value<imap::ClientSoftware>(imap::client_software_count, [&](auto software) {
    for_each_value<imap::Outcome>(imap::outcome_count, [&](auto outcome) {
      proxy::SessionFacts facts;
      facts.client_software = software;
      facts.outcome = outcome;
      shard.on_accepted();
      shard.on_closed(
          {proxy::CloseReason::logout, proxy::Phase::authenticated, imap::SessionState::connecting, {}, &facts});
    });
  });
  for_each_value<proxy::Authored>(proxy::authored_count, [&](auto what) { shard.on_authored(what); });
  for_each_value<proxy::CloseReason>(proxy::close_reason_count, [&](auto reason) {
    for_each_value<proxy::Phase>(proxy::phase_count, [&](auto phase) {
      shard.on_accepted();
      shard.on_closed({reason, phase, imap::SessionState::connecting, {}});
    });
  });
  for (std::size_t server = 0; server < servers; ++server) {
    for_each_value<proxy::ConnectResult>(proxy::connect_result_count,
                                         [&](auto result) { shard.on_upstream_connect(server, result); });
    shard.on_upstream_sessions(server, 1);
    for_each_value<imap::Condition>(imap::condition_count,
                                    [&](auto condition) { shard.on_server_status(server, condition); });
    for_each_value<imap::AuthResult>(imap::auth_result_count,
                                     [&](auto result) { shard.on_auth_attempt(server, {}, {.result = result}); });
    shard.on_server_first_response(server, {});
  }
}

}  // namespace imapmeter::metrics
