#include "proxy/rise_fall.h"

#include <gtest/gtest.h>

namespace imapmeter::proxy {
namespace {

TEST(RiseFall, TheFirstResultDecides) {
  RiseFall down(2, 3);
  EXPECT_TRUE(down.up());
  EXPECT_TRUE(down.note(false));
  EXPECT_FALSE(down.up());
  RiseFall up(2, 3);
  EXPECT_FALSE(up.note(true));
  EXPECT_TRUE(up.up());
}

TEST(RiseFall, OnlySoManyFailuresInARowTakeItDown) {
  RiseFall server(2, 3);
  server.note(true);
  for (const bool result : {false, false, true, false, false}) EXPECT_FALSE(server.note(result));
  EXPECT_TRUE(server.up());
  EXPECT_TRUE(server.note(false));
  EXPECT_FALSE(server.up());
  EXPECT_FALSE(server.note(false));  // no news
}

TEST(RiseFall, OnlySoManySuccessesInARowBringItUp) {
  RiseFall server(2, 1);
  server.note(false);
  for (const bool result : {true, false, true}) EXPECT_FALSE(server.note(result));
  EXPECT_FALSE(server.up());
  EXPECT_TRUE(server.note(true));
  EXPECT_TRUE(server.up());
}

}  // namespace
}  // namespace imapmeter::proxy
