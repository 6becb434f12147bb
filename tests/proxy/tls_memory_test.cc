#include "proxy/tls_memory.h"

#include <gtest/gtest.h>
#include <openssl/crypto.h>

#include <cstring>
#include <stdexcept>
#include <utility>
#include <vector>

namespace imapmeter::proxy {
namespace {

class BlockCacheTest : public testing::Test {
 protected:
  ~BlockCacheTest() override { cache_.clear(); }

  BlockCache cache_;
};

TEST_F(BlockCacheTest, WhatIsGivenBackIsGivenOutAgain) {
  void* const block = cache_.allocate(100);
  cache_.release(block);
  EXPECT_GE(cache_.kept(), 100U);
  void* const other = cache_.allocate(200);
  EXPECT_NE(other, block) << "too small";
  EXPECT_EQ(cache_.allocate(97), block) << "104 octets, as for 100";
  EXPECT_EQ(cache_.kept(), 0U);
  cache_.release(block);
  cache_.release(other);
}

// Three of each size at a time, released in the order in which they came: the list gives them out in another one.
TEST_F(BlockCacheTest, EachBlockHasRoomForWhatItWasAskedFor) {
  for (int round = 0; round < 2; ++round) {
    std::vector<std::pair<unsigned char*, std::size_t>> blocks;
    for (std::size_t octets = 1; octets < BlockCache::largest + 50; octets += 3)
      for (int copy = 0; copy < 3; ++copy) {
        blocks.emplace_back(static_cast<unsigned char*>(cache_.allocate(octets)), octets);
        ASSERT_NE(blocks.back().first, nullptr);
        std::memset(blocks.back().first, static_cast<int>(blocks.size() % 251), octets);
      }
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      const auto [block, octets] = blocks[i];
      ASSERT_EQ(block[0], (i + 1) % 251);
      ASSERT_EQ(block[octets - 1], (i + 1) % 251);
      cache_.release(block);
    }
  }
}

TEST_F(BlockCacheTest, KeepsOnlySoMuch) {
  std::vector<void*> blocks;
  for (std::size_t octets = 0; octets < 2 * BlockCache::most_kept; octets += 1000)
    blocks.push_back(cache_.allocate(1000));
  for (void* block : blocks) cache_.release(block);
  EXPECT_LE(cache_.kept(), BlockCache::most_kept);
  EXPECT_GT(cache_.kept(), BlockCache::most_kept - 1100);
  cache_.clear();
  EXPECT_EQ(cache_.kept(), 0U);
}

TEST_F(BlockCacheTest, KeepsNothingLarge) {
  cache_.release(cache_.allocate(BlockCache::largest));
  const std::size_t kept = cache_.kept();
  EXPECT_GE(kept, BlockCache::largest);
  cache_.release(cache_.allocate(BlockCache::largest + 100));
  EXPECT_EQ(cache_.kept(), kept);
}

TEST_F(BlockCacheTest, GrowsABlockWithWhatIsInIt) {
  void* block = cache_.reallocate(nullptr, 5);
  std::memcpy(block, "mail", 5);
  for (std::size_t octets = 5; octets < BlockCache::largest + 500; octets += 7) {
    block = cache_.reallocate(block, octets);
    ASSERT_STREQ(static_cast<char*>(block), "mail");
    static_cast<char*>(block)[octets - 1] = '\0';
  }
  block = cache_.reallocate(block, 40);
  EXPECT_STREQ(static_cast<char*>(block), "mail");
  EXPECT_EQ(cache_.reallocate(block, 0), nullptr);
  EXPECT_EQ(cache_.kept(), 40U) << "it was given back";
  EXPECT_EQ(cache_.allocate(40), block);
  cache_.release(block);
}

TEST_F(BlockCacheTest, NothingIsNothing) {
  EXPECT_EQ(cache_.reallocate(nullptr, 0), nullptr);
  EXPECT_EQ(cache_.allocate(0), nullptr);
  cache_.release(nullptr);
  EXPECT_EQ(cache_.kept(), 0U);
}

#ifndef IMAPMETER_SANITIZED
TEST(KeepTlsMemory, ComesTooLateWhenOpenSslHasABlock) {
  OPENSSL_free(OPENSSL_malloc(1));
  EXPECT_THROW(keep_tls_memory(), std::logic_error);
}
#endif

}  // namespace
}  // namespace imapmeter::proxy
