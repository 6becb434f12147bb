// Both dialogues before TLS: the same verdict and words at any cut, nothing taken behind the switch, nothing allocated.
// The first bit of the options chooses the side; the second and third what a server is asked for. An octet from 0xf8 on
// ends a turn: what was to be said then has been said.
#include <algorithm>

#include "proxy/imap/starttls_dialogue.h"
#include "tests/fuzz/fuzzing.h"

namespace imapmeter::fuzz {
namespace {

using imap::ClientDialogue;
using imap::UpstreamDialogue;

constexpr std::uint8_t first_order = 0xf8;

struct Heard {
  Trace trace;
  std::size_t taken = 0;
  unsigned verdict = 0;
  friend bool operator==(const Heard&, const Heard&) = default;

  void say(std::string_view words) noexcept {
    for (const char c : words) trace.add(static_cast<unsigned char>(c));
  }
};

Heard as_server(std::string_view wire, Cutter cutter) {
  ClientDialogue dialogue;
  Heard heard;
  std::size_t logins = 0;
  while (heard.taken < wire.size()) {
    std::string_view piece = wire.substr(heard.taken, cutter.next(wire.size() - heard.taken));
    while (!piece.empty()) {
      const ClientDialogue::Read read = dialogue.read({piece.data(), piece.size()});
      REQUIRE(read.taken <= piece.size());
      REQUIRE(read.say.empty() || read.say.ends_with("\r\n"));
      REQUIRE(read.taken > 0 || read.verdict != ClientDialogue::Verdict::more);
      heard.say(read.say);
      heard.taken += read.taken;
      logins += read.login_refused ? 1U : 0U;
      piece.remove_prefix(read.taken);
      heard.verdict = static_cast<unsigned>(read.verdict);
      if (read.verdict == ClientDialogue::Verdict::more) continue;
      const bool tls = read.verdict == ClientDialogue::Verdict::start_tls;
      const bool injection = read.verdict == ClientDialogue::Verdict::injection;
      REQUIRE(tls == (!piece.empty() && piece.front() == '\x16' && dialogue.switching()));
      if (tls || injection) REQUIRE(heard.taken > 0 && wire[heard.taken - 1] == '\n');
      heard.trace.add(logins);
      return heard;
    }
  }
  REQUIRE(logins <= ClientDialogue::most_logins + 1);
  heard.trace.add(logins);
  return heard;
}

Heard as_client(std::string_view wire, UpstreamDialogue::Goal goal, Cutter cutter) {
  UpstreamDialogue dialogue(goal);
  Heard heard;
  Script script(wire, first_order);
  for (Script::Step step; script.next(step);) {
    if (step.order != 0) {
      heard.say(dialogue.to_say());
      dialogue.said();
      continue;
    }
    for (std::string_view turn = step.piece; !turn.empty();) {
      const std::string_view piece = turn.substr(0, cutter.next(turn.size()));
      const UpstreamDialogue::Read read = dialogue.read({piece.data(), piece.size()});
      REQUIRE(read.taken <= piece.size());
      heard.taken += read.taken;
      turn.remove_prefix(read.taken);
      heard.verdict = static_cast<unsigned>(read.verdict);
      if (read.verdict == UpstreamDialogue::Verdict::more) {
        REQUIRE(read.taken == piece.size());
        continue;
      }
      if (read.verdict == UpstreamDialogue::Verdict::start_tls) {
        if (!turn.empty()) continue;  // an injection, whichever read it comes with
        if (dialogue.begin_inside_tls()) continue;
      }
      // how much of it was read when it was found unfit depends on the cut
      const bool goes_on = read.verdict == UpstreamDialogue::Verdict::start_tls ||
                           read.verdict == UpstreamDialogue::Verdict::injection ||
                           read.verdict == UpstreamDialogue::Verdict::done;
      if (!goes_on) heard.taken = 0;
      heard.say(dialogue.capabilities());
      REQUIRE(dialogue.capabilities().size() <= UpstreamDialogue::longest_capabilities);
      if (dialogue.greeted()) heard.trace.add(static_cast<std::uint64_t>(dialogue.greeting().code));
      return heard;
    }
  }
  return heard;
}

UpstreamDialogue::Goal goal_of(std::uint8_t options) noexcept {
  using Goal = UpstreamDialogue::Goal;
  constexpr Goal goals[] = {Goal::greeting, Goal::starttls, Goal::capabilities, Goal::starttls};
  return goals[(options >> 1U) & 3U];
}

}  // namespace
}  // namespace imapmeter::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace imapmeter::fuzz;
  const Input input(data, size);
  const std::size_t before = allocations();
  const auto run = [&](Cutter cutter) {
    return (input.options & 1U) == 0 ? as_server(input.wire, cutter)
                                     : as_client(input.wire, goal_of(input.options), cutter);
  };
  const Heard whole = run(Cutter::whole());
  const Heard cut = run(Cutter(input.seed));
  REQUIRE(whole == cut);
  REQUIRE(allocations() == before);
  return 0;
}
