// States, BYE, outcomes, opaque, and what the relay asks the tracker. METRICS.md "Sessions and bytes".
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/imap/hearing.h"

namespace imapmeter::test {
namespace {

using std::chrono::seconds;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

std::vector<std::string> only(const std::string& prefix, const std::vector<std::string>& events) {
  std::vector<std::string> found;
  for (const std::string& event : events) {
    if (event.starts_with(prefix)) found.push_back(event.substr(prefix.size()));
  }
  return found;
}

// --- states ----------------------------------------------------------------------------------------------------------

TEST(States, SelectAndItsEnds) {
  const auto states = [](const std::string& command, const std::string& answer) {
    Conversation talk = logged_in();
    talk.client("a SELECT x\r\n")
        .server("a OK x\r\n")
        .client("b " + command + " x\r\n")
        .server("b " + answer + " x\r\n");
    return only("state ", events_of(talk));
  };
  const std::string in = "authenticated -> selected";
  const std::string out = "selected -> authenticated";
  for (const char* command : {"SELECT", "EXAMINE"}) {
    EXPECT_THAT(states(command, "OK"), ElementsAre(in));
    EXPECT_THAT(states(command, "NO"), ElementsAre(in, out));
    EXPECT_THAT(states(command, "BAD"), ElementsAre(in));
  }
  for (const char* command : {"CLOSE", "UNSELECT"}) {
    EXPECT_THAT(states(command, "OK"), ElementsAre(in, out));
    EXPECT_THAT(states(command, "NO"), ElementsAre(in));
    EXPECT_THAT(states(command, "BAD"), ElementsAre(in));
  }
  EXPECT_THAT(
      only("state ",
           events_of(logged_in().client("a IDLE\r\n").server("+ x\r\n").client("DONE\r\n").server("a OK x\r\n"))),
      ElementsAre("authenticated -> idle", "idle -> authenticated"));
}

TEST(States, LogoutFromItsLf) {
  EXPECT_THAT(events_of(logged_in().client("a SELECT x\r\nb LOGOUT\r\n").server("a OK x\r\n* BYE x\r\nb OK x\r\n")),
              ElementsAre("started SELECT", "started LOGOUT", "state authenticated -> logout",
                          "status tagged OK none (OK)", "ended SELECT OK", "status untagged BYE none (BYE UNSOLICITED)",
                          "bye logout", "status tagged OK none (OK)", "ended LOGOUT OK"));
}

TEST(States, AuthenticatedOnceOnly) {
  EXPECT_THAT(only("authenticated", hear(greeted()
                                             .client("a LOGIN x y\r\n")
                                             .server("a NO x\r\n")
                                             .client("b LOGIN x y\r\n")
                                             .server("b OK x\r\n")
                                             .client("c LOGIN x y\r\n")
                                             .server("c OK x\r\n"))
                                        .events),
              ElementsAre(""));
}

// --- BYE: IMAP.md 3
// ----------------------------------------------------------------------------------------------------

std::string bye_after(const Conversation& before, const std::string& text) {
  Conversation talk = before;
  talk.server("* BYE " + text + "\r\n");
  const auto reasons = only("bye ", hear(talk).events);
  return reasons.empty() ? "none" : reasons[0];
}

TEST(Traps, T11_ByeIsClassifiedByStateFirst) {
  EXPECT_EQ(bye_after(Conversation{}, "Autologout; idle for too long"), "greeting");
  EXPECT_EQ(bye_after(logged_in().client("a LOGOUT\r\n"), "Autologout; idle for too long"), "logout");
  EXPECT_EQ(bye_after(logged_in().client("a NOOP\r\nb LOGOUT {3}\r\n"), "shutdown"), "logout");
  EXPECT_EQ(bye_after(logged_in().client("a LOGOUT"), "x"), "shutdown");  // its LF has not come
}

TEST(Bye, Texts) {
  for (const char* text :
       {"Disconnected for inactivity.", "Autologout; idle for too long", "TIMEOUT", "Timed Out", "AutoLogout",
        "[UNAVAILABLE] idle", "IMAP server shutting down: idle", "tttimeout", "timed timed out"}) {
    EXPECT_EQ(bye_after(logged_in(), text), "inactivity") << text;
  }
  for (const char* text : {"IMAP server shutting down", "Connection closed. 14", "tim eout", "idl e", "[IDLE] x",
                           "[X idle] y", "timed  out", "", "[ALERT]"}) {
    EXPECT_EQ(bye_after(logged_in(), text), "shutdown") << text;
  }
  EXPECT_EQ(bye_after(logged_in(), "[X idle y"), "inactivity");  // no code: all is text
  EXPECT_EQ(bye_after(logged_in(), std::string(252, 'x') + "idle"), "inactivity");
  EXPECT_EQ(bye_after(logged_in(), std::string(253, 'x') + "idle"), "shutdown");
}

TEST(Bye, ASilentClient) {
  EXPECT_EQ(bye_after(logged_in().wait(seconds(1799)), "x"), "shutdown");
  EXPECT_EQ(bye_after(logged_in().wait(seconds(1800)), "x"), "inactivity");
  EXPECT_EQ(bye_after(greeted().wait(seconds(59)), "x"), "shutdown");
  EXPECT_EQ(bye_after(greeted().wait(seconds(60)), "x"), "inactivity");
  EXPECT_EQ(bye_after(logged_in().wait(seconds(1799)).client("a NOOP\r\n").wait(seconds(1799)), "x"), "shutdown");
  for (const char* text : {"shutting down", "restart", "kicked by admin", "Maintenance"}) {
    EXPECT_EQ(bye_after(logged_in().wait(seconds(4000)), text), "shutdown") << text;
  }
}

TEST(Bye, OnlyTheFirst) {
  EXPECT_THAT(
      events_of(logged_in().server("* BYE idle\r\n* BYE x\r\n* BYE y\r\n")),
      ElementsAre("status untagged BYE none (BYE UNSOLICITED)", "bye inactivity", "state authenticated -> logout",
                  "status untagged BYE none (BYE UNSOLICITED)", "anomaly upstream repeated_bye",
                  "status untagged BYE none (BYE UNSOLICITED)", "anomaly upstream repeated_bye"));
}

// --- opaque
// ------------------------------------------------------------------------------------------------------------

TEST(Opaque, OutstandingCommandsAreUntrackedAndNothingIsReadAgain) {
  EventLog log;
  imap::TrackerContext context;
  imap::SessionTracker tracker(log, context);
  std::string octets = "* PREAUTH x\r\n";
  tracker.server(octets, {});
  tracker.client("a IDLE\r\n", {});
  tracker.go_opaque(imap::OpaqueReason::disabled);
  tracker.go_opaque(imap::OpaqueReason::parser);
  std::string more = "a OK x\r\n";
  EXPECT_EQ(std::string(tracker.server(more, {}).data(), 8), more);
  tracker.client("b NOOP\r\n", {});
  tracker.finish({});
  EXPECT_THAT(log.lines, ElementsAre("status greeting PREAUTH none (PREAUTH UNSOLICITED)", "authenticated",
                                     "state connecting -> authenticated", "started IDLE", "ended IDLE untracked",
                                     "opaque disabled", "state authenticated -> opaque", "outcome unseen"));
}

// --- outcomes
// ------------------------------------------------------------------------------------------------------------

TEST(Outcomes, FirstThatFits) {
  EXPECT_EQ(outcome_of(Conversation{}), "none");
  EXPECT_EQ(outcome_of(Conversation{}.client("a NOOP\r\n").server("* OK no line end")), "none");
  EXPECT_EQ(outcome_of(greeted()), "good");
  EXPECT_EQ(outcome_of(logged_in()), "good");
  EXPECT_EQ(outcome_of(logged_in().client("a LOGOUT\r\n").server("* BYE x\r\na OK x\r\n")), "good");
  EXPECT_EQ(outcome_of(logged_in().client("a IDLE\r\n").server("+ x\r\n")), "good");
  EXPECT_EQ(outcome_of(logged_in().client("a COMPRESS DEFLATE\r\nb NOOP\r\n").server("a OK x\r\n")), "unseen");
  EXPECT_EQ(outcome_of(logged_in().client("a NOOP\r\n")), "cut");
  EXPECT_EQ(outcome_of(greeted().client("a LOGIN x y\r\n")), "cut");
  EXPECT_EQ(outcome_of(logged_in().server("* BYE idle\r\n")), "cut");
  EXPECT_EQ(outcome_of(logged_in().server("* BYE shutting down\r\n")), "cut");
  EXPECT_EQ(outcome_of(Conversation{}.server("* BYE too many\r\n")), "login_failed");
  for (const char* line : {"* BAD x\r\n", "* NO [UNAVAILABLE] x\r\n", "* NO [SERVERBUG] x\r\n",
                           "* NO [CORRUPTION] x\r\n", "* NO [LIMIT] x\r\n"}) {
    EXPECT_EQ(outcome_of(logged_in().server(line)), "degraded") << line;
    EXPECT_EQ(outcome_of(greeted().server(line)), "good") << line;
  }
  EXPECT_EQ(outcome_of(logged_in().server("* NO [TRYCREATE] x\r\n* OK [LIMIT] x\r\n")), "good");
  EXPECT_EQ(
      outcome_of(logged_in().client("a FETCH\r\n").server("a BAD not connected\r\n* BYE Connection closed. 14\r\n")),
      "cut");
}

TEST(Outcomes, Logins) {
  const auto after = [](const std::string& answer) {
    return outcome_of(greeted().client("a LOGIN x y\r\n").server("a " + answer + " x\r\n"));
  };
  for (const char* code : {"UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG", "CONTACTADMIN"}) {
    EXPECT_EQ(after("NO [" + std::string(code) + "]"), "login_failed");
  }
  for (const char* answer : {"NO", "NO [AUTHENTICATIONFAILED]", "NO [AUTHORIZATIONFAILED]", "NO [EXPIRED]", "BAD"}) {
    EXPECT_EQ(after(answer), "login_rejected");
  }
  EXPECT_EQ(
      outcome_of(
          greeted().client("a LOGIN x y\r\n").server("a NO x\r\n").client("b LOGIN x y\r\n").server("b OK x\r\n")),
      "good");
}

// --- what the relay asks
// -----------------------------------------------------------------------------------------------------

class Live : public testing::Test {
 protected:
  std::string server(std::string octets) {
    room_.assign(imap::capability_headroom, '#');
    room_.insert(room_.end(), octets.begin(), octets.end());
    const auto out = tracker_.server(std::span(room_).subspan(imap::capability_headroom), {});
    return {out.data(), out.size()};
  }
  void client(const std::string& octets) { tracker_.client(octets, {}); }
  std::string release() {
    const auto held = tracker_.release_held(imap::Direction::server_to_client);
    return {held.data(), held.size()};
  }

  EventLog log_;
  imap::CapabilityRules rules_{.enabled = true, .strip_starttls = true};
  imap::TrackerContext context_{nullptr, &rules_, 1};
  imap::SessionTracker tracker_{log_, context_};
  std::vector<char> room_;
};

TEST_F(Live, ResponseBoundary) {
  server("* PREAUTH x\r\n");
  EXPECT_TRUE(tracker_.at_response_boundary());
  for (const char* part : {"*", " 1 FETCH (X {2}\r\n", "a", "b", ")"}) {
    server(part);
    EXPECT_FALSE(tracker_.at_response_boundary()) << part;
  }
  server("\r\n");
  EXPECT_TRUE(tracker_.at_response_boundary());
  client("a NOOP\r\n");
  EXPECT_FALSE(tracker_.at_response_boundary());
  server("a OK x\r\n");
  client("b IDLE\r\n");
  EXPECT_TRUE(tracker_.at_response_boundary());
  server("* 1 FETCH (X {2}\r\nab)\r\nfoo\r\n");
  EXPECT_FALSE(tracker_.at_response_boundary());  // out of step
  server("b OK x\r\n");
  EXPECT_TRUE(tracker_.at_response_boundary());
  server("* CAPABILITY X ST");
  EXPECT_FALSE(tracker_.at_response_boundary());
  server("ARTTLS\r\n");
  EXPECT_TRUE(tracker_.at_response_boundary());
  tracker_.go_opaque(imap::OpaqueReason::disabled);
  EXPECT_FALSE(tracker_.at_response_boundary());
}

TEST_F(Live, Questions) {
  server("* OK x\r");
  EXPECT_FALSE(tracker_.greeting_seen());
  server("\n");
  EXPECT_TRUE(tracker_.greeting_seen());
  EXPECT_FALSE(tracker_.ever_authenticated());
  client("a LOGIN x y\r\nb LOGOUT\r\n");
  server("a OK x\r\n");
  EXPECT_TRUE(tracker_.ever_authenticated());
  EXPECT_FALSE(tracker_.bye_seen());
  server("* BYE x\r\n");
  EXPECT_TRUE(tracker_.bye_seen());
  EXPECT_FALSE(tracker_.logout_completed());
  server("b OK x\r\n");
  EXPECT_TRUE(tracker_.logout_completed());
  EXPECT_EQ(tracker_.state(), imap::SessionState::logout);
}

TEST_F(Live, HeldOctetsComeOut) {
  EXPECT_EQ(server("* OK [CAPABILITY IMAP4rev1 STAR"), "* OK [CAPABILITY IMAP4rev1");
  EXPECT_TRUE(tracker_.holds_octets(imap::Direction::server_to_client));
  EXPECT_EQ(release(), " STAR");
  EXPECT_FALSE(tracker_.holds_octets(imap::Direction::server_to_client));
  EXPECT_EQ(release(), "");
  EXPECT_EQ(server("TTLS STARTTLS IDLE] x\r\n"), "TTLS IDLE] x\r\n");  // the cut word had gone out already
  server("* CAPABILITY ");
  EXPECT_TRUE(tracker_.holds_octets(imap::Direction::server_to_client));
  tracker_.go_opaque(imap::OpaqueReason::disabled);
  EXPECT_EQ(server("STARTTLS\r\n"), " STARTTLS\r\n");
}

}  // namespace
}  // namespace imapmeter::test
