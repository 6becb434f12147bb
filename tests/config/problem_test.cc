#include "config/problem.h"

#include <gtest/gtest.h>

#include <array>

namespace imapmeter::config {
namespace {

using namespace std::string_view_literals;

TEST(Problem, NearestFindsTypingErrorsOnly) {
  constexpr std::array known = {"name"sv, "bind"sv, "certificates"sv, "self_signed"sv, "upstream"sv, "capabilities"sv};
  EXPECT_EQ(nearest("upstrem", known), "upstream");
  EXPECT_EQ(nearest("self-signed", known), "self_signed");
  EXPECT_EQ(nearest("certificate", known), "certificates");
  EXPECT_EQ(nearest("nmae", known), "name");
  EXPECT_EQ(nearest("main", known), "");
  EXPECT_EQ(nearest("nane", known), "name");
  EXPECT_EQ(nearest("timeouts", known), "");
  EXPECT_EQ(nearest("", known), "");
  EXPECT_EQ(nearest("x", std::span<const std::string_view>()), "");
}

TEST(Problem, TheOriginIsTheKeysOrTheNearestAroundIt) {
  const Origins origins = {
      {"listeners", "f.yaml:3"}, {"listeners[0]", "f.yaml:4"}, {"listeners[0].bind", "f.yaml:5"}, {"admin", "--admin"}};
  EXPECT_EQ(describe({"listeners[0].bind", "why"}, origins), "f.yaml:5: listeners[0].bind: why");
  EXPECT_EQ(describe({"listeners[0].name", "why"}, origins), "f.yaml:4: listeners[0].name: why");
  EXPECT_EQ(describe({"listeners[1].name", "why"}, origins), "f.yaml:3: listeners[1].name: why");
  EXPECT_EQ(describe({"admin", "why"}, origins), "--admin: why");
  EXPECT_EQ(describe({"workers", "why"}, origins), "workers: why");
}

TEST(Problem, IsDescribedOnOneLineWhateverItRepeats) {
  EXPECT_EQ(describe({"admin", "no \"\r\n\x1b\""}, {{"admin", "f.yaml:3"}}), "f.yaml:3: admin: no \"???\"");
}

}  // namespace
}  // namespace imapmeter::config
