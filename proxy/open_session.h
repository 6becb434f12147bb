// A session that is open now, as the session table shows it: no text of a peer.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proxy/session_facts.h"

namespace imapmeter::proxy {

struct OpenSession {
  std::uint64_t id = 0;
  std::size_t listener = 0;
  std::optional<std::uint16_t> server;  // of the upstream's; none before one was dialled
  imap::SessionState state = imap::SessionState::connecting;
  std::chrono::nanoseconds age{};  // since accept
  imap::ClientSoftware client_software = imap::ClientSoftware::none;
  TlsVersion tls = TlsVersion::none;  // of the client's side
  IpEndpoint client;
  std::string client_text = {};                               // as the log may show it
  std::array<std::uint64_t, imap::direction_count> octets{};  // accepted by the receiving leg
  std::array<std::uint32_t, imap::command_result_count> commands{};
};

// `shown` are as many as were asked for.
struct OpenSessions {
  std::size_t total = 0;
  std::vector<OpenSession> shown;
};

}  // namespace imapmeter::proxy
