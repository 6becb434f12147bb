// A conversation of an IMAP client and server, fed to a SessionTracker at any chunking.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/imap/deflate_tap.h"
#include "proxy/imap/session_tracker.h"
#include "tests/support/event_log.h"

namespace imapmeter::test {

// How to cut a stream; positions count over the whole conversation.
struct Split {
  enum class Kind { whole, every, once, random };
  Kind kind = Kind::whole;
  std::size_t size = 0;    // every: octets; once: where
  std::uint32_t seed = 0;  // random

  // The size of the chunk that begins at `position` with `left` octets in its step.
  std::size_t next(std::size_t position, std::size_t left, std::minstd_rand& dice) const {
    switch (kind) {
      case Kind::whole:
        return left;
      case Kind::every:
        return std::min(size, left);
      case Kind::once:
        return position < size ? std::min(size - position, left) : left;
      case Kind::random:
        return std::min<std::size_t>(1 + dice() % 40, left);
    }
    return left;
  }
  std::string text() const {
    const char* names[] = {"whole", "every ", "once at ", "random with seed "};
    std::string result = names[static_cast<int>(kind)];
    if (kind == Kind::random) return result + std::to_string(seed);
    return kind == Kind::whole ? result : result + std::to_string(size);
  }
};

struct Conversation {
  struct Step {
    imap::Direction direction;
    std::string octets;
    std::chrono::seconds later{0};  // time that passes before it
  };
  std::vector<Step> steps;
  bool take_out_multiplex = false;
  std::size_t prelude_events = 0;  // events of a beginning that a test does not want to repeat

  Conversation& client(std::string octets) { return add(imap::Direction::client_to_server, std::move(octets)); }
  Conversation& server(std::string octets) { return add(imap::Direction::server_to_client, std::move(octets)); }
  Conversation& wait(std::chrono::seconds time) {
    pending_ += time;
    return *this;
  }
  std::size_t octets() const {
    std::size_t sum = 0;
    for (const Step& step : steps) sum += step.octets.size();
    return sum;
  }

 private:
  Conversation& add(imap::Direction direction, std::string octets) {
    steps.push_back({direction, std::move(octets), std::exchange(pending_, std::chrono::seconds(0))});
    return *this;
  }
  std::chrono::seconds pending_{0};
};

struct Heard {
  std::vector<std::string> events;
  std::string to_client;  // what server() gave out
  std::string to_server;  // what pass_client() gave out
  imap::CapabilityFindings findings;
  std::vector<std::string> first_responses;
  std::vector<std::string> durations;
  std::vector<std::string> logins;
  std::vector<std::string> data;
  std::size_t data_octets = 0;
  std::vector<std::string> capabilities;
  std::vector<imap::CapabilitySet> capability_sets;
  std::array<std::size_t, imap::direction_count> deflated{};
  std::array<std::size_t, imap::direction_count> inflated{};
  imap::ClientSoftware client_software = imap::ClientSoftware::none;
  bool opaque = false;
  friend bool operator==(const Heard&, const Heard&) = default;
};

// Feeds the conversation and ends the session. `rules` is copied: each run remembers for itself.
inline Heard listen(const Conversation& talk, const Split& split, imap::CapabilityRules rules = {.enabled = false},
                    std::uint64_t tag_key = 0x9e3779b97f4a7c15) {
  static imap::TagPool pool(16);
  EventLog log;
  static imap::InflatedSessions inflated_sessions(1);
  static imap::DeflateTaps taps(inflated_sessions);
  imap::TrackerContext context{&pool, &rules, tag_key, &taps};
  Heard heard;
  imap::SessionTracker tracker(log, context);
  if (talk.take_out_multiplex) tracker.take_out_multiplex();
  std::minstd_rand dice(split.seed);
  std::vector<char> room;
  imap::TimePoint now{};
  std::size_t position = 0;
  for (const Conversation::Step& step : talk.steps) {
    now += step.later;
    for (std::size_t done = 0; done < step.octets.size();) {
      const std::size_t size = split.next(position, step.octets.size() - done, dice);
      room.assign(imap::capability_headroom, '#');
      room.insert(room.end(), step.octets.data() + done, step.octets.data() + done + size);
      const std::span<char> octets = std::span(room).subspan(imap::capability_headroom);
      if (step.direction == imap::Direction::client_to_server) {
        const std::span<char> out = tracker.pass_client(octets, now);
        heard.to_server.append(out.data(), out.size());
      } else {
        const std::span<char> out = tracker.server(octets, now);
        heard.to_client.append(out.data(), out.size());
      }
      done += size;
      position += size;
    }
  }
  const std::span<const char> held = tracker.release_held(imap::Direction::server_to_client);
  heard.to_client.append(held.data(), held.size());
  const std::span<const char> held_up = tracker.release_held(imap::Direction::client_to_server);
  heard.to_server.append(held_up.data(), held_up.size());
  tracker.finish(now);
  heard.events = std::move(log.lines);
  heard.first_responses = std::move(log.first_responses);
  heard.durations = std::move(log.durations);
  heard.logins = std::move(log.logins);
  heard.data = std::move(log.data);
  heard.data_octets = log.data_octets;
  heard.capabilities = std::move(log.capabilities);
  heard.capability_sets = std::move(log.capability_sets);
  heard.deflated = log.deflated;
  heard.inflated = log.inflated;
  heard.findings = rules.findings;
  heard.opaque = tracker.state() == imap::SessionState::opaque;
  heard.client_software = tracker.client_software();
  return heard;
}

// Whole, 1, 2, 7 octets at a time, cut once at each position, and some random cuts.
inline void for_each_split(std::size_t octets, const std::function<void(const Split&)>& run) {
  run({Split::Kind::whole});
  for (const std::size_t size : {1U, 2U, 7U}) run({Split::Kind::every, size});
  for (std::size_t at = 1; at < octets; ++at) run({Split::Kind::once, at});
  static std::random_device device;
  for (int i = 0; i < 10; ++i) run({Split::Kind::random, 0, device()});
}

}  // namespace imapmeter::test
