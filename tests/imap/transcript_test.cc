// Runs tests/transcripts/*.txt, each at every split.
#include "tests/imap/transcript.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "tests/imap/hearing.h"

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

class Transcripts : public testing::TestWithParam<std::string> {};

TEST_P(Transcripts, AsWritten) {
  const Transcript transcript = read_transcript(GetParam());
  ASSERT_FALSE(transcript.events.empty());
  const Heard heard = hear(transcript.talk, transcript.rules);
  EXPECT_EQ(heard.events, transcript.events);
  std::string sent;
  for (const Conversation::Step& step : transcript.talk.steps) {
    if (step.direction == imap::Direction::server_to_client) sent += step.octets;
  }
  EXPECT_EQ(heard.to_client, transcript.filters ? transcript.to_client : sent);
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
