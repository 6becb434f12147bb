#include "proxy/warm_legs.h"

#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/epoll.h>

#include <memory>
#include <vector>

#include "tests/proxy/peers.h"

namespace imapmeter::proxy {
namespace {

using test::read_all;
using test::socket_pair;
using test::TlsPeer;
using test::write_all;

// A leg whose peer's octets arrive when the test says so, and as many others as are warm at a time.
class WarmLegsTest : public testing::Test {
 protected:
  WarmLegsTest() : server_(make_server_tls(test::self_signed_listener(), keys_)) {
    auto [near, near_end] = socket_pair();
    auto [far, far_end] = socket_pair();
    near_ = std::move(near_end);
    far_ = std::move(far_end);
    leg_.open(std::move(near), buffers_);
    EXPECT_TRUE(leg_.start_tls(server_->context(), true));
    peer_ = std::make_unique<TlsPeer>(std::move(far));
    for (int step = 0; step < 10 && !SSL_is_init_finished(peer_->ssl); ++step) {
      ERR_clear_error();
      SSL_do_handshake(peer_->ssl);
      arrive(read_all(far_.get()));
      leg_.handshake();
      write_all(far_.get(), read_all(near_.get()));
    }
    arrive(read_all(far_.get()));
    EXPECT_EQ(leg_.handshake(), Io::ok);
    for (std::size_t i = 0; i < WarmLegs::most; ++i) {
      auto [one, other] = socket_pair();
      others_.push_back(std::make_unique<Leg>());
      others_.back()->open(std::move(one), buffers_);
      EXPECT_TRUE(others_.back()->start_tls(server_->context(), true));
      ends_.push_back(std::move(other));
    }
  }

  void arrive(const std::string& octets) {
    write_all(near_.get(), octets);
    leg_.on_events(EPOLLIN);
  }
  std::string read() {
    const auto room = buffers_.scratch(min_quantum);
    return {room.data(), leg_.read(room).octets};
  }
  // Three times: the hand passes by once who was used, and each was.
  void use_others() {
    for (int round = 0; round < 3; ++round)
      for (const auto& other : others_) EXPECT_EQ(other->handshake(), Io::again);
  }

  // Twice: the first call only sees that it was used.
  void cool() {
    buffers_.warm.cool();
    buffers_.warm.cool();
  }

  // Octets of the leg's record buffers, which are given back.
  std::size_t kept() {
    const std::size_t before = mallinfo2().uordblks;
    SSL_free_buffers(leg_.ssl());
    return before - mallinfo2().uordblks;
  }

  TicketKeys keys_;
  std::shared_ptr<ServerTls> server_;
  ThreadBuffers buffers_;
  Fd near_;
  Fd far_;
  Leg leg_;
  std::unique_ptr<TlsPeer> peer_;
  std::vector<Fd> ends_;
  std::vector<std::unique_ptr<Leg>> others_;
};

// CVE-2024-4741: between the header of a record and the rest of it OpenSSL's buffer looks empty.
TEST_F(WarmLegsTest, GiveBackNothingOfARecordThatHasBegun) {
  const std::string said = "a LOGIN u p\r\n";
  for (std::size_t step = 0; step < 2 * (said.size() + 22); ++step) {
    const std::size_t cut = step / 2;
    ASSERT_EQ(SSL_write(peer_->ssl, said.data(), static_cast<int>(said.size())), static_cast<int>(said.size()));
    const std::string record = read_all(far_.get());
    ASSERT_EQ(record.size(), said.size() + 22) << "header, type, tag";
    arrive(record.substr(0, cut));
    EXPECT_EQ(read(), "");
    step % 2 == 0 ? use_others() : cool();
    arrive(record.substr(cut));
    EXPECT_EQ(read(), said) << "cut behind octet " << cut;
  }
}

TEST_F(WarmLegsTest, TheOneThatWasSilentBetweenTwoCallsCools) {
  EXPECT_EQ(read(), "");
  EXPECT_EQ(buffers_.warm.cool(), 0U);
  EXPECT_EQ(read(), "");
  EXPECT_EQ(buffers_.warm.cool(), 0U) << "it was used again";
  EXPECT_EQ(buffers_.warm.cool(), 1U);
  EXPECT_EQ(buffers_.warm.cool(), 0U);
}

// The allocators of sanitizers do not tell how much is in use.
#ifndef IMAPMETER_SANITIZED
TEST_F(WarmLegsTest, TheOneUsedLeastOfLateGivesItsBuffersBack) {
  EXPECT_EQ(read(), "");
  EXPECT_GT(kept(), 16384U);
  EXPECT_EQ(read(), "");
  use_others();
  EXPECT_EQ(kept(), 0U);
}

TEST_F(WarmLegsTest, WhoCoolsGivesItsBuffersBack) {
  EXPECT_EQ(read(), "");
  buffers_.warm.cool();
  EXPECT_GT(kept(), 16384U);
  EXPECT_EQ(read(), "");
  cool();
  EXPECT_EQ(kept(), 0U);
}

TEST_F(WarmLegsTest, TheOneUsedAllTheTimeKeepsThem) {
  for (int round = 0; round < 3; ++round)
    for (const auto& other : others_) {
      EXPECT_EQ(read(), "");
      EXPECT_EQ(other->handshake(), Io::again);
    }
  EXPECT_GT(kept(), 16384U);
}
#endif

TEST_F(WarmLegsTest, AClosedLegIsForgotten) {
  use_others();
  others_.clear();
  arrive("");
  EXPECT_EQ(read(), "");
  leg_.close();
}

}  // namespace
}  // namespace imapmeter::proxy
