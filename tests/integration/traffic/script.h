// A conversation as two streams of octets, one per side, and what each side waits for before it goes on.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/integration/traffic/engine.h"

namespace traffic {

struct Stream {
  struct Gate {
    std::size_t at = 0;       // octets before this one may be sent without
    std::uint64_t after = 0;  // having received this many
  };
  std::string octets;
  std::vector<Gate> gates;
};

struct Script {
  Stream client;
  Stream server;

  void say_client(std::string_view octets) { client.octets += octets; }
  void say_server(std::string_view octets) { server.octets += octets; }
  // What this side says from here on follows all that the other has said so far.
  void client_waits() { client.gates.push_back({client.octets.size(), server.octets.size()}); }
  void server_waits() { server.gates.push_back({server.octets.size(), client.octets.size()}); }
};

SessionPlan plan_script(const std::shared_ptr<const Script>& script, bool client_first);

}  // namespace traffic
