// An imap::Observer that writes down what it hears and feeds a flight recorder, as a session does.
#pragma once

#include "proxy/imap/flight_recorder.h"
#include "tests/support/event_log.h"

namespace imapmeter::test {

class FlightLog final : public imap::Observer {
 public:
  EventLog heard;
  imap::FlightRecorder flight;

  void on_status(const imap::Status& status) noexcept override {
    flight.status({}, status);
    heard.on_status(status);
  }
  void on_undefined_status() noexcept override {
    flight.undefined_status({});
    heard.on_undefined_status();
  }
  void on_data(const imap::Data& data) noexcept override {
    flight.data({}, data);
    heard.on_data(data);
  }
  void on_capabilities(const imap::Capabilities& capabilities) noexcept override {
    heard.on_capabilities(capabilities);
  }
  void on_continuation() noexcept override { flight.continuation({}); }
  void on_bye(imap::ByeReason reason) noexcept override {
    flight.bye(reason);
    heard.on_bye(reason);
  }
  void on_state(imap::SessionState from, imap::SessionState to) noexcept override { heard.on_state(from, to); }
  void on_authenticated() noexcept override { heard.on_authenticated(); }
  void on_command_started(const imap::CommandStart& start) noexcept override {
    flight.command_started({}, start);
    heard.on_command_started(start);
  }
  void on_command_ended(const imap::CommandEnd& end) noexcept override {
    flight.command_ended(end);
    heard.on_command_ended(end);
  }
  void on_client_line(imap::ClientLine line, std::uint32_t octets) noexcept override {
    flight.client_line({}, line, octets);
  }
  void on_first_response(imap::Command command, std::chrono::nanoseconds time) noexcept override {
    heard.on_first_response(command, time);
  }
  void on_idle(std::chrono::nanoseconds duration) noexcept override { heard.on_idle(duration); }
  void on_auth_attempt(const imap::AuthAttempt& attempt) noexcept override { heard.on_auth_attempt(attempt); }
  void on_literal(imap::Direction direction, std::size_t octets) noexcept override {
    flight.literal({}, direction, octets);
    heard.on_literal(direction, octets);
  }
  void on_messages(imap::MessageOperation operation, std::size_t messages) noexcept override {
    flight.messages(operation, messages);
    heard.on_messages(operation, messages);
  }
  void on_provider_signal(imap::ProviderSignal signal) noexcept override {
    flight.provider_signal(signal);
    heard.on_provider_signal(signal);
  }
  void on_compress(imap::CompressResult result) noexcept override { heard.on_compress(result); }
  void on_inflated(imap::Direction direction, std::size_t deflated, std::size_t inflated) noexcept override {
    heard.on_inflated(direction, deflated, inflated);
  }
  void on_anomaly(imap::Anomaly anomaly) noexcept override {
    flight.anomaly({}, anomaly);
    heard.on_anomaly(anomaly);
  }
  void on_opaque(imap::OpaqueReason reason) noexcept override {
    flight.opaque({}, reason);
    heard.on_opaque(reason);
  }
  void on_capability_removed() noexcept override { heard.on_capability_removed(); }
  void on_multiplex_removed() noexcept override { heard.on_multiplex_removed(); }
  void on_outcome(imap::Outcome outcome) noexcept override { heard.on_outcome(outcome); }
};

}  // namespace imapmeter::test
