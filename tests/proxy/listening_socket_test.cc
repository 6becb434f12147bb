#include "proxy/listening_socket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "tests/proxy/peers.h"

namespace imapmeter::proxy {
namespace {

using testing::HasSubstr;

class UnixListeningSocket : public testing::Test {
 protected:
  UnixListeningSocket() {
    char name[] = "/tmp/imapmeter-listening-XXXXXX";
    directory_ = mkdtemp(name);
    bind_.path = directory_ + "/imap";
  }
  ~UnixListeningSocket() override { std::filesystem::remove_all(directory_); }

  bool file_is_there() const { return std::filesystem::exists(std::filesystem::symlink_status(bind_.path)); }
  // As a killed process leaves it.
  void leave_a_stale_file() const {
    const SocketAddress address = unix_address(bind_.path);
    const Fd fd(socket(AF_UNIX, SOCK_STREAM, 0));
    ASSERT_EQ(bind(fd.get(), address.get(), address.size), 0);
  }
  std::string why_not() const {
    try {
      const ListeningSocket socket(bind_);
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "";
  }

  std::string directory_;
  config::Address bind_;
};

TEST_F(UnixListeningSocket, TakesConnectionsOfTheGroupAndLeavesNoFile) {
  {
    ListeningSocket first(bind_);
    const ListeningSocket socket(std::move(first));
    struct stat info {};
    ASSERT_EQ(lstat(bind_.path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777U, 0660U);
    EXPECT_EQ(to_string(local_address(socket.fd())), "unix:" + bind_.path);
    EXPECT_TRUE(start_connect(unix_address(bind_.path), {}));
  }
  EXPECT_FALSE(file_is_there());
}

TEST_F(UnixListeningSocket, C9_ReplacesTheFileOfADeadProcess) {
  leave_a_stale_file();
  EXPECT_EQ(why_not(), "");
  EXPECT_FALSE(file_is_there());
}

TEST_F(UnixListeningSocket, C19_RefusesWhereAnotherListens) {
  const ListeningSocket first(bind_);
  EXPECT_EQ(why_not(), "cannot listen on unix:" + bind_.path + ": Address already in use");
  EXPECT_TRUE(file_is_there());
}

// A full backlog is a live process too.
TEST_F(UnixListeningSocket, RefusesWhereAnotherListensAndDoesNotAccept) {
  const SocketAddress address = unix_address(bind_.path);
  const Fd busy(socket(AF_UNIX, SOCK_STREAM, 0));
  ASSERT_EQ(bind(busy.get(), address.get(), address.size), 0);
  ASSERT_EQ(listen(busy.get(), 0), 0);
  std::vector<Fd> waiting;
  while (Fd fd = start_connect(address, {})) waiting.push_back(std::move(fd));
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_THAT(why_not(), HasSubstr("Address already in use"));
  EXPECT_TRUE(file_is_there());
}

TEST_F(UnixListeningSocket, LeavesOtherFilesAlone) {
  std::ofstream(bind_.path) << "mail";
  EXPECT_THAT(why_not(), HasSubstr("Address already in use"));
  EXPECT_TRUE(file_is_there());
}

TEST_F(UnixListeningSocket, SaysWhichDirectoryIsMissing) {
  bind_.path = directory_ + "/absent/imap";
  EXPECT_EQ(why_not(), "cannot listen on unix:" + bind_.path + ": No such file or directory");
}

// 0.0.0.0:993 and [::]:993 beside each other.
TEST(ListeningSocket, IPv6AloneLeavesThePortToIPv4) {
  const ListeningSocket v4({"0.0.0.0", 0});
  const auto port = ip_endpoint(local_address(v4.fd())).port;
  EXPECT_NO_THROW(ListeningSocket({"::", port}, std::chrono::seconds(1), true));
  EXPECT_THROW(ListeningSocket({"::", port}), std::runtime_error);
}

TEST(ListeningSocket, WhatIsAcceptedHasItsOptions) {
  const ListeningSocket listening({"127.0.0.1", 0}, std::chrono::seconds(8));
  const Fd near = start_connect(local_address(listening.fd()), {});
  const Fd far(accept4(listening.fd(), nullptr, nullptr, SOCK_NONBLOCK));
  EXPECT_EQ(test::socket_option(far.get(), IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(test::socket_option(far.get(), SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(test::socket_option(far.get(), IPPROTO_TCP, TCP_KEEPIDLE), 8);
  EXPECT_EQ(test::socket_option(far.get(), IPPROTO_TCP, TCP_KEEPINTVL), 2);
  EXPECT_EQ(test::socket_option(far.get(), IPPROTO_TCP, TCP_KEEPCNT), 4);
}

TEST(StartConnect, ComesFromTheFirstSourceOfTheFamily) {
  const ListeningSocket listening({"127.0.0.1", 0});
  const SocketAddress to = local_address(listening.fd());
  const std::vector<SocketAddress> sources = {ip_address("::1"), ip_address("127.0.0.9"), ip_address("127.0.0.8")};
  const Fd fd = start_connect(to, sources);
  ASSERT_TRUE(fd);
  EXPECT_EQ(to_string(local_address(fd.get())).substr(0, 10), "127.0.0.9:");
}

TEST(StartConnect, GoesOnToTheNextSourceWhereOneCannotBeUsed) {
  const ListeningSocket listening({"127.0.0.1", 0});
  const SocketAddress to = local_address(listening.fd());
  const std::vector<SocketAddress> sources = {ip_address("198.51.100.1"), ip_address("127.0.0.8")};
  const Fd fd = start_connect(to, sources);
  ASSERT_TRUE(fd);
  EXPECT_EQ(to_string(local_address(fd.get())).substr(0, 10), "127.0.0.8:");
}

TEST(StartConnect, SaysThatNoSourceIsLeft) {
  const ListeningSocket listening({"127.0.0.1", 0});
  const std::vector<SocketAddress> sources = {ip_address("198.51.100.1"), ip_address("198.51.100.2")};
  EXPECT_FALSE(start_connect(local_address(listening.fd()), sources));
  EXPECT_EQ(errno, EADDRNOTAVAIL);
}

TEST(StartConnect, TakesTheSystemsChoiceWhereNoSourceIsOfTheFamily) {
  const ListeningSocket listening({"127.0.0.1", 0});
  const std::vector<SocketAddress> sources = {ip_address("::1")};
  EXPECT_TRUE(start_connect(local_address(listening.fd()), sources));
}

}  // namespace
}  // namespace imapmeter::proxy
