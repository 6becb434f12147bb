// An imap::Observer that writes down what it hears, one line per event, to compare and to read.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/imap/observer.h"

namespace imapmeter::test {

class EventLog final : public imap::Observer {
 public:
  // Literal octets are told as they pass, so neighbours are added up: else every chunking would look different.
  std::vector<std::string> lines;
  std::vector<std::string> logins;           // attempts to log in, as they were answered
  std::vector<std::string> first_responses;  // "COMMAND seconds"
  std::vector<std::string> durations;        // "COMMAND RESULT seconds", "-" for none; "idle seconds"
  std::vector<std::string> capabilities;     // "before: IDLE other"
  std::vector<imap::CapabilitySet> capability_sets;
  std::vector<std::string> data;  // keywords of untagged data, messages, provider signals
  std::size_t data_octets = 0;    // of the lines of untagged data

  std::array<std::size_t, imap::direction_count> deflated{};  // octets by direction
  std::array<std::size_t, imap::direction_count> inflated{};

  void on_status(const imap::Status& status) noexcept override {
    std::string members;
    for (std::size_t i = 0; i < imap::status_code_count; ++i) {
      const auto member = static_cast<imap::StatusCode>(i);
      if (!status.members.has(member)) continue;
      members += members.empty() ? "" : " ";
      members += name(member);
    }
    add({"status", name(status.kind), name(status.condition), name(status.code), "(" + members + ")"});
  }
  void on_undefined_status() noexcept override { add({"not_defined"}); }
  void on_data(const imap::Data& responses) noexcept override {
    data_octets += responses.octets;
    data.insert(data.end(), responses.responses, std::string(name(responses.keyword)));
  }
  void on_capabilities(const imap::Capabilities& all) noexcept override {
    std::string words = all.after_login ? "after:" : "before:";
    for (std::size_t i = 0; i < imap::capability_words.size(); ++i)
      if (all.set.has(i)) words += " " + std::string(imap::capability_words[i]);
    capabilities.push_back(words + (all.set.others != 0 ? " other" : ""));
    capability_sets.push_back(all.set);
  }
  void on_continuation() noexcept override {}
  void on_bye(imap::ByeReason reason) noexcept override { add({"bye", name(reason)}); }
  void on_state(imap::SessionState from, imap::SessionState to) noexcept override {
    add({"state", name(from), "->", name(to)});
  }
  void on_authenticated() noexcept override { add({"authenticated"}); }
  void on_command_started(const imap::CommandStart& start) noexcept override { add({"started", name(start.command)}); }
  void on_command_ended(const imap::CommandEnd& end) noexcept override {
    add({"ended", name(end.command), name(end.result)});
    durations.push_back(std::string(name(end.command)) + " " + std::string(name(end.result)) + " " +
                        (end.duration ? seconds(*end.duration) : "-"));
  }
  void on_idle(std::chrono::nanoseconds duration) noexcept override {
    durations.push_back("idle " + seconds(duration));
  }
  void on_client_line(imap::ClientLine, std::uint32_t) noexcept override {}
  void on_first_response(imap::Command command, std::chrono::nanoseconds time) noexcept override {
    first_responses.push_back(std::string(name(command)) + " " + seconds(time));
  }
  void on_auth_attempt(const imap::AuthAttempt& attempt) noexcept override {
    logins.push_back(std::string(name(attempt.mechanism)) + " " + std::string(name(attempt.result)) + " " +
                     std::string(name(attempt.code)));
  }
  void on_literal(imap::Direction direction, std::size_t octets) noexcept override {
    if (!literal_open_ || literal_direction_ != direction) {
      literal_octets_ = 0;
      lines.emplace_back();
    }
    literal_octets_ += octets;
    literal_direction_ = direction;
    lines.back() = "literal " + std::string(side(direction)) + " " + std::to_string(literal_octets_);
    literal_open_ = true;
  }
  void on_messages(imap::MessageOperation operation, std::size_t messages) noexcept override {
    data.push_back(std::string(name(operation)) + " " + std::to_string(messages));
  }
  void on_provider_signal(imap::ProviderSignal signal) noexcept override { data.emplace_back(name(signal)); }
  void on_compress(imap::CompressResult result) noexcept override { add({"compress", name(result)}); }
  void on_inflated(imap::Direction direction, std::size_t deflated, std::size_t inflated) noexcept override {
    this->deflated[static_cast<std::size_t>(direction)] += deflated;
    this->inflated[static_cast<std::size_t>(direction)] += inflated;
  }
  void on_anomaly(imap::Anomaly anomaly) noexcept override {
    add({"anomaly", side(imap::side(anomaly)), name(anomaly)});
  }
  void on_opaque(imap::OpaqueReason reason) noexcept override { add({"opaque", name(reason)}); }
  void on_capability_removed() noexcept override { add({"capability_removed"}); }
  void on_multiplex_removed() noexcept override { add({"multiplex_removed"}); }
  void on_outcome(imap::Outcome outcome) noexcept override { add({"outcome", name(outcome)}); }

 private:
  static std::string seconds(std::chrono::nanoseconds time) {
    return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(time).count());
  }
  static std::string_view side(imap::Direction direction) {
    return direction == imap::Direction::client_to_server ? "client" : "upstream";
  }
  void add(std::initializer_list<std::string_view> words) {
    literal_open_ = false;
    std::string line;
    for (const std::string_view word : words) {
      if (!line.empty()) line += ' ';
      line += word;
    }
    lines.push_back(line);
  }

  bool literal_open_ = false;
  imap::Direction literal_direction_ = imap::Direction::client_to_server;
  std::size_t literal_octets_ = 0;
};

}  // namespace imapmeter::test
