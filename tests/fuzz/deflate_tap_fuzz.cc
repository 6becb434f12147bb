// DeflateTap on whatever octets: the same comes out at any cut, what went in is accounted for, nothing is allocated.
// With the second bit of the options the wire is a text that is deflated first (the third: stored; the fourth: with a
// flush every 40 octets), and must come out as it was.
#include <zlib.h>

#include <algorithm>
#include <array>

#include "proxy/imap/deflate_tap.h"
#include "tests/fuzz/fuzzing.h"

namespace imapmeter::fuzz {
namespace {

using imap::Direction;
using imap::Inflation;

constexpr std::size_t most_out = std::size_t{1} << 16;  // a bomb says no more after this

struct Read {
  Trace octets;         // what came out, and where streams were flushed and ended
  std::size_t in = 0;   // taken
  std::size_t out = 0;  // given out
  Inflation end = Inflation::more;
};

// Inflates `wire` with what `cutter` makes of it.
Read inflated(imap::Inflater& tap, std::string_view wire, Cutter cutter) {
  Read read;
  tap.start(Direction::client_to_server);
  while (!wire.empty()) {
    std::string_view piece = wire.substr(0, cutter.next(wire.size()));
    wire.remove_prefix(piece.size());
    imap::Inflater::Step step;
    do {
      step = tap.inflate(Direction::client_to_server, piece);
      REQUIRE(step.taken <= piece.size());
      REQUIRE(step.out.size() <= imap::inflated_at_once);
      REQUIRE(step.taken > 0 || !step.out.empty() || piece.empty() || step.state == Inflation::failed);
      piece.remove_prefix(step.taken);
      read.in += step.taken;
      read.out += step.out.size();
      for (const char c : step.out) read.octets.add(static_cast<unsigned char>(c));
      read.end = step.state;
      if (step.state == Inflation::flushed) read.octets.add(read.out + 1000);
      if (step.state == Inflation::failed || step.state == Inflation::ended) return read;
      if (read.out > most_out) return read;
    } while (!piece.empty() || step.state == Inflation::full);
  }
  return read;
}

// `text` as a client or server would deflate it, into static room.
std::string_view deflated(std::string_view text, std::uint8_t options) {
  static std::array<char, 8 * max_input> room;
  static std::array<z_stream, 2> streams;
  static const bool made = deflateInit2(&streams[0], 6, Z_DEFLATED, -9, 1, Z_DEFAULT_STRATEGY) == Z_OK &&
                           deflateInit2(&streams[1], 0, Z_DEFLATED, -9, 1, Z_DEFAULT_STRATEGY) == Z_OK;
  z_stream& zlib = streams[(options & 4U) != 0 ? 1 : 0];
  REQUIRE(made && deflateReset(&zlib) == Z_OK);
  zlib.next_out = reinterpret_cast<Bytef*>(room.data());
  zlib.avail_out = room.size();
  while (!text.empty()) {
    const std::string_view piece = text.substr(0, (options & 8U) != 0 ? 40 : text.size());
    text.remove_prefix(piece.size());
    zlib.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));
    zlib.avail_in = static_cast<uInt>(piece.size());
    deflate(&zlib, Z_SYNC_FLUSH);
    REQUIRE(zlib.avail_in == 0 && zlib.avail_out > 0);
  }
  return {room.data(), room.size() - zlib.avail_out};
}

}  // namespace
}  // namespace imapmeter::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace imapmeter;
  using namespace imapmeter::fuzz;
  static imap::InflatedSessions sessions(1);
  static imap::DeflateTaps taps(sessions);
  static const std::unique_ptr<imap::Inflater> tap = taps.make();
  const Input input(data, size);
  const bool text = (input.options & 2U) != 0;
  const std::string_view wire = text ? deflated(input.wire, input.options) : input.wire;
  const std::size_t before = allocations();
  const Read whole = inflated(*tap, wire, Cutter::whole());
  const Read cut = inflated(*tap, wire, Cutter(input.seed));
  REQUIRE(allocations() == before);
  REQUIRE(whole.in <= wire.size());
  if (whole.out <= most_out) {
    REQUIRE(cut.octets == whole.octets && cut.in == whole.in && cut.out == whole.out && cut.end == whole.end);
  }
  if (!text || wire.empty()) return 0;
  REQUIRE(whole.in == wire.size() && whole.out == input.wire.size() && whole.end == Inflation::flushed);
  Trace as_it_was;
  const std::size_t flushed_every = (input.options & 8U) != 0 ? 40 : input.wire.size();
  for (std::size_t i = 0; i < input.wire.size(); ++i) {
    as_it_was.add(static_cast<unsigned char>(input.wire[i]));
    if ((i + 1) % flushed_every == 0 || i + 1 == input.wire.size()) as_it_was.add(i + 1 + 1000);
  }
  REQUIRE(whole.octets == as_it_was);
  return 0;
}
