// Endless IMAP-like traffic from a seed: valid, nearly valid and random. Sender and receiver each hold an equal source,
// so that nothing needs to be stored.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "tests/integration/traffic/engine.h"

namespace traffic {

enum class Shape : std::uint8_t {
  valid,         // responses and commands as the RFC has them; ends with LOGOUT
  nearly_valid,  // the same with octets dropped, doubled, changed, and odd tokens in between
  random,        // octets
};

struct OctetPlan {
  std::uint64_t seed = 0;
  std::size_t session = 0;
  Shape shape = Shape::valid;
  std::uint64_t octets = 0;       // each way; of valid traffic: about
  bool capability_words = false;  // valid sessions carry words that the filter takes out
  bool client_first = false;      // which side closes first; of valid sessions always the server
};

SessionPlan plan_octets(const OctetPlan& plan);

}  // namespace traffic
