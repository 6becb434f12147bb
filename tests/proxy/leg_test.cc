#include "proxy/leg.h"

#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>

#include "tests/proxy/peers.h"

namespace imapmeter::proxy {
namespace {

using test::read_all;
using test::socket_pair;
using test::TlsPeer;

std::string read_leg(Leg& leg, ThreadBuffers& buffers, Io& end) {
  std::string all;
  while (leg.may_read()) {
    const auto room = buffers.scratch(min_quantum);
    const Leg::Read got = leg.read(room);
    all.append(room.data(), got.octets);
    end = got.status;
    if (got.status != Io::ok && got.status != Io::again) break;
  }
  return all;
}

TEST(Leg, PlainReadStopsAtAShortReadUntilTheNextEvent) {
  ThreadBuffers buffers;
  auto [near, far] = socket_pair();
  Leg leg;
  leg.open(std::move(near), buffers);
  test::write_all(far.get(), "* OK hello\r\n");
  Io end = Io::ok;
  EXPECT_EQ(read_leg(leg, buffers, end), "* OK hello\r\n");
  EXPECT_EQ(end, Io::again);
  EXPECT_FALSE(leg.may_read());
  test::write_all(far.get(), "more");
  leg.on_events(EPOLLIN);
  EXPECT_EQ(read_leg(leg, buffers, end), "more");
}

// Edge-triggered: data and FIN together give one event only.
TEST(Leg, PlainReadGoesOnToTheEndWhenTheFinCameWithTheData) {
  ThreadBuffers buffers;
  auto [near, far] = socket_pair();
  Leg leg;
  leg.open(std::move(near), buffers);
  test::write_all(far.get(), "* BYE\r\n");
  far.reset();
  leg.on_events(EPOLLIN | EPOLLRDHUP);
  Io end = Io::ok;
  EXPECT_EQ(read_leg(leg, buffers, end), "* BYE\r\n");
  EXPECT_EQ(end, Io::eof);
}

TEST(Leg, WhatTheSocketDoesNotTakeIsKeptInOrder) {
  ThreadBuffers buffers;
  auto [near, far] = socket_pair();
  Leg leg;
  leg.open(std::move(near), buffers);
  std::string sent(max_quantum, '\0');
  for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>(i * 7 + i / 251);
  std::string all = sent;
  while (leg.write(sent) == Io::ok) all += sent;
  EXPECT_TRUE(leg.blocked());
  EXPECT_EQ(leg.flush(), Io::again);
  std::string received;
  while (leg.blocked()) {
    received += read_all(far.get());
    leg.on_events(EPOLLOUT);
    leg.flush();
  }
  received += read_all(far.get());
  EXPECT_EQ(received.size(), all.size());
  EXPECT_TRUE(received == all);
}

class TlsLeg : public testing::Test {
 protected:
  TlsLeg() : server_(make_server_tls(test::self_signed_listener(), keys_)) {
    auto [near, far] = socket_pair();
    leg_.open(std::move(near), buffers_);
    EXPECT_TRUE(leg_.start_tls(server_->context(), true));
    peer_ = std::make_unique<TlsPeer>(std::move(far));
  }
  std::string read(Io& end) {
    leg_.on_events(EPOLLIN);
    return read_leg(leg_, buffers_, end);
  }

  TicketKeys keys_;
  std::unique_ptr<ServerTls> server_;
  ThreadBuffers buffers_;
  Leg leg_;
  std::unique_ptr<TlsPeer> peer_;
};

TEST_F(TlsLeg, CarriesBothWays) {
  ASSERT_TRUE(peer_->shake_hands(leg_));
  peer_->write("a LOGIN u p\r\n");
  Io end = Io::ok;
  EXPECT_EQ(read(end), "a LOGIN u p\r\n");
  EXPECT_EQ(end, Io::again);
  const std::string answer(100'000, 'x');
  EXPECT_EQ(leg_.write(answer), Io::ok);
  EXPECT_EQ(peer_->read_all(), answer);
}

class TicketOfLeg : public TlsLeg {
 protected:
  bool shake_hands_and_offer() {
    SSL_set_app_data(peer_->ssl, &tickets_taken);
    SSL_CTX_set_session_cache_mode(peer_->context.get(), SSL_SESS_CACHE_CLIENT);
    SSL_CTX_sess_set_new_cb(peer_->context.get(), [](SSL* ssl, SSL_SESSION*) {
      ++*static_cast<int*>(SSL_get_app_data(ssl));
      return 0;
    });
    const bool shaken = peer_->shake_hands(leg_);
    leg_.offer_ticket();
    return shaken;
  }
  int tickets_taken = 0;
};

TEST_F(TicketOfLeg, ATicketLeavesWithWhatIsWrittenFirst) {
  ASSERT_TRUE(shake_hands_and_offer());
  EXPECT_EQ(read_all(peer_->fd.get()), "") << "it was sent by itself";
  EXPECT_EQ(leg_.write(std::string_view("* OK hello\r\n")), Io::ok);
  EXPECT_EQ(peer_->read_all(), "* OK hello\r\n");
  EXPECT_EQ(tickets_taken, 1);
}

TEST_F(TicketOfLeg, ATicketDoesNotWaitForWhoeverIsSilent) {
  ASSERT_TRUE(shake_hands_and_offer());
  peer_->write("a NOOP\r\n");
  Io end = Io::ok;
  EXPECT_EQ(read(end), "a NOOP\r\n");
  EXPECT_EQ(peer_->read_all(), "");
  EXPECT_EQ(tickets_taken, 1);
}

TEST_F(TlsLeg, TellsCloseNotifyFromTruncation) {
  ASSERT_TRUE(peer_->shake_hands(leg_));
  peer_->write("x");
  SSL_shutdown(peer_->ssl);
  Io end = Io::ok;
  EXPECT_EQ(read(end), "x");
  EXPECT_EQ(end, Io::eof);
}

TEST_F(TlsLeg, FinWithoutCloseNotifyIsATruncation) {
  ASSERT_TRUE(peer_->shake_hands(leg_));
  peer_->write("x");
  shutdown(peer_->fd.get(), SHUT_WR);
  leg_.on_events(EPOLLRDHUP);
  Io end = Io::ok;
  EXPECT_EQ(read(end), "x");
  EXPECT_EQ(end, Io::truncated);
  EXPECT_EQ(leg_.write(std::string_view("* BYE late\r\n")), Io::ok) << "the peer has ended its own direction only";
  EXPECT_EQ(peer_->read_all(), "* BYE late\r\n");
}

TEST_F(TlsLeg, EndWritingSendsCloseNotifyOnlyWhenAsked) {
  ASSERT_TRUE(peer_->shake_hands(leg_));
  leg_.end_writing(true);
  EXPECT_EQ(peer_->read_all(), "");
  EXPECT_EQ(SSL_get_shutdown(peer_->ssl) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
}

TEST_F(TlsLeg, EndWritingWithoutNotifyIsSeenAsTruncation) {
  ASSERT_TRUE(peer_->shake_hands(leg_));
  leg_.end_writing(false);
  char some = 0;
  ERR_clear_error();
  const int got = SSL_read(peer_->ssl, &some, 1);
  EXPECT_LE(got, 0);
  EXPECT_EQ(SSL_get_shutdown(peer_->ssl) & SSL_RECEIVED_SHUTDOWN, 0);
}

TEST_F(TlsLeg, StillReadsAfterItsOwnEnd) {
  ASSERT_TRUE(peer_->shake_hands(leg_));
  leg_.end_writing(true);
  peer_->write("late");
  Io end = Io::ok;
  EXPECT_EQ(read(end), "late");
}

// Every KeyUpdate asks for an answer; a peer that never reads must not make us keep them.
TEST_F(TlsLeg, KeyUpdatesFromAPeerThatDoesNotReadTakeNoMemoryAndLoseNothing) {
  ASSERT_TRUE(peer_->shake_hands(leg_));
  std::string sent;
  const std::string block(min_quantum, 'd');
  while (!leg_.blocked()) {
    leg_.write(block);
    sent += block;
  }
  const std::size_t kept = leg_.unsent();
  Io end = Io::ok;
  std::string read_so_far;
  for (int round = 0; round < 50; ++round) {
    SSL_key_update(peer_->ssl, SSL_KEY_UPDATE_REQUESTED);
    peer_->write("k");
    read_so_far += read(end);
    ASSERT_EQ(leg_.unsent(), kept);
  }
  std::string received;
  while (leg_.blocked()) {
    received += peer_->read_all();
    leg_.on_events(EPOLLOUT);
    leg_.flush();
  }
  EXPECT_EQ(read_so_far + read(end), std::string(50, 'k'));
  received += peer_->read_all();
  EXPECT_EQ(received.size(), sent.size());
}

// OpenSSL reads on by itself while records hold no payload: a peer that sends nothing else kept the worker for ever.
TEST(KeyUpdateFlood, OneReadIsBoundedAndNothingIsLost) {
  TicketKeys keys;
  const auto server = make_server_tls(test::self_signed_listener(), keys);
  ThreadBuffers buffers;
  auto [near, far] = test::tcp_pair();
  Leg leg;
  leg.open(std::move(near), buffers);
  ASSERT_TRUE(leg.start_tls(server->context(), true));
  TlsPeer peer(std::move(far));
  ASSERT_TRUE(peer.shake_hands(leg));
  for (int i = 0; i < 5000; ++i) {  // 130 KiB of records without payload
    SSL_key_update(peer.ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
    ASSERT_EQ(SSL_do_handshake(peer.ssl), 1);
  }
  peer.write("after");
  leg.on_events(EPOLLIN);
  leg.read(buffers.scratch(min_quantum));
  EXPECT_TRUE(leg.may_read()) << "one read has read all of the flood";
  std::string all;
  for (int reads = 0; all.empty() && reads < 1000; ++reads) {
    leg.on_events(EPOLLIN);  // the rest arrives as the receive window opens
    const auto room = buffers.scratch(min_quantum);
    all.append(room.data(), leg.read(room).octets);
  }
  EXPECT_EQ(all, "after");
}

// After a failover the leg to the server is opened anew.
TEST(ReopenedLeg, IsNotStarved) {
  ThreadBuffers no_room(0);
  auto [near, far] = socket_pair();
  Leg leg;
  leg.open(std::move(near), no_room);
  const std::string block(max_quantum, 'x');
  while (leg.write(block) == Io::ok) continue;
  ASSERT_TRUE(leg.starved());
  leg.close();
  auto [next_near, next_far] = socket_pair();
  leg.open(std::move(next_near), no_room);
  EXPECT_FALSE(leg.starved());
}

TEST(ReopenedLeg, HasNotTimedOut) {
  ThreadBuffers buffers;
  auto [near, far] = test::tcp_pair();
  const int fd = near.get();
  set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 1);
  Leg leg;
  leg.open(std::move(near), buffers);
  const std::string block(max_quantum, 'x');
  while (leg.write(block) == Io::ok) continue;  // the peer takes no more: TCP gives it up
  pollfd failed{.fd = fd, .events = 0, .revents = 0};
  ASSERT_EQ(poll(&failed, 1, 30'000), 1);
  leg.on_events(EPOLLERR);
  Io end = Io::ok;
  read_leg(leg, buffers, end);
  ASSERT_TRUE(leg.timed_out());
  leg.close();
  auto [next_near, next_far] = socket_pair();
  leg.open(std::move(next_near), buffers);
  EXPECT_FALSE(leg.timed_out());
}

TEST_F(TlsLeg, OpenedAnewReadsAsIfThereHadBeenNoKeyUpdates) {
  ASSERT_TRUE(peer_->shake_hands(leg_));
  for (int i = 0; i < 100; ++i) {
    SSL_key_update(peer_->ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
    ASSERT_EQ(SSL_do_handshake(peer_->ssl), 1);
  }
  leg_.on_events(EPOLLIN);
  leg_.read(buffers_.scratch(min_quantum));
  leg_.close();
  auto [near, far] = socket_pair();
  leg_.open(std::move(near), buffers_);
  ASSERT_TRUE(leg_.start_tls(server_->context(), true));
  TlsPeer peer(std::move(far));
  ASSERT_TRUE(peer.shake_hands(leg_));
  peer.write(std::string(min_quantum, 'x'));
  leg_.on_events(EPOLLIN);
  EXPECT_EQ(leg_.read(buffers_.scratch(min_quantum)).octets, min_quantum) << "little is read at a time";
}

TEST_F(TlsLeg, PlaintextImapIsNotTls) {
  test::write_all(peer_->fd.get(), "a1 LOGIN user password\r\n");
  leg_.on_events(EPOLLIN);
  const Io status = leg_.handshake();
  EXPECT_NE(status, Io::again);
  EXPECT_EQ(handshake_failure(*leg_.ssl(), status), HandshakeResult::not_tls);
}

}  // namespace
}  // namespace imapmeter::proxy
