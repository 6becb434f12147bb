// Runs both ends of many sessions through whatever stands between them, in random reads and writes, and checks in
// place that each end receives exactly what the other sent.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/integration/traffic/endpoint.h"
#include "tests/integration/traffic/random.h"
#include "tests/integration/traffic/source.h"

namespace traffic {

enum class Way : std::uint8_t { client_to_server, server_to_client };
constexpr const char* name(Way way) noexcept {
  return way == Way::client_to_server ? "client_to_server" : "server_to_client";
}

// How a session ends: the side that closes first, and when: it has sent all, and received this many octets.
struct Ending {
  bool client_first = false;
  std::uint64_t received = after_all;
};

// What is sent one way, and what must arrive: two sources that are equal but for what is to be taken out on the way.
struct Flow {
  std::unique_ptr<Source> sent;
  std::unique_ptr<Source> expected;
};

struct SessionPlan {
  Flow client_to_server;
  Flow server_to_client;
  Ending ending;
};

// Hands out what may be sent next.
struct Sender {
  std::unique_ptr<Source> source;
  Piece piece;
  std::size_t offered = 0;  // what a write that would block was offered: the next one must not offer less
  std::uint64_t sent = 0;
  bool exhausted = false;
};

// Compares what arrives with what must arrive.
struct Checker {
  std::unique_ptr<Source> source;
  std::string_view rest;
  std::uint64_t received = 0;
  bool exhausted = false;
};

struct Side {
  Endpoint endpoint;
  Sender sender;
  Checker checker;
  Way sends = Way::client_to_server;
  bool closes_first = false;
  std::uint64_t closes_after = after_all;
  bool readable = true;
  bool writable = true;
  bool eof = false;
  bool finished = false;
};

class Session {
 public:
  Session(std::size_t number, SessionPlan plan, std::uint64_t seed);

  std::array<Side, 2> sides;  // client, server
  bool queued = false;

  // At most one read and one write per side; true where there may be more to do without new readiness.
  bool step();
  bool done() const noexcept { return failed() || (ended(sides[0]) && ended(sides[1])); }
  bool failed() const noexcept { return !failure_.empty(); }
  const std::string& failure() const noexcept { return failure_; }
  std::string describe() const;  // where it stands, for the report of a run that hangs

 private:
  static bool ended(const Side& side) noexcept { return side.eof && side.finished; }
  bool read(Side& side);
  bool write(Side& side);
  void close(Side& side);
  void check(Side& side, std::span<const char> octets);
  void ended_reading(Side& side, Io how);
  static bool may(std::uint64_t after, const Side& side) noexcept;
  void fail(const Side& side, const std::string& what);

  std::size_t number_;
  Random random_;
  std::string failure_;
};

struct Run {
  std::uint64_t seed = 0;
  std::string proxy_host;
  std::uint16_t proxy_port = 0;
  std::vector<SSL_CTX*> client_contexts;  // session n uses n modulo their number; a null one is plain TCP
  SSL_CTX* server_context = nullptr;      // null: plain TCP
  unsigned threads = 2;
  unsigned patience_seconds = 30;  // without one octet moved in a thread
};

struct Totals {
  std::uint64_t client_to_server = 0;  // octets received by the servers
  std::uint64_t server_to_client = 0;  // octets received by the clients
};

// Opens one session after the other, so that each client knows its server, then runs all at once. Prints what went
// wrong to stderr; throws where a session cannot be opened. True: every octet arrived and every session closed clean.
bool run(const Run& options, Listener& listener, std::vector<SessionPlan> plans, Totals& totals);

}  // namespace traffic
