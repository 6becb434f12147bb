// The request for multiplexing in a client's ID: taken out where the client is trusted, else the session goes opaque
// when the server grants it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/imap/hearing.h"

namespace imapmeter::test {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::Not;

Conversation trusted() {
  Conversation talk = greeted();
  talk.take_out_multiplex = true;
  return talk;
}

// What the server gets of what a trusted client sends, at every split.
std::string passed(const std::string& octets) { return hear(trusted().client(octets)).to_server; }

TEST(Multiplex, ThePairIsTakenOut) {
  const std::string pair = "\"x-multiplex\" \"0\"";
  EXPECT_EQ(passed("i ID (\"name\" \"x\" " + pair + ")\r\n"), "i ID (\"name\" \"x\")\r\n");
  EXPECT_EQ(passed("i ID (" + pair + " \"name\" \"x\")\r\n"), "i ID (\"name\" \"x\")\r\n");
  EXPECT_EQ(passed("i ID (\"a\" NIL " + pair + " \"b\" \"c\")\r\n"), "i ID (\"a\" NIL \"b\" \"c\")\r\n");
  EXPECT_EQ(passed("i ID (" + pair + ")\r\n"), "i ID ()\r\n");
  EXPECT_EQ(passed("i id (" + pair + " " + pair + " " + pair + ")\r\n"), "i id ()\r\n");
  EXPECT_EQ(passed("i ID (\"X-Multiplex\" \"9\" \"a\" \"b\")\r\n"), "i ID (\"a\" \"b\")\r\n");
  EXPECT_EQ(passed("i ID (\"a\" {3+}\r\n\"x\" " + pair + ")\r\n"), "i ID (\"a\" {3+}\r\n\"x\")\r\n");
  EXPECT_EQ(passed("i ID (\"a\" \"\\\\\" " + pair + ")\r\n"), "i ID (\"a\" \"\\\\\")\r\n");
  EXPECT_EQ(passed("i ID (\"a\" \"b\" " + pair + ")\r\nj ID (" + pair + ")\r\nk NOOP\r\n"),
            "i ID (\"a\" \"b\")\r\nj ID ()\r\nk NOOP\r\n");
}

TEST(Multiplex, EverythingElsePasses) {
  for (const std::string octets : {
           "i ID NIL\r\n",
           "i ID (\"name\" \"x-multiplex\" \"0\" \"x\")\r\n",         // a value, and a key
           "i ID (\"name\" \" \\\"x-multiplex\\\" \\\"0\\\"\")\r\n",  // within a string
           "i ID (\"a\" \"b\" \"x-multiplex\" NIL)\r\n",
           "i ID (\"a\" \"b\" \"x-multiplex\" \"10\")\r\n",
           "i ID (\"a\" \"b\" \"x-multiplex\" \"\")\r\n",
           "i ID (\"a\" \"b\" \"x-multiplex\" {1+}\r\n0)\r\n",
           "i ID (\"a\" \"b\" {11+}\r\nx-multiplex \"0\")\r\n",
           "i ID (\"a\" \"b\" x-multiplex \"0\")\r\n",
           "i ID (\"a\" \"b\"  \"x-multiplexer\" \"0\")\r\n",
           "i ID (\"a\" \"b\" \"x-multiplex\"\"0\")\r\n",
           "i ID (\"a\" \"b\" \"x-multiplex\" \"0",
           "i ID (\"a\" \"b\" \"x-multiplex\" \"0\r\n\")\r\n",
           "i ID (\"a\" \"b\" \"x-mul\\tiplex\" \"0\")\r\n",
           "i ID \"x-multiplex\" \"0\"\r\n",
           "i IDLE (\"x-multiplex\" \"0\")\r\n",
           "i LOGIN (\"x-multiplex\" \"0\")\r\n",
       }) {
    EXPECT_EQ(passed(octets), octets);
  }
}

TEST(Multiplex, AfterASpaceTooManyItIsStillFound) {
  EXPECT_EQ(passed("i ID (\"a\" \"b\"  \"x-multiplex\" \"0\")\r\n"), "i ID (\"a\" \"b\" )\r\n");
}

// The client waits with a literal, the server refuses it, and the next ID is another one.
TEST(Multiplex, ARefusedLiteralEndsTheCommand) {
  Conversation talk = trusted();
  talk.client("i ID (\"a\" {3}\r\n").server("i BAD x\r\n").client("j ID (\"x-multiplex\" \"0\")\r\n");
  EXPECT_EQ(hear(talk).to_server, "i ID (\"a\" {3}\r\nj ID ()\r\n");
}

TEST(Multiplex, IsToldOncePerPair) {
  EXPECT_THAT(events_of(trusted().client("i ID (\"x-multiplex\" \"0\" \"name\" \"Dovecot\")\r\n").server("i OK x\r\n")),
              ElementsAre("multiplex_removed", "started ID", "status tagged OK none (OK)", "ended ID OK"));
}

TEST(Multiplex, OnlyBeforeLoginAndOfTrustedClients) {
  const std::string id = "i ID (\"x-multiplex\" \"0\")\r\n";
  EXPECT_TRUE(hear(logged_in().client(id)).to_server.ends_with(id));
  EXPECT_TRUE(hear(greeted().client(id)).to_server.ends_with(id));
  Conversation late = logged_in();
  late.take_out_multiplex = true;
  EXPECT_TRUE(hear(late.client(id)).to_server.ends_with(id));
}

// LOGIN is answered while the pair is under way: what was held goes out in front.
TEST(Multiplex, NothingHeldIsLeftBehind) {
  Conversation talk = trusted();
  talk.client("l LOGIN u p\r\ni ID (\"a\" \"b\" \"x-mul").server("l OK x\r\n").client("tiplex\" \"0\")\r\n");
  const Heard heard = hear(talk);
  EXPECT_EQ(heard.to_server, "l LOGIN u p\r\ni ID (\"a\" \"b\" \"x-multiplex\" \"0\")\r\n");
}

TEST(Multiplex, WhatIsHeldCanBeReleased) {
  EventLog log;
  imap::TrackerContext context;
  imap::SessionTracker tracker(log, context);
  tracker.take_out_multiplex();
  std::string room = std::string(imap::capability_headroom, '#') + "i ID (\"a\" \"b\" \"x-multi";
  const auto pass = [&](std::string_view text) {
    room.resize(imap::capability_headroom);
    room += text;
    const auto out = tracker.pass_client(std::span(room).subspan(imap::capability_headroom), {});
    return std::string(out.data(), out.size());
  };
  EXPECT_EQ(pass("i ID (\"a\" \"b\" \"x-multi"), "i ID (\"a\" \"b\"");
  EXPECT_TRUE(tracker.holds_octets(imap::Direction::client_to_server));
  const auto held = tracker.release_held(imap::Direction::client_to_server);
  EXPECT_EQ(std::string(held.data(), held.size()), " \"x-multi");
  EXPECT_FALSE(tracker.holds_octets(imap::Direction::client_to_server));
  EXPECT_EQ(pass("plex\" \"0\" \"x-multiplex\" \"0\")\r\n"), "plex\" \"0\")\r\n");
}

TEST(Multiplex, GrantedIsOpaque) {
  Conversation talk = greeted();
  talk.client("i ID (\"x-multiplex\" \"0\")\r\n");
  talk.server("* ID (\"name\" \"Dovecot\")\r\n* MULTIPLEX 0\r\n\xff\xff\xff\xff\xff" +
              std::string("\0\x02\x03\xfe", 4));
  EXPECT_THAT(events_of(talk),
              ElementsAre("started ID", "ended ID untracked", "opaque multiplex", "state not_authenticated -> opaque"));
  EXPECT_THAT(events_of(greeted().client("i NOOP\r\n").server("* MULTIPLEX 0\r\n")), Not(Contains("opaque multiplex")));
}

}  // namespace
}  // namespace imapmeter::test
