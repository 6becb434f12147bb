// What tests of proxy/imap ask of a conversation: its events, the same at every chunking.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/conversation.h"

namespace imapmeter::test {

// Listens at every split, expects the same of each, and returns it.
inline Heard hear(const Conversation& talk, const imap::CapabilityRules& rules = {.enabled = false}) {
  Heard whole = listen(talk, {}, rules);
  for_each_split(talk.octets(), [&](const Split& split) {
    const Heard heard = listen(talk, split, rules);
    EXPECT_EQ(heard.events, whole.events) << "split: " << split.text();
    EXPECT_EQ(heard.to_client, whole.to_client) << "split: " << split.text();
    EXPECT_EQ(heard.to_server, whole.to_server) << "split: " << split.text();
    EXPECT_EQ(heard.first_responses, whole.first_responses) << "split: " << split.text();
    EXPECT_EQ(heard.durations, whole.durations) << "split: " << split.text();
    EXPECT_EQ(heard.logins, whole.logins) << "split: " << split.text();
    EXPECT_EQ(heard.capabilities, whole.capabilities) << "split: " << split.text();
    EXPECT_EQ(heard.capability_sets, whole.capability_sets) << "split: " << split.text();
    EXPECT_EQ(heard.data, whole.data) << "split: " << split.text();
    EXPECT_EQ(heard.data_octets, whole.data_octets) << "split: " << split.text();
    EXPECT_EQ(heard.client_software, whole.client_software) << "split: " << split.text();
    if (heard.opaque) return;  // how far inflation had come depends on the cut
    EXPECT_EQ(heard.deflated, whole.deflated) << "split: " << split.text();
    EXPECT_EQ(heard.inflated, whole.inflated) << "split: " << split.text();
  });
  return whole;
}

// The events of a conversation, without those of its prelude and without the outcome.
inline std::vector<std::string> events_of(const Conversation& talk) {
  std::vector<std::string> events = hear(talk).events;
  EXPECT_GE(events.size(), talk.prelude_events);
  events.erase(events.begin(), events.begin() + static_cast<std::ptrdiff_t>(talk.prelude_events));
  if (!events.empty() && events.back().starts_with("outcome ")) events.pop_back();
  return events;
}

inline std::string outcome_of(const Conversation& talk) {
  const std::vector<std::string> events = hear(talk).events;
  return !events.empty() && events.back().starts_with("outcome ") ? events.back().substr(8) : "none";
}

inline Conversation greeted() {
  Conversation talk;
  talk.server("* OK ready\r\n");
  talk.prelude_events = 2;
  return talk;
}

inline Conversation logged_in() {
  Conversation talk = greeted();
  talk.client("l LOGIN u p\r\n").server("l OK\x20in\r\n");
  talk.prelude_events = 7;
  return talk;
}

}  // namespace imapmeter::test
