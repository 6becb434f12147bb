// Runs tests/transcripts/*.txt, each at every split.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>

#include "proxy/replay.h"
#include "tests/imap/hearing.h"
#include "tests/support/deflate.h"
#include "tests/support/flight_log.h"

namespace imapmeter::test {
namespace {

std::vector<std::string> transcripts() {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(IMAPMETER_SOURCE_DIR "/tests/transcripts")) {
    if (entry.path().extension() == ".txt") paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

using proxy::Transcript;

Transcript read(const std::string& path) {
  std::ifstream file(path);
  return proxy::read_transcript(file);
}

Conversation talk_of(const Transcript& transcript) {
  Conversation talk;
  std::array<std::unique_ptr<Deflater>, imap::direction_count> deflaters;
  for (const Transcript::Step& step : transcript.steps) {
    auto& deflater = deflaters[static_cast<std::size_t>(step.direction)];
    if (!step.deflated) deflater.reset();
    if (step.deflated && !deflater) deflater = std::make_unique<Deflater>();
    talk.steps.push_back({step.direction, deflater ? (*deflater)(step.octets) : step.octets,
                          std::chrono::duration_cast<std::chrono::seconds>(step.later)});
  }
  return talk;
}

// What a replay has to tell again, in no order: all but states, and literals added up.
std::map<std::string, int> told(const EventLog& log) {
  std::map<std::string, int> counts;
  for (const std::string& line : log.lines) {
    if (line.starts_with("state ") || line == "capability_removed") continue;
    const std::size_t last = line.rfind(' ');
    const bool literal = line.starts_with("literal ");
    counts[literal ? line.substr(0, last) : line] += literal ? std::stoi(line.substr(last + 1)) : 1;
  }
  for (const std::string& each : log.logins) ++counts["login " + each];
  for (const std::string& each : log.data) ++counts["data " + each];
  return counts;
}

class Transcripts : public testing::TestWithParam<std::string> {};

TEST_P(Transcripts, AsWritten) {
  const Transcript transcript = read(GetParam());
  const Conversation talk = talk_of(transcript);
  ASSERT_FALSE(transcript.events.empty());
  const Heard heard = hear(talk, transcript.rules);
  EXPECT_EQ(heard.events, transcript.events);
  std::string sent;
  for (const Conversation::Step& step : talk.steps) {
    if (step.direction == imap::Direction::server_to_client) sent += step.octets;
  }
  EXPECT_EQ(heard.to_client, transcript.filters ? transcript.to_client : sent);
}

TEST_P(Transcripts, ReplayedTellTheSame) {
  const Transcript transcript = read(GetParam());
  EventLog log;
  std::ifstream file(GetParam());
  proxy::replay(file, log);
  EXPECT_EQ(log.lines, transcript.events);
}

// What the flight recorder keeps of a conversation is enough to count it again.
TEST_P(Transcripts, TheirSkeletonsReplayedTellTheSame) {
  FlightLog log;
  proxy::replay(read(GetParam()), log);
  if (log.flight.noted() > imap::FlightRecorder::kept) return;  // the beginning is forgotten
  std::stringstream printed;
  printed << "session 0-1 of listener default\noutcome cut\n";
  for (const imap::FlightEvent& event : log.flight.events()) printed << text(event) << "\n";
  EventLog again;
  proxy::replay(printed, again);
  EXPECT_EQ(told(again), told(log.heard)) << printed.str();
}

INSTANTIATE_TEST_SUITE_P(All, Transcripts, testing::ValuesIn(transcripts()), [](const auto& info) {
  std::string name = std::filesystem::path(info.param).stem().string();
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name;
});

TEST(Transcripts, ThereAreSome) { EXPECT_GE(transcripts().size(), 10U); }

}  // namespace
}  // namespace imapmeter::test
