#include "tests/support/exposition.h"

#include <gtest/gtest.h>

namespace imapmeter::test {
namespace {

const std::string head = "# HELP a_total h\n# TYPE a_total counter\n";

TEST(Exposition, ReadsNamesLabelsAndValues) {
  const auto read = parse_exposition(head + "a_total{x=\"1\",y=\"q\\\"\\\\\\n\"} 7\na_total 0.5\n");
  EXPECT_EQ(read.value("a_total", {{"x", "1"}, {"y", "q\"\\\n"}}), 7);
  EXPECT_EQ(read.value("a_total"), 0.5);
  EXPECT_EQ(read.sum("a_total"), 7.5);
  EXPECT_EQ(read.families.at("a_total").type, "counter");
}

std::string histogram(const std::string& samples) {
  return "# HELP h_seconds h\n# TYPE h_seconds histogram\n" + samples;
}

TEST(Exposition, ReadsHistograms) {
  const auto read = parse_exposition(
      histogram("h_seconds_count{x=\"1\"} 3\nh_seconds_sum{x=\"1\"} 0.5\nh_seconds_bucket{x=\"1\",le=\"0.1\"} 2\n"
                "h_seconds_bucket{x=\"1\",le=\"+Inf\"} 3\n"));
  EXPECT_EQ(read.families.at("h_seconds").series.size(), 4U);
  EXPECT_EQ(read.families.at("h_seconds").series.at(2).value, 2);
}

TEST(Exposition, RefusesHistogramsThatDoNotAddUp) {
  const std::string end = "h_seconds_sum 1\nh_seconds_count 3\n";
  const std::string infinite = "h_seconds_bucket{le=\"+Inf\"} 3\n";
  for (const std::string& bad : {
           histogram(end),                                     // no buckets
           histogram(infinite + "h_seconds_count 3\n"),        // no sum
           histogram(infinite + "h_seconds_sum 1\n"),          // no count
           histogram("h_seconds_bucket{le=\"1\"} 3\n" + end),  // no +Inf
           histogram("h_seconds_bucket{le=\"+Inf\"} 4\n" + end),
           histogram("h_seconds_bucket{le=\"1\"} 4\n" + infinite + end),                                // falls
           histogram("h_seconds_bucket{le=\"2\"} 1\nh_seconds_bucket{le=\"1\"} 1\n" + infinite + end),  // out of order
           histogram("h_seconds_bucket 3\n" + end),                                                     // no le
           histogram("h_seconds_bucket{le=\"x\"} 3\n" + infinite + end), histogram(infinite + end + "h_seconds 3\n"),
           histogram(infinite + "h_seconds_sum{x=\"1\"} 1\nh_seconds_count 3\n"),  // of other labels
       }) {
    EXPECT_THROW(parse_exposition(bad), std::runtime_error) << bad;
  }
  EXPECT_NO_THROW(parse_exposition(histogram(infinite + end)));
}

// A strict reader that takes everything proves nothing.
TEST(Exposition, RefusesWhatIsNotTheFormat) {
  for (const std::string& bad : {
           head + "a_total 1",               // no LF
           head + "a_total 1\na_total 1\n",  // series twice
           head + "a_total{x=\"1\"} 1\na_total{x=\"1\"} 2\n",
           head + head,                                   // family twice
           head + "b_total 1\n",                          // outside its family
           std::string("a_total 1\n"),                    // no HELP, no TYPE
           std::string("# HELP a_total h\na_total 1\n"),  // no TYPE
           head + "a_total -1\n",                         // a counter below zero
           head + "a_total 1 x\n",                        // not a number
           head + "a_total\n",
           head + "a_total{x=\"1\"}\n",
           head + "a_total{x=1} 1\n",
           head + "a_total{x=\"1} 1\n",
           head + "a_total{x=\"\\t\"} 1\n",        // illegal escape
           head + "a_total{1=\"1\"} 1\n",          // illegal label name
           head + "a_total{x=\"1\",x=\"2\"} 1\n",  // label twice
           head + "\n",
           std::string("# HELP 1a h\n"),
           std::string("# HELP a_total h\n# TYPE a_total number\n"),
       }) {
    EXPECT_THROW(parse_exposition(bad), std::runtime_error) << bad;
  }
}

}  // namespace
}  // namespace imapmeter::test
