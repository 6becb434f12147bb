// What is said before TLS, on both legs: FAULTS.md A19, B7 to B10; IMAP.md section 5. Every case at every split.
#include "proxy/imap/starttls_dialogue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace imapmeter::test {
namespace {

using imap::ClientDialogue;
using imap::UpstreamDialogue;
using testing::HasSubstr;
using testing::Not;

using Client = ClientDialogue::Verdict;
using Server = UpstreamDialogue::Verdict;
using Goal = UpstreamDialogue::Goal;

// --- towards a client ------------------------------------------------------------------------------------------------

struct ClientRun {
  std::string said;
  Client verdict = Client::more;
  std::size_t taken = 0;
  unsigned logins = 0;
  bool operator==(const ClientRun&) const = default;
};

// `cut`: the first piece ends there; `size`: the pieces after it.
ClientRun run_client(std::string_view input, std::size_t cut, std::size_t size) {
  ClientDialogue dialogue;
  ClientRun run;
  std::size_t end = std::min(cut, input.size());
  while (run.taken < input.size() && run.verdict == Client::more) {
    if (run.taken == end) end = std::min(end + size, input.size());
    const ClientDialogue::Read read = dialogue.read({input.data() + run.taken, end - run.taken});
    run.taken += read.taken;
    run.said += read.say;
    run.verdict = read.verdict;
    run.logins += read.login_refused ? 1U : 0U;
  }
  return run;
}

// The same at every split.
ClientRun run_client(std::string_view input) {
  ClientRun whole = run_client(input, input.size(), 1);
  EXPECT_EQ(run_client(input, 1, 1), whole) << "octet by octet";
  const std::size_t step = input.size() > 2000 ? 97 : 1;
  for (std::size_t cut = 1; cut < input.size(); cut += step)
    EXPECT_EQ(run_client(input, cut, input.size()), whole) << "cut at " << cut;
  return whole;
}

TEST(ClientDialogue, AnswersWhatHasAPlaceBeforeTls) {
  const ClientRun run = run_client("a1 CAPABILITY\r\nA.2 noop\r\n3 Id (\"name\" \"x\")\r\n4 NOOP\nx LOGOUT\r\n");
  EXPECT_EQ(run.said,
            "* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\na1 OK done\r\nA.2 OK done\r\n* ID NIL\r\n3 OK done\r\n"
            "4 OK done\r\n* BYE until next time\r\nx OK done\r\n");
  EXPECT_EQ(run.verdict, Client::logout);
}

TEST(ClientDialogue, TakesNothingBehindStarttls) {
  const std::string line = "a1 StartTls\r\n";
  for (const std::string& hello : {std::string("\x16\x03\x01", 3), std::string("\x16")}) {
    const ClientRun run = run_client(line + hello);
    EXPECT_EQ(run.said, "a1 OK begin TLS now\r\n");
    EXPECT_EQ(run.verdict, Client::start_tls);
    EXPECT_EQ(run.taken, line.size());
  }
  EXPECT_EQ(run_client(line).verdict, Client::more);  // the next octet decides
}

TEST(ClientDialogue, B8_AnythingBehindStarttlsThatIsNoTlsIsAnInjection) {
  const std::string line = "a1 STARTTLS\r\n";
  for (const std::string& glued :
       {std::string("b LOGIN u p\r\n"), std::string("\r\n"), std::string("\n"), std::string(" "), std::string(1, '\0'),
        std::string("\x15\x03\x01"), std::string("\x17\x03\x03"), std::string("\x80\x2e\x01"), std::string("\xff"),
        std::string("b STARTTLS\r\n\x16"), std::string("\n\x16\x03\x01")}) {
    const ClientRun run = run_client(line + glued);
    EXPECT_EQ(run.verdict, Client::injection) << testing::PrintToString(glued);
    EXPECT_EQ(run.taken, line.size());
    EXPECT_EQ(run.said, "a1 OK begin TLS now\r\n");
  }
}

TEST(ClientDialogue, B9_RefusesLoginsAndEndsWithTheThird) {
  const std::string no = " NO [PRIVACYREQUIRED] use STARTTLS first\r\n";
  const ClientRun run =
      run_client("a LOGIN u secret\r\nb AUTHENTICATE PLAIN AHUAc2VjcmV0\r\nc login u secret\r\nd NOOP\r\n");
  EXPECT_EQ(run.said, "a" + no + "b" + no + "* BYE No login without TLS\r\n");
  EXPECT_EQ(run.verdict, Client::plaintext);
  EXPECT_EQ(run.logins, 3U);

  const ClientRun bare = run_client("a LOGIN\r\nb AUTHENTICATE\r\n");
  EXPECT_EQ(bare.said, "a" + no + "b" + no);
  EXPECT_EQ(bare.logins, 2U);
  // then TLS is still welcome
  EXPECT_EQ(run_client("a LOGIN u p\r\nb AUTHENTICATE PLAIN\r\nc STARTTLS\r\n\x16").verdict, Client::start_tls);
}

TEST(ClientDialogue, B10_TheFourthBadEndsIt) {
  const std::string bad = " BAD not understood before TLS\r\n";
  const ClientRun three = run_client("a SELECT x\r\nb FOO\r\nc NOOP x\r\nd NOOP\r\n");
  EXPECT_EQ(three.said, "a" + bad + "b" + bad + "c" + bad + "d OK done\r\n");
  const ClientRun four = run_client("a SELECT x\r\nb FOO\r\nc STARTTLS x\r\nd LIST\r\ne NOOP\r\n");
  EXPECT_EQ(four.said, "a" + bad + "b" + bad + "c" + bad + "* BYE Too much that is not understood\r\n");
  EXPECT_EQ(four.verdict, Client::limit);
}

TEST(ClientDialogue, LinesThatAreNoCommandsAreAnsweredWithoutATag) {
  const std::string long_tag(ClientDialogue::longest_tag + 1, 'a');
  for (const std::string& line :
       {std::string(""), std::string(" NOOP"), std::string("a"), std::string("a "), std::string("a  NOOP"),
        std::string("* NOOP"), std::string("+ NOOP"), std::string("AHUAc2VjcmV0"), std::string("{5"),
        std::string("\"a\" NOOP"), long_tag + " NOOP", std::string("a\tNOOP"), std::string("a NO\rOP"),
        std::string("\ra NOOP")}) {
    EXPECT_EQ(run_client(line + "\r\n").said, "* BAD not understood before TLS\r\n") << testing::PrintToString(line);
  }
  const std::string tag(ClientDialogue::longest_tag, 'a');
  EXPECT_EQ(run_client(tag + " NOOP\r\n").said, tag + " OK done\r\n");
}

TEST(ClientDialogue, StarttlsIsTheWholeLine) {
  for (const char* line :
       {"a STARTTLS x", "a STARTTLS ", "a STARTTLSX", "a START TLS", "a STARTTL", "STARTTLS", " STARTTLS"}) {
    const ClientRun run = run_client(std::string(line) + "\r\n\x16");
    EXPECT_THAT(run.said, HasSubstr("BAD")) << line;
    EXPECT_EQ(run.verdict, Client::limit) << line;  // by the 0x16, which begins a line here
  }
}

TEST(ClientDialogue, B10_LiteralsEndIt) {
  for (const char* line :
       {"a LOGIN {4}", "a LOGIN {4+}", "a LOGIN u {1}", "a ID ({5}", "a FOO ~{3}", "{3}", "a NOOP {3+}"}) {
    const ClientRun run = run_client(std::string(line) + "\r\nb NOOP\r\n");
    EXPECT_EQ(run.said, "* BYE No literals before TLS\r\n") << line;
    EXPECT_EQ(run.verdict, Client::limit) << line;
  }
  EXPECT_EQ(run_client("a LOGIN {4}\r\n").logins, 1U);
  EXPECT_EQ(run_client("a LOGIN u \"{4}\"\r\n").verdict, Client::more);  // no literal
}

TEST(ClientDialogue, B10_LongLinesEndIt) {
  const std::string start = "a NOOP ";
  const std::string fits = start + std::string(ClientDialogue::longest_line - start.size() - 2, 'x') + "\r\n";
  EXPECT_EQ(run_client(fits).verdict, Client::more);
  EXPECT_EQ(run_client(start + "x" + fits.substr(start.size())).verdict, Client::limit);
  EXPECT_EQ(run_client(std::string(20'000, 'a')).taken, ClientDialogue::longest_line + 1);
}

TEST(ClientDialogue, B7_TlsAtOnceEndsWithItsFirstOctet) {
  const ClientRun run = run_client(std::string("\x16\x03\x01\x02\x00", 5));
  EXPECT_EQ(run.verdict, Client::limit);
  EXPECT_EQ(run.taken, 1U);
  EXPECT_THAT(run.said, testing::StartsWith("* BYE "));
  for (const char octet : {'\0', '\x01', '\x1b', '\x7f'})
    EXPECT_EQ(run_client("a NOOP" + std::string(1, octet) + "\r\n").verdict, Client::limit);
}

TEST(ClientDialogue, NoOctetOfAnArgumentIsSaid) {
  for (const char* line : {"a LOGIN canary canary", "a LOGN canary canary", "canary", "a AUTHENTICATE canary canary",
                           "canary\t", "a ID (canary)", "a NOOP canary", "a canary", "a LOGIN canary {6}"}) {
    const ClientRun run = run_client(std::string(line) + "\r\n" + line + "\r\n" + line + "\r\n" + line + "\r\n");
    EXPECT_THAT(run.said, Not(HasSubstr("canary"))) << line;
  }
}

// --- towards a server ------------------------------------------------------------------------------------------------

// What the server says to each thing that it is told, its greeting first; TLS goes where it was agreed on.
using Turns = std::vector<std::string>;

struct UpstreamRun {
  std::vector<std::string> told;
  Server verdict = Server::more;
  std::size_t taken = 0;  // of the last turn
  std::string capabilities;
  bool tls = false;
  bool operator==(const UpstreamRun&) const = default;
};

UpstreamRun run_upstream(Goal goal, const Turns& turns, std::size_t cut, std::size_t size) {
  UpstreamDialogue dialogue(goal);
  UpstreamRun run;
  std::size_t position = 0;
  for (const std::string& turn : turns) {
    run.taken = 0;
    std::size_t end = 0;
    while (run.taken < turn.size()) {
      if (run.taken == end)
        end = position < cut ? end + std::min(cut - position, turn.size() - end) : std::min(end + size, turn.size());
      const UpstreamDialogue::Read read = dialogue.read({turn.data() + run.taken, end - run.taken});
      run.taken += read.taken;
      position += read.taken;
      run.verdict = read.verdict;
      if (read.verdict == Server::more || read.verdict == Server::start_tls) continue;
      if (read.verdict != Server::done) run.taken = 0;  // nothing of it is of use
      return run;
    }
    if (run.verdict == Server::start_tls && !run.tls) {
      run.tls = true;
      if (!dialogue.begin_inside_tls()) return run;
    }
    if (!dialogue.to_say().empty()) run.told.emplace_back(dialogue.to_say());
    dialogue.said();
    run.capabilities = dialogue.capabilities();
  }
  return run;
}

UpstreamRun run_upstream(Goal goal, const Turns& turns) {
  std::size_t octets = 0;
  for (const std::string& turn : turns) octets += turn.size();
  UpstreamRun whole = run_upstream(goal, turns, octets, octets);
  EXPECT_EQ(run_upstream(goal, turns, 1, 1), whole) << "octet by octet";
  const std::size_t step = octets > 2000 ? 97 : 1;
  for (std::size_t cut = 1; cut < octets; cut += step)
    EXPECT_EQ(run_upstream(goal, turns, cut, octets), whole) << "cut at " << cut;
  return whole;
}

const std::string hello = "* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] hello\r\n";
const std::string plain_hello = "* OK hello\r\n";
const std::string offer = "* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\ns1 OK x\r\n";
const std::string go_on = "s2 OK go on\r\n";

TEST(UpstreamDialogue, AsksForStarttls) {
  EXPECT_THAT(run_upstream(Goal::starttls, {hello, go_on}).told, testing::ElementsAre("s2 STARTTLS\r\n"));
  const UpstreamRun asked = run_upstream(Goal::starttls, {plain_hello, offer, go_on});
  EXPECT_THAT(asked.told, testing::ElementsAre("s1 CAPABILITY\r\n", "s2 STARTTLS\r\n"));
  EXPECT_TRUE(asked.tls);
  for (const std::string& odd :
       {std::string("* OK [CAPABILITY starttls] x\r\n"), std::string("* ok [capability A StartTLS]\n"),
        std::string("* OK [CAPABILITY A  STARTTLS  B] x\r\n")})
    EXPECT_TRUE(run_upstream(Goal::starttls, {odd, go_on}).tls) << odd;
  // Dovecot, while its logins are not ready yet
  EXPECT_TRUE(run_upstream(Goal::starttls, {"* OK Waiting for authentication process to respond..\r\n",
                                            hello + "* CAPABILITY STARTTLS\r\ns1 OK x\r\n", go_on})
                  .tls);
}

TEST(UpstreamDialogue, UntaggedStatusIsPassedOver) {
  for (const char* line :
       {"* OK [ALERT] x\r\n", "* NO [REFERRAL imap://evil.example/] x\r\n", "* BAD x\r\n", "* OK [UNSEEN 1] x\r\n"}) {
    EXPECT_TRUE(run_upstream(Goal::starttls, {plain_hello, line + offer, line + go_on}).tls) << line;
    EXPECT_TRUE(run_upstream(Goal::starttls, {hello + line, go_on}).tls) << line;
  }
}

struct Refusal {
  const char* what;
  Turns turns;
  Server verdict;
};

TEST(UpstreamDialogue, A19_NeverWithoutTls) {
  const std::vector<Refusal> cases = {
      {"NO", {hello, "s2 NO x\r\n"}, Server::refused},
      {"BAD", {hello, "s2 BAD x\r\n"}, Server::refused},
      {"NO with a referral", {hello, "s2 NO [REFERRAL imap://evil.example/] x\r\n"}, Server::refused},
      {"not offered in the greeting", {"* OK [CAPABILITY IMAP4rev1] x\r\n"}, Server::stripped},
      {"not offered when asked", {plain_hello, "* CAPABILITY IMAP4rev1\r\ns1 OK x\r\n"}, Server::stripped},
      {"no capabilities", {plain_hello, "s1 OK x\r\n"}, Server::stripped},
      {"CAPABILITY refused", {plain_hello, "* CAPABILITY STARTTLS\r\ns1 NO x\r\n"}, Server::stripped},
      {"CAPABILITY bad", {plain_hello, "s1 BAD x\r\n"}, Server::stripped},
      {"offered, then not",
       {hello.substr(0, 5) + "x\r\n", "* CAPABILITY STARTTLS\r\n* CAPABILITY A\r\ns1 OK x\r\n"},
       Server::stripped},
      {"XSTARTTLS", {"* OK [CAPABILITY XSTARTTLS STARTTLSX] x\r\n"}, Server::stripped},
      {"PREAUTH", {"* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] x\r\n"}, Server::preauth},
      {"PREAUTH later", {plain_hello, "* PREAUTH x\r\n" + offer}, Server::preauth},
      {"PREAUTH behind STARTTLS", {hello, "* PREAUTH x\r\n" + go_on}, Server::preauth},
      {"BYE", {"* BYE x\r\n"}, Server::bye},
      {"BYE with a referral", {"* BYE [REFERRAL imap://evil.example/] x\r\n"}, Server::bye},
      {"BYE later", {plain_hello, "* BYE x\r\n"}, Server::stripped},
      {"BYE behind STARTTLS", {hello, "* BYE x\r\n"}, Server::stripped},
      {"OK before STARTTLS was sent", {hello + go_on}, Server::stripped},
      {"OK before CAPABILITY was sent", {plain_hello + "s1 OK x\r\n"}, Server::stripped},
      {"both answers at once", {plain_hello, offer + go_on}, Server::stripped},
      {"OK to STARTTLS instead of CAPABILITY", {plain_hello, go_on}, Server::stripped},
      {"OK as the greeting", {go_on}, Server::stripped},
      {"another tag", {hello, "s3 OK x\r\n"}, Server::stripped},
      {"another tag's case", {hello, "S2 OK x\r\n"}, Server::stripped},
      {"a longer tag", {hello, "s22 OK x\r\n"}, Server::stripped},
      {"no condition", {hello, "s2 OKAY x\r\n"}, Server::stripped},
      {"tagged BYE", {hello, "s2 BYE x\r\n"}, Server::stripped},
      {"tagged PREAUTH", {hello, "s2 PREAUTH x\r\n"}, Server::stripped},
      {"a continuation", {hello, "+ go on\r\n"}, Server::stripped},
      {"an empty line", {hello, "\r\n"}, Server::stripped},
      {"garbage", {hello, "\x16\x03\x03\n"}, Server::stripped},
      {"untagged OK to STARTTLS", {hello, "* OK begin TLS\r\ns1 OK x\r\n"}, Server::stripped},
      {"LIST", {hello, "* LIST () \"/\" INBOX\r\n" + go_on}, Server::stripped},
      {"LIST as the greeting", {"* LIST () \"/\" INBOX\r\n"}, Server::stripped},
      {"FETCH with a literal", {hello, "* 1 FETCH (BODY[] {3}\r\nabc)\r\n" + go_on}, Server::stripped},
      {"FLAGS", {plain_hello, "* FLAGS (\\Seen)\r\n" + offer}, Server::stripped},
      {"SEARCH", {plain_hello, "* SEARCH 1\r\n" + offer}, Server::stripped},
      {"EXISTS", {hello, "* 5 EXISTS\r\n" + go_on}, Server::stripped},
      {"capabilities that nobody asked for", {hello, "* CAPABILITY A\r\n" + go_on}, Server::stripped},
      {"capabilities before they were asked for", {plain_hello + "* CAPABILITY STARTTLS\r\n"}, Server::stripped},
      {"* NO as the greeting", {"* NO x\r\n"}, Server::no_greeting},
      {"a busy line", {"421 busy\r\n"}, Server::no_greeting},
      {"HTTP", {"<html>\r\n"}, Server::no_greeting},
      {"NUL", {std::string("\0\r\n", 3)}, Server::no_greeting},
      {"POP3", {"+OK x\r\n"}, Server::no_greeting},
      {"an octet behind the OK", {hello, go_on + "x"}, Server::injection},
      {"a greeting behind the OK", {hello, go_on + "* OK hello\r\n"}, Server::injection},
      {"an OK behind the OK", {hello, go_on + "s3 OK LOGIN done\r\n"}, Server::injection},
      {"a TLS record behind the OK", {hello, go_on + "\x16\x03\x03"}, Server::injection},
      {"a line end behind the OK", {hello, "s2 OK\n\n"}, Server::injection},
  };
  for (const Refusal& each : cases) {
    for (const Goal goal : {Goal::starttls, Goal::capabilities}) {
      const UpstreamRun run = run_upstream(goal, each.turns);
      EXPECT_EQ(run.verdict, each.verdict) << each.what;
      EXPECT_FALSE(run.tls) << each.what;
    }
  }
  RecordProperty("cases", static_cast<int>(cases.size()));
}

TEST(UpstreamDialogue, EndlessTalkEndsIt) {
  std::string chatter = plain_hello;
  while (chatter.size() <= UpstreamDialogue::longest) chatter += "* OK still here\r\n";
  EXPECT_EQ(run_upstream(Goal::starttls, {chatter}).verdict, Server::stripped);
  EXPECT_EQ(run_upstream(Goal::starttls, {std::string(10'000, 'x')}).verdict, Server::no_greeting);
  EXPECT_EQ(run_upstream(Goal::starttls, {plain_hello, "* CAPABILITY " + std::string(70'000, 'x')}).verdict,
            Server::stripped);
  EXPECT_EQ(run_upstream(Goal::starttls, {"* OK [CAPABILITY" + std::string(10'000, ' ')}).verdict, Server::no_greeting);
}

TEST(UpstreamDialogue, TheGreetingAlone) {
  const UpstreamRun run = run_upstream(Goal::greeting, {plain_hello + "* OK [ALERT] more\r\n"});
  EXPECT_EQ(run.verdict, Server::done);
  EXPECT_EQ(run.taken, plain_hello.size());  // what follows belongs to the session
  EXPECT_EQ(run_upstream(Goal::greeting, {"* PREAUTH x\r\n"}).verdict, Server::preauth);
  EXPECT_EQ(run_upstream(Goal::greeting, {"* BYE x\r\n"}).verdict, Server::bye);
  for (const char* other : {"* NO x\r\n", "* BAD x\r\n", "a OK x\r\n", "* LIST x\r\n", "\r\n", "421 busy\r\n"})
    EXPECT_EQ(run_upstream(Goal::greeting, {other}).verdict, Server::no_greeting) << other;
}

TEST(UpstreamDialogue, RemembersWhatTheGreetingWas) {
  UpstreamDialogue dialogue(Goal::starttls);
  EXPECT_FALSE(dialogue.greeted());
  dialogue.read(hello);
  dialogue.said();
  dialogue.read(go_on);
  EXPECT_TRUE(dialogue.greeted());
  EXPECT_EQ(dialogue.greeting().condition, imap::Condition::ok);
  EXPECT_EQ(dialogue.greeting().code, imap::ResponseCode::capability);
}

TEST(UpstreamDialogue, LearnsTheCapabilitiesInsideTls) {
  const auto inside = [](const std::string& answer) {
    UpstreamRun run = run_upstream(Goal::capabilities, {hello, go_on, answer});
    EXPECT_EQ(run.told, (std::vector<std::string>{"s2 STARTTLS\r\n", "s3 CAPABILITY\r\n"}));
    return run;
  };
  const auto words = [&](const std::string& answer) {
    UpstreamDialogue dialogue(Goal::capabilities);
    dialogue.read(hello);
    dialogue.said();
    EXPECT_EQ(dialogue.read(go_on).verdict, Server::start_tls);
    EXPECT_TRUE(dialogue.begin_inside_tls());
    dialogue.said();
    EXPECT_EQ(dialogue.read(answer).verdict, Server::done);
    return std::string(dialogue.capabilities());
  };
  const std::string answer = "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\ns3 OK x\r\n";
  EXPECT_EQ(inside(answer + "* OK more\r\n").verdict, Server::done);
  EXPECT_EQ(inside(answer + "* OK more\r\n").taken, answer.size());
  EXPECT_EQ(words(answer), " IMAP4rev1 AUTH=PLAIN");
  EXPECT_EQ(words("s3 OK [CAPABILITY A B] x\r\n"), " A B");
  // of before TLS nothing
  EXPECT_EQ(words("s3 OK x\r\n"), "");
  EXPECT_EQ(words("s3 BAD x\r\n"), "");
  EXPECT_EQ(words("* LIST () \"/\" {3}\r\nabc\r\n* OK [ALERT] x\r\nx OK\r\n+ \r\n" + answer), " IMAP4rev1 AUTH=PLAIN");
  EXPECT_EQ(words("* CAPABILITY " + std::string(UpstreamDialogue::longest_capabilities, 'x') + "\r\ns3 OK x\r\n"), "");
  EXPECT_EQ(inside("* BYE x\r\n").verdict, Server::bye);
  EXPECT_FALSE(UpstreamDialogue(Goal::starttls).begin_inside_tls());
}

// What is pipelined behind STARTTLS belongs to TLS, or ends the session: it is never read as a command.
TEST(Traps, T19_StarttlsAndPipelinedBytes) {
  const std::string line = "a STARTTLS\r\n";
  const ClientRun command = run_client(line + "b LOGIN u p\r\n");
  EXPECT_EQ(command.verdict, Client::injection);
  EXPECT_EQ(command.logins, 0U);
  EXPECT_EQ(run_client(line + "\x16\x03\x01").taken, line.size());
}

}  // namespace
}  // namespace imapmeter::test
