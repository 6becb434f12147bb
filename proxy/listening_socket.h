// A socket that listens for clients: TCP, or a unix socket with its file.
#pragma once

#include <string>

#include "config/config.h"
#include "proxy/net.h"

namespace imapmeter::proxy {

class ListeningSocket {
 public:
  // On the first address that `bind` resolves to; [::] takes IPv4 as well, unless `ipv6_only`. A unix socket's file is
  // made with mode 0660; one that nobody listens on any more is replaced. A second process on the same address fails:
  // SO_REUSEADDR, not SO_REUSEPORT. What is accepted over TCP sends without delay and has `keepalive` as
  // set_keepalive() has it. Throws std::runtime_error with a sentence that names the address.
  explicit ListeningSocket(const config::Address& bind,
                           std::chrono::milliseconds keepalive = config::Timeouts{}.keepalive, bool ipv6_only = false);
  ~ListeningSocket();  // removes the file
  ListeningSocket(ListeningSocket&& other) noexcept;
  ListeningSocket& operator=(ListeningSocket&&) = delete;

  int fd() const noexcept { return fd_.get(); }

 private:
  Fd fd_;
  std::string path_;  // of the file that is ours to remove
};

}  // namespace imapmeter::proxy
