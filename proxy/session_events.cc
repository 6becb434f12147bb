// What the tracker reads goes to the listener's observers; here the session adds what only it knows.
#include "proxy/session.h"

namespace imapmeter::proxy {

// How long it took, if it was taken.
void Session::tell_step(Step step) noexcept {
  const std::uint32_t us = facts_->steps[static_cast<std::size_t>(step)];
  if (us != SessionFacts::not_taken) context_.observer->on_step(step, std::chrono::microseconds(us));
}

void Session::on_status(const imap::Status& status) noexcept {
  facts_->flight.status(age(), status);
  context_.imap_observer->on_status(status);
  context_.observer->on_server_status(server_, status.condition);
}

void Session::on_undefined_status() noexcept {
  facts_->flight.undefined_status(age());
  context_.imap_observer->on_undefined_status();
}

void Session::on_data(const imap::Data& data) noexcept {
  facts_->flight.data(age(), data);
  context_.imap_observer->on_data(data);
}

void Session::on_capabilities(const imap::Capabilities& capabilities) noexcept {
  context_.imap_observer->on_capabilities(capabilities);
  context_.observer->on_server_capabilities(server_, capabilities);
}

void Session::on_continuation() noexcept {
  facts_->flight.continuation(age());
  context_.imap_observer->on_continuation();
}

void Session::on_client_line(imap::ClientLine line, std::uint32_t octets) noexcept {
  facts_->flight.client_line(age(), line, octets);
  context_.imap_observer->on_client_line(line, octets);
}

void Session::on_bye(imap::ByeReason reason) noexcept {
  facts_->bye = reason;
  facts_->flight.bye(reason);
  context_.imap_observer->on_bye(reason);
}

void Session::on_state(imap::SessionState from, imap::SessionState to) noexcept {
  context_.imap_observer->on_state(from, to);
}

void Session::on_authenticated() noexcept {
  if (facts_->login_began != TimePoint{}) {
    facts_->take(Step::login, now() - facts_->login_began);
    tell_step(Step::login);
  }
  context_.imap_observer->on_authenticated();
}

void Session::on_command_started(const imap::CommandStart& start) noexcept {
  if (imap::is_login(start.command) && facts_->login_began == TimePoint{}) facts_->login_began = now();
  facts_->flight.command_started(age(), start);
  context_.imap_observer->on_command_started(start);
}

void Session::on_command_ended(const imap::CommandEnd& end) noexcept {
  ++facts_->commands[static_cast<std::size_t>(end.result)];
  facts_->flight.command_ended(end);
  context_.imap_observer->on_command_ended(end);
}

void Session::on_idle(std::chrono::nanoseconds duration) noexcept { context_.imap_observer->on_idle(duration); }

void Session::on_first_response(imap::Command command, std::chrono::nanoseconds time) noexcept {
  context_.imap_observer->on_first_response(command, time);
  context_.observer->on_server_first_response(server_, time);
}

void Session::on_auth_attempt(const imap::AuthAttempt& attempt) noexcept {
  context_.imap_observer->on_auth_attempt(attempt);
  facts_->server = server_;
  facts_->network = network_of(facts_->client);
  context_.observer->on_auth_attempt(server_, *facts_, attempt);
}

void Session::on_literal(imap::Direction direction, std::size_t octets) noexcept {
  facts_->flight.literal(age(), direction, octets);
  context_.imap_observer->on_literal(direction, octets);
}

void Session::on_messages(imap::MessageOperation operation, std::size_t messages) noexcept {
  facts_->flight.messages(operation, messages);
  context_.imap_observer->on_messages(operation, messages);
}

void Session::on_provider_signal(imap::ProviderSignal signal) noexcept {
  facts_->flight.provider_signal(signal);
  context_.imap_observer->on_provider_signal(signal);
}

void Session::on_compress(imap::CompressResult result) noexcept { context_.imap_observer->on_compress(result); }

void Session::on_inflated(imap::Direction direction, std::size_t deflated, std::size_t inflated) noexcept {
  context_.imap_observer->on_inflated(direction, deflated, inflated);
}

void Session::on_anomaly(imap::Anomaly anomaly) noexcept {
  facts_->flight.anomaly(age(), anomaly);
  context_.imap_observer->on_anomaly(anomaly);
}

void Session::on_opaque(imap::OpaqueReason reason) noexcept {
  facts_->flight.opaque(age(), reason);
  context_.imap_observer->on_opaque(reason);
}

void Session::on_capability_removed() noexcept { context_.imap_observer->on_capability_removed(); }

void Session::on_multiplex_removed() noexcept { context_.imap_observer->on_multiplex_removed(); }

void Session::on_outcome(imap::Outcome outcome) noexcept {
  facts_->outcome = outcome;
  context_.imap_observer->on_outcome(outcome);
}

}  // namespace imapmeter::proxy
