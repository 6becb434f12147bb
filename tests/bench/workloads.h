// What the clients of each workload do.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "tests/bench/conversation.h"

namespace imapmeter::bench {

// One kind of client.
struct Role {
  std::size_t share = 1;       // of all shares of the workload
  std::vector<Verb> setup{};   // after the greeting, once per session
  std::vector<Verb> repeat{};  // then these in turn, over and over; none: the session is held
  bool anew = false;           // instead: the session ends after `setup`, and the next one begins
  bool resume = false;         // with the ticket of the one before
  std::uint64_t every = 0;     // nanoseconds from one beginning to the next; 0: as soon as the one before is over
};

struct Workload {
  std::string_view name;
  std::vector<Role> roles;
  std::size_t read_buffer = 0;  // octets that one recv() may take in, 0 for OpenSSL's default
};

// Null: there is none of that name.
const Workload* workload_of(std::string_view name);

}  // namespace imapmeter::bench
