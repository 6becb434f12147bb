// A conversation that would leave a given skeleton: the same commands, answers and lengths, with x for every octet that
// the skeleton does not know.
//
// Rules
// - Tags are made up; an answer goes to the oldest command of its name.
// - A literal of the client is announced by the command before it as one that need not wait: whether the server asked
//   for it makes no difference to any count.
// - What the tracker would say of the made-up octets is taken from it; anomalies are not, they are told as they stand.
#include <algorithm>
#include <deque>
#include <string_view>

#include "proxy/imap/session_tracker.h"
#include "proxy/plain_inflater.h"
#include "proxy/replay.h"

namespace imapmeter::proxy {
namespace {

using imap::FlightEvent;
using imap::FlightKind;

// Hands on what is told, unless muted, but anomalies and what only the skeleton knows.
class Gate final : public imap::Observer {
 public:
  explicit Gate(imap::Observer& to) : to_(to) {}

  bool open = true;

  void on_status(const imap::Status& status) noexcept override {
    if (open) to_.on_status(status);
  }
  void on_undefined_status() noexcept override {
    if (open) to_.on_undefined_status();
  }
  void on_data(const imap::Data& data) noexcept override {
    if (open) to_.on_data(data);
  }
  void on_capabilities(const imap::Capabilities& /*capabilities*/) noexcept override {}
  void on_continuation() noexcept override {
    if (open) to_.on_continuation();
  }
  void on_bye(imap::ByeReason reason) noexcept override {
    if (open) to_.on_bye(reason);
  }
  // The observer has to hear where the session stands, whether it heard why or not.
  void on_state(imap::SessionState from, imap::SessionState to) noexcept override { to_.on_state(from, to); }
  void on_authenticated() noexcept override {
    if (open) to_.on_authenticated();
  }
  void on_command_started(const imap::CommandStart& start) noexcept override {
    if (open) to_.on_command_started(start);
  }
  void on_command_ended(const imap::CommandEnd& end) noexcept override {
    if (open) to_.on_command_ended(end);
  }
  void on_client_line(imap::ClientLine line, std::uint32_t octets) noexcept override {
    if (open) to_.on_client_line(line, octets);
  }
  void on_first_response(imap::Command command, std::chrono::nanoseconds time) noexcept override {
    if (open) to_.on_first_response(command, time);
  }
  void on_idle(std::chrono::nanoseconds duration) noexcept override {
    if (open) to_.on_idle(duration);
  }
  void on_auth_attempt(const imap::AuthAttempt& attempt) noexcept override {
    if (open) to_.on_auth_attempt(attempt);
  }
  void on_literal(imap::Direction direction, std::size_t octets) noexcept override {
    if (open) to_.on_literal(direction, octets);
  }
  void on_messages(imap::MessageOperation operation, std::size_t messages) noexcept override {
    if (open) to_.on_messages(operation, messages);
  }
  void on_provider_signal(imap::ProviderSignal signal) noexcept override {
    if (open) to_.on_provider_signal(signal);
  }
  void on_compress(imap::CompressResult result) noexcept override {
    if (open) to_.on_compress(result);
  }
  void on_inflated(imap::Direction /*direction*/, std::size_t /*deflated*/,
                   std::size_t /*inflated*/) noexcept override {}
  void on_anomaly(imap::Anomaly /*anomaly*/) noexcept override {}
  void on_opaque(imap::OpaqueReason reason) noexcept override { to_.on_opaque(reason); }
  void on_capability_removed() noexcept override {}
  void on_multiplex_removed() noexcept override {}
  void on_outcome(imap::Outcome outcome) noexcept override { to_.on_outcome(outcome); }

 private:
  imap::Observer& to_;
};

class SkeletonPlayer {
 public:
  SkeletonPlayer(const std::vector<FlightEvent>& events, imap::Observer& observer)
      : events_(events), observer_(observer), gate_(observer), tags_(1), tracker_(gate_, make_context()) {}

  void play();

 private:
  struct Outstanding {
    std::string tag;
    imap::Command command;
  };

  imap::TrackerContext& make_context() {
    context_.tags = &tags_;
    context_.inflaters = &inflaters_;
    return context_;
  }
  void client(const std::string& octets) { tracker_.client(octets, now_); }
  void pass(imap::Direction direction, std::uint64_t octets);
  void server(std::string octets) {
    octets.insert(0, imap::capability_headroom, ' ');
    tracker_.server(std::span(octets).subspan(imap::capability_headroom), now_);
  }

  void prelude();
  void event(std::size_t index);
  void command(std::size_t index);
  void data(const FlightEvent& event);
  void status(const FlightEvent& event);
  void undefined();
  std::string begin(imap::Command command, const std::string& arguments, std::uint32_t octets);
  std::string tag_for(imap::Command command);
  std::uint32_t messages_of(std::size_t index) const;
  std::size_t literal_of(std::size_t index) const;

  const std::vector<FlightEvent>& events_;
  imap::Observer& observer_;
  Gate gate_;
  imap::TagPool tags_;
  PlainInflaters inflaters_;
  imap::TrackerContext context_;
  imap::SessionTracker tracker_;
  imap::TimePoint now_{};
  std::deque<Outstanding> outstanding_;
  std::size_t begun_ = 0;
  bool greeted_ = false;
};

// `line` with x up to its length, line end included.
std::string padded(std::string line, std::uint32_t octets) {
  constexpr std::uint32_t longest = 1 << 20;  // longer lines make no difference to any count
  const std::size_t whole = std::min(octets, longest);
  if (line.size() + 3 < whole) line += " " + std::string(whole - line.size() - 3, 'x');
  return line + "\r\n";
}

void SkeletonPlayer::play() {
  prelude();
  for (std::size_t index = 0; index < events_.size(); ++index) {
    now_ = imap::TimePoint(std::chrono::milliseconds(events_[index].at));
    event(index);
  }
  tracker_.finish(now_);
}

// The session's beginning is forgotten: it was greeted, and has logged in unless it is seen to.
void SkeletonPlayer::prelude() {
  const auto found = std::find_if(events_.begin(), events_.end(),
                                  [](const FlightEvent& each) { return each.kind != FlightKind::anomaly; });
  if (found == events_.end()) return;
  const FlightEvent& first = *found;
  if (first.kind == FlightKind::greeting || first.kind == FlightKind::undefined || first.kind == FlightKind::opaque)
    return;
  const bool logs_in = std::any_of(events_.begin(), events_.end(), [](const FlightEvent& each) {
    return each.kind == FlightKind::command && imap::is_login(static_cast<imap::Command>(each.a));
  });
  now_ = imap::TimePoint(std::chrono::milliseconds(first.at));
  gate_.open = false;
  server(logs_in ? "* OK x\r\n" : "* PREAUTH x\r\n");
  gate_.open = true;
  greeted_ = true;
}

void SkeletonPlayer::event(std::size_t index) {
  const FlightEvent& event = events_[index];
  switch (event.kind) {
    case FlightKind::command:
      return command(index);
    case FlightKind::line:
      if (static_cast<imap::ClientLine>(event.a) == imap::ClientLine::cancel) return client("*\r\n");
      if (static_cast<imap::ClientLine>(event.a) == imap::ClientLine::done) return client("DONE\r\n");
      return client(padded("x", event.octets));
    case FlightKind::literal:  // went out with its command
      return;
    case FlightKind::greeting:
    case FlightKind::untagged:
    case FlightKind::tagged:
      return status(event);
    case FlightKind::undefined:
      return undefined();
    case FlightKind::data:
      return data(event);
    case FlightKind::open_literal:  // its response never ended
      return observer_.on_literal(imap::Direction::server_to_client, event.literal);
    case FlightKind::continuation:
      return server("+ x\r\n");
    case FlightKind::anomaly:
      return observer_.on_anomaly(static_cast<imap::Anomaly>(event.a));
    case FlightKind::opaque:
      return tracker_.go_opaque(static_cast<imap::OpaqueReason>(event.a));
  }
}

std::string SkeletonPlayer::begin(imap::Command command, const std::string& arguments, std::uint32_t octets) {
  const std::string tag = "a" + std::to_string(++begun_);
  outstanding_.push_back({tag, command});
  const std::string_view word = command == imap::Command::other ? "XOTHER" : name(command);
  return padded(tag + " " + std::string(word) + arguments, octets);
}

void SkeletonPlayer::command(std::size_t index) {
  const FlightEvent& event = events_[index];
  const auto which = static_cast<imap::Command>(event.a);
  std::string arguments;
  if (which == imap::Command::authenticate) {
    const auto mechanism = static_cast<imap::Mechanism>(event.b);
    const bool plus = mechanism == imap::Mechanism::scram_plus;
    arguments = plus ? " X-PLUS" : " " + std::string(name(mechanism));
  }
  const std::size_t literal = literal_of(index);
  if (literal == 0) return client(begin(which, arguments, event.octets));
  std::string line = begin(which, arguments + " x", 0);
  line.resize(line.size() - 2);
  const std::size_t parts = std::clamp<std::size_t>(messages_of(index), 1, literal);
  for (std::size_t part = 1; part <= parts; ++part) {
    const std::size_t octets = part == parts ? literal - (parts - 1) : 1;
    client(line + " {" + std::to_string(octets) + "+}\r\n");
    pass(imap::Direction::client_to_server, octets);
    line.clear();
  }
  client("\r\n");
}

// The octets of the client's literals that follow a command, before its next one.
std::size_t SkeletonPlayer::literal_of(std::size_t index) const {
  std::size_t octets = 0;
  while (++index < events_.size() && events_[index].kind != FlightKind::command)
    if (events_[index].kind == FlightKind::literal) octets += events_[index].literal;
  return octets;
}

std::uint32_t SkeletonPlayer::messages_of(std::size_t index) const {
  const std::uint8_t command = events_[index].a;
  while (++index < events_.size())
    if (events_[index].kind == FlightKind::tagged && events_[index].c == command) return events_[index].literal;
  return 0;
}

void SkeletonPlayer::data(const FlightEvent& event) {
  const auto keyword = static_cast<imap::DataKeyword>(event.a);
  const bool numbered = keyword == imap::DataKeyword::exists || keyword == imap::DataKeyword::recent ||
                        keyword == imap::DataKeyword::expunge || keyword == imap::DataKeyword::fetch;
  const std::string head = numbered ? "* 1 " : "* ";
  const std::string word = keyword == imap::DataKeyword::other ? "X" : std::string(name(keyword));
  std::uint32_t left = event.literal;
  for (unsigned response = 1; response <= event.b; ++response) {
    const bool message = response <= event.c;
    const bool last_literal = response >= event.c;
    const std::uint32_t octets = left == 0 ? 0 : last_literal ? left : 1;
    left -= octets;
    if (octets == 0) {
      server(padded(head + word, event.octets / event.b));
      continue;
    }
    server(head + word + (message ? " (BODY[] {" : " (X {") + std::to_string(octets) + "}\r\n");
    pass(imap::Direction::server_to_client, octets);
    server(")\r\n");
  }
}

void SkeletonPlayer::pass(imap::Direction direction, std::uint64_t octets) {
  constexpr std::uint64_t chunk = 1 << 16;
  for (std::uint64_t left = octets; left > 0; left -= std::min(left, chunk)) {
    const std::string part(std::min(left, chunk), 'x');
    direction == imap::Direction::client_to_server ? client(part) : server(part);
  }
}

std::string words_of(const FlightEvent& event) {
  const auto bye = static_cast<imap::ByeReason>(event.c);
  std::string words = " x";
  if (event.kind == FlightKind::untagged && event.c != imap::not_told) {
    if (bye == imap::ByeReason::inactivity) words += " idle";
    if (bye == imap::ByeReason::shutdown) words += " shutdown";
  }
  switch (static_cast<imap::ProviderSignal>(event.signal)) {
    case imap::ProviderSignal::throttled:
      return words + " throttled";
    case imap::ProviderSignal::too_many_connections:
      return words + " many connections";
    case imap::ProviderSignal::quota:
      return words + " quota";
    case imap::ProviderSignal::authenticated_not_connected:
      return words + " not connected";
  }
  return words;
}

void SkeletonPlayer::status(const FlightEvent& event) {
  std::string line = "* ";
  if (event.kind == FlightKind::tagged)
    line = (event.c == imap::not_told ? "x" : tag_for(static_cast<imap::Command>(event.c))) + " ";
  line += name(static_cast<imap::Condition>(event.a));
  const auto code = static_cast<imap::ResponseCode>(event.b);
  if (code != imap::ResponseCode::none)
    line += " [" + (code == imap::ResponseCode::other ? "XOTHER" : std::string(name(code))) + "]";
  greeted_ = true;
  server(padded(line + words_of(event), event.octets));
}

// The tag of the oldest command of that name; one that was forgotten begins now, unheard.
std::string SkeletonPlayer::tag_for(imap::Command command) {
  const auto is_it = [command](const Outstanding& each) { return each.command == command; };
  if (std::none_of(outstanding_.begin(), outstanding_.end(), is_it)) {
    gate_.open = false;
    client(begin(command, "", 0));
    gate_.open = true;
  }
  const auto found = std::find_if(outstanding_.begin(), outstanding_.end(), is_it);
  std::string tag = found->tag;
  outstanding_.erase(found);
  return tag;
}

void SkeletonPlayer::undefined() {
  if (!greeted_) return server("421 x\r\n");
  if (!outstanding_.empty()) server(outstanding_.front().tag + " WHAT\r\n");
}

}  // namespace

void replay(const std::vector<FlightEvent>& events, imap::Observer& observer) {
  SkeletonPlayer(events, observer).play();
}

}  // namespace imapmeter::proxy
