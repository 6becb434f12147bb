#include "config/args.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "config/load.h"

namespace imapmeter::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using namespace std::chrono_literals;

Invocation run(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "imapmeter");
  return parse(static_cast<int>(arguments.size()), arguments.data());
}

// The minimum, with `more` after it.
Invocation run_with(const std::vector<const char*>& more) {
  std::vector<const char*> arguments = {"--listen", "imap://127.0.0.1:0", "--upstream", "imap://127.0.0.1:10143"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run(arguments);
}

void expect_refused(const Invocation& invocation, const std::string& why) {
  EXPECT_EQ(invocation.action, Action::exit);
  EXPECT_EQ(invocation.status, usage_error);
  EXPECT_THAT(invocation.output, HasSubstr(why));
}

// A directory and an environment of the test's own.
class Args : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(::mkdtemp(dir_.data()), nullptr); }
  void TearDown() override {
    for (const auto& name : set_) ::unsetenv(name.c_str());
    std::filesystem::remove_all(dir_);
  }
  void set(const std::string& name, const std::string& value) {
    set_.push_back(name);
    ::setenv(name.c_str(), value.c_str(), 1);
  }
  std::string file(const std::string& name, const std::string& text) {
    std::ofstream(dir_ + "/" + name) << text;
    return dir_ + "/" + name;
  }

  std::string dir_ = testing::TempDir() + "imapmeter_args_XXXXXX";
  std::vector<std::string> set_;
};

constexpr const char* minimal =
    "listeners: [{bind: 'imap://127.0.0.1:0'}]\nupstreams: [{servers: ['imap://127.0.0.1:1']}]\n";

TEST_F(Args, FlagsAloneAreEnough) {
  const auto cert = file("cert.pem", "x");
  const auto key = file("key.pem", "x");
  const auto ca = file("ca.pem", "x");
  const Invocation out = run({"--listen",
                              "imaps://127.0.0.1:1993",
                              "--cert",
                              cert.c_str(),
                              "--key",
                              key.c_str(),
                              "--upstream",
                              "imaps://mail.example.org:993",
                              "--upstream-ca",
                              ca.c_str(),
                              "--admin",
                              "127.0.0.1:0",
                              "--metrics",
                              "[::1]:0",
                              "--capabilities",
                              "pass",
                              "--workers",
                              "3",
                              "--user",
                              "root",
                              "--log-level",
                              "warn",
                              "--observe",
                              "off",
                              "--drain-timeout",
                              "5s",
                              "--log-client-address",
                              "clear"});
  ASSERT_EQ(out.action, Action::run) << out.output;
  EXPECT_EQ(out.status, 0);
  Config expected;
  expected.listeners = {{.binds = {{"127.0.0.1", 1993}},
                         .certificates = {{cert, key}},
                         .capabilities = Capabilities::pass,
                         .observe = false}};
  expected.upstreams = {{.servers = {{"mail.example.org", 993}}, .ca = ca}};
  expected.admin = "127.0.0.1:0";
  expected.metrics = "[::1]:0";
  expected.workers = 3;
  expected.user = "root";
  expected.log_level = LogLevel::warn;
  expected.timeouts.drain = 5s;
  expected.log_client_address = ClientAddress::clear;
  EXPECT_EQ(out.config, expected);
  EXPECT_THAT(out.warnings, IsEmpty());
}

TEST_F(Args, TheExampleOfTheContract) {
  const Invocation out =
      run({"--listen", "imaps://127.0.0.1:1993", "--self-signed", "--upstream", "imap://127.0.0.1:10143", "--admin",
           "127.0.0.1:19143", "--capabilities", "auto", "--workers", "2", "--log-level", "info"});
  ASSERT_EQ(out.action, Action::run) << out.output;
  EXPECT_TRUE(out.config.listeners.at(0).self_signed);
  EXPECT_EQ(out.config.listeners.at(0).self_signed_dir, "");
  EXPECT_EQ(out.config.upstreams.at(0).servers.at(0), (Address{"127.0.0.1", 10143}));
}

TEST_F(Args, SelfSignedTakesADirectoryOrNone) {
  const std::vector<std::pair<std::vector<const char*>, std::string>> cases = {
      {{"--self-signed", "--listen", "imaps://127.0.0.1:0", "--upstream", "imap://127.0.0.1:1"}, ""},
      {{"--listen", "imaps://127.0.0.1:0", "--upstream", "imap://127.0.0.1:1", "--self-signed"}, ""},
      {{"--self-signed", "/d", "--listen", "imaps://127.0.0.1:0", "--upstream", "imap://127.0.0.1:1"}, "/d"},
      {{"--self-signed=/d", "--listen", "imaps://127.0.0.1:0", "--upstream", "imap://127.0.0.1:1"}, "/d"},
      {{"--listen", "imaps://127.0.0.1:0", "--upstream", "imap://127.0.0.1:1", "--self-signed", "/d"}, "/d"}};
  for (const auto& [arguments, dir] : cases) {
    const Invocation out = run(arguments);
    ASSERT_EQ(out.action, Action::run) << out.output;
    EXPECT_TRUE(out.config.listeners.at(0).self_signed);
    EXPECT_EQ(out.config.listeners.at(0).self_signed_dir, dir);
  }
}

TEST_F(Args, SeveralListeners) {
  const Invocation out = run({"--listen", "imaps://127.0.0.1:1", "--listen", "imap://127.0.0.1:2", "--self-signed",
                              "--capabilities", "pass", "--upstream", "imap://127.0.0.1:10143"});
  ASSERT_EQ(out.action, Action::run) << out.output;
  ASSERT_EQ(out.config.listeners.size(), 2U);
  EXPECT_EQ(out.config.listeners[0].name, "default");
  EXPECT_TRUE(out.config.listeners[0].self_signed);
  EXPECT_EQ(out.config.listeners[1].name, "default-2");
  EXPECT_FALSE(out.config.listeners[1].self_signed);
  EXPECT_EQ(out.config.listeners[1].capabilities, Capabilities::pass);
  expect_refused(run({"--listen", "imap://127.0.0.1:1", "imap://127.0.0.1:2", "--upstream", "imap://127.0.0.1:3"}),
                 "not expected");
}

TEST_F(Args, WhatIsMissingIsSaid) {
  const Invocation out = run({});
  expect_refused(out, "imapmeter: --listen: missing; expected imaps://HOST:PORT");
  expect_refused(out, "imapmeter: --upstream: missing");
  expect_refused(run({"--listen", "imaps://127.0.0.1:1", "--upstream", "imap://127.0.0.1:2"}),
                 "--listen: an imaps:// listener needs");
}

TEST_F(Args, BadValuesNameTheFlagAndWhatWasExpected) {
  expect_refused(run({"--listen", "x", "--upstream", "imap://127.0.0.1:1"}), "--listen: expected imaps://HOST:PORT");
  expect_refused(run({"--listen", "imap://127.0.0.1:1", "--upstream", "y"}), "--upstream: expected imaps://HOST:PORT");
  expect_refused(run_with({"--workers", "65"}), "--workers: expected a whole number from 0 to 64, got \"65\"");
  expect_refused(run_with({"--capabilities", "none"}), "--capabilities: expected auto or pass");
  expect_refused(run_with({"--observe", "no"}), "--observe: expected on or off");
  expect_refused(run_with({"--log-client-address", "full"}), "--log-client-address: expected off, truncated");
  expect_refused(run_with({"--log-level", "loud"}), "--log-level: expected trace");
  expect_refused(run_with({"--drain-timeout", "10"}), "--drain-timeout: expected a whole number with");
  expect_refused(run_with({"--drain-timeout", "0s"}), "--drain-timeout: expected more than 0");
  expect_refused(run_with({"--admin", "19143"}), "--admin: expected ADDRESS:PORT");
  expect_refused(run_with({"--metrics", "none"}), "--metrics: expected ADDRESS:PORT");
  expect_refused(run_with({"--admin", ""}), "--admin");
  expect_refused(run_with({"--workers"}), "--workers");
  expect_refused(run_with({"--workers", "1", "--workers", "2"}), "--workers");
}

TEST_F(Args, UnknownFlagsHaveASuggestion) {
  expect_refused(run_with({"--log-levle", "info"}), "did you mean --log-level?");
  expect_refused(run_with({"--workers=2", "--admn=127.0.0.1:1"}), "did you mean --admin?");
  const Invocation out = run_with({"extra"});
  expect_refused(out, "not expected: extra");
  EXPECT_THAT(out.output, testing::Not(HasSubstr("did you mean")));
}

TEST_F(Args, StarttlsIsAScheme) {
  const auto pem = file("a.pem", "x");
  const std::vector<const char*> both = {"--listen", "imap+starttls://127.0.0.1:143", "--upstream",
                                         "imap+starttls://mail.example.org:143"};
  auto given = both;
  given.insert(given.end(), {"--self-signed", "--upstream-ca", pem.c_str()});
  const Invocation out = run(given);
  ASSERT_EQ(out.action, Action::run) << out.output;
  EXPECT_EQ(out.config.listeners[0].tls, Tls::starttls);
  EXPECT_TRUE(out.config.listeners[0].self_signed);
  EXPECT_EQ(out.config.upstreams[0].tls, Tls::starttls);
  expect_refused(run(both), "--listen: an imap+starttls:// listener needs certificates or self_signed");
}

TEST_F(Args, ContradictionsAreErrors) {
  const auto pem = file("a.pem", "x");
  const auto tls = [&](std::vector<const char*> more) {
    more.insert(more.end(), {"--listen", "imaps://127.0.0.1:1", "--upstream", "imaps://mail.example.org:993"});
    return run(more);
  };
  expect_refused(tls({"--cert", pem.c_str()}), "--cert: each --cert needs its --key");
  expect_refused(tls({"--self-signed", "--key", pem.c_str()}), "each --cert needs its --key");
  expect_refused(tls({"--self-signed", "--cert", pem.c_str(), "--key", pem.c_str()}),
                 "--self-signed: there are certificates already");
  expect_refused(
      tls({"--self-signed", "--upstream-ca", pem.c_str(), "--upstream-insecure-skip-certificate-verification"}),
      "--upstream-insecure-skip-certificate-verification: contradicts ca");
  expect_refused(run_with({"--self-signed"}), "--self-signed: there is no imaps:// or imap+starttls:// listener");
  expect_refused(run_with({"--cert", pem.c_str(), "--key", pem.c_str()}),
                 "--cert: there is no imaps:// or imap+starttls:// listener");
  expect_refused(run_with({"--upstream-ca", pem.c_str()}), "--upstream-ca: an imap:// upstream has no TLS");
  expect_refused(run_with({"--check", "--print-config"}), "excludes");
}

TEST_F(Args, PlaintextUpstreams) {
  const auto upstream = [](std::vector<const char*> more) {
    more.insert(more.end(), {"--listen", "imap://127.0.0.1:1", "--upstream", "imap://192.0.2.1:143"});
    return run(more);
  };
  expect_refused(upstream({}), "--allow-plaintext-upstream");
  EXPECT_EQ(upstream({"--allow-plaintext-upstream"}).action, Action::run);
}

TEST_F(Args, UnreadableFilesAreNamed) {
  expect_refused(run({"--listen", "imaps://127.0.0.1:1", "--upstream", "imap://127.0.0.1:1", "--cert", "/nonexistent/c",
                      "--key", "/nonexistent/k"}),
                 "--cert: /nonexistent/c: No such file or directory\nimapmeter: --key: /nonexistent/k: No such file");
}

TEST_F(Args, TheEnvironmentFillsWhatFlagsDoNotSay) {
  set("IMAPMETER_LISTEN", "imaps://127.0.0.1:1,imap://127.0.0.1:2");
  set("IMAPMETER_SELF_SIGNED", "true");
  set("IMAPMETER_UPSTREAM", "imap://192.0.2.1:143");
  set("IMAPMETER_ALLOW_PLAINTEXT_UPSTREAM", "true");
  set("IMAPMETER_WORKERS", "3");
  const Invocation out = run({"--workers", "5"});
  ASSERT_EQ(out.action, Action::run) << out.output;
  EXPECT_EQ(out.config.listeners.size(), 2U);
  EXPECT_TRUE(out.config.listeners[0].self_signed);
  EXPECT_EQ(out.config.listeners[0].self_signed_dir, "");
  EXPECT_TRUE(out.config.upstreams.at(0).allow_plaintext);
  EXPECT_EQ(out.config.workers, 5U);
  EXPECT_EQ(run({}).config.workers, 3U);
}

TEST_F(Args, ErrorsNameTheVariable) {
  set("IMAPMETER_WORKERS", "many");
  expect_refused(run_with({}), "IMAPMETER_WORKERS: expected a whole number");
  set("IMAPMETER_ADMIN", "x");
  set("IMAPMETER_WORKERS", "1");
  expect_refused(run_with({}), "IMAPMETER_ADMIN: expected ADDRESS:PORT");
  expect_refused(run_with({"--admin=y"}), "--admin: expected ADDRESS:PORT");
  set("IMAPMETER_ADMIN", "");  // empty: as if it were not set
  EXPECT_EQ(run_with({}).config.admin, "127.0.0.1:19143");
  set("IMAPMETER_ALLOW_PLAINTEXT_UPSTREAM", "maybe");
  expect_refused(run_with({}), "allow-plaintext-upstream");
}

TEST_F(Args, FlagsOverrideTheFile) {
  const auto path =
      file("f.yaml",
           std::string(minimal) + "workers: 1\nadmin: none\ntimeouts: {drain: 1s, stall: 2s}\nlog: {level: error}\n");
  const Invocation plain = run({"--config", path.c_str()});
  ASSERT_EQ(plain.action, Action::run) << plain.output;
  EXPECT_EQ(plain.config, load(path).config);
  const Invocation out = run({"--config", path.c_str(), "--workers", "2", "--admin", "127.0.0.1:0", "--metrics",
                              "127.0.0.1:0", "--drain-timeout", "9s", "--log-level", "debug"});
  ASSERT_EQ(out.action, Action::run) << out.output;
  EXPECT_EQ(out.config.workers, 2U);
  EXPECT_EQ(out.config.admin, "127.0.0.1:0");
  EXPECT_EQ(out.config.metrics, "127.0.0.1:0");
  EXPECT_EQ(out.config.timeouts.drain, 9s);
  EXPECT_EQ(out.config.timeouts.stall, 2s);
  EXPECT_EQ(out.config.log_level, LogLevel::debug);
  expect_refused(run({"--config", path.c_str(), "--admin", "x"}), "imapmeter: --admin: expected");
  set("IMAPMETER_CONFIG", path);
  EXPECT_EQ(run({}).config.workers, 1U);
}

TEST_F(Args, ListenersAndUpstreamsAreInTheFileAlone) {
  const auto path = file("f.yaml", minimal);
  for (const char* name :
       {"--listen", "--cert", "--key", "--self-signed", "--upstream", "--upstream-ca", "--capabilities", "--observe"}) {
    expect_refused(run({"--config", path.c_str(), name, "x"}), std::string(name) + ": with --config");
  }
  for (const char* name : {"--allow-plaintext-upstream", "--upstream-insecure-skip-certificate-verification"}) {
    expect_refused(run({"--config", path.c_str(), name}), std::string(name) + ": with --config");
  }
  set("IMAPMETER_UPSTREAM", "imap://127.0.0.1:1");
  expect_refused(run({"--config", path.c_str()}), "IMAPMETER_UPSTREAM: with --config");
}

TEST_F(Args, CheckSaysOkOrEveryErrorWithItsLine) {
  const auto good = file("good.yaml", std::string(minimal) + "admin: 0.0.0.0:1\n");
  const Invocation ok = run({"--config", good.c_str(), "--check"});
  EXPECT_EQ(ok.action, Action::check);
  EXPECT_EQ(ok.status, 0);
  EXPECT_THAT(ok.output, testing::StartsWith("warning: " + good + ":3: admin: 0.0.0.0:1 is not loopback"));
  EXPECT_THAT(ok.output, testing::EndsWith("\nok\n"));
  EXPECT_THAT(ok.warnings, ElementsAre(HasSubstr("not loopback")));

  const auto bad = file(
      "bad.yaml",
      "listeners:\n  - bind: imaps://127.0.0.1:0\n    upstream: nope\n    certificates:\n"
      "      - cert: /nonexistent/c\n        key: /nonexistent/k\nupstreams:\n  - servers: [imap://192.0.2.1:1]\n");
  const Invocation refused = run({"--config", bad.c_str(), "--check"});
  expect_refused(refused, bad + ":3: listeners[0].upstream: there is no upstream called \"nope\"");
  expect_refused(refused, bad + ":8: upstreams[0].servers[0]: imap://");
  const auto files = file(
      "files.yaml",
      "listeners:\n  - bind: imaps://127.0.0.1:0\n    certificates:\n"
      "      - cert: /nonexistent/c\n        key: /nonexistent/k\nupstreams:\n  - servers: [imap://127.0.0.1:1]\n");
  expect_refused(run({"--config", files.c_str(), "--check"}),
                 files + ":5: listeners[0].certificates[0].key: /nonexistent/k: No such file");
  expect_refused(run({"--config", "/nonexistent/f.yaml", "--check"}), "/nonexistent/f.yaml: No such file or directory");
}

TEST_F(Args, PrintConfigLoadsAgainToTheSameConfig) {
  const Invocation out =
      run({"--listen", "imaps://[::1]:1", "--listen", "imap://127.0.0.1:2", "--self-signed", "/a b", "--upstream",
           "imap://127.0.0.1:3", "--metrics", "127.0.0.1:0", "--drain-timeout", "1500ms", "--print-config"});
  ASSERT_EQ(out.action, Action::print_config) << out.output;
  const Loaded again = load_text(out.output, "printed.yaml");
  EXPECT_THAT(again.errors, IsEmpty());
  EXPECT_EQ(again.config, out.config);
  EXPECT_EQ(again.config.listeners.size(), 2U);
}

TEST_F(Args, HelpAndVersion) {
  const Invocation version = run({"--version"});
  EXPECT_EQ(version.action, Action::exit);
  EXPECT_EQ(version.status, 0);
  EXPECT_THAT(version.output, testing::MatchesRegex("imapmeter [0-9.]+\n"));
  const Invocation help = run({"--help"});
  EXPECT_EQ(help.status, 0);
  for (const char* name : {"--listen",
                           "--cert",
                           "--key",
                           "--self-signed",
                           "--upstream",
                           "--upstream-ca",
                           "--upstream-insecure-skip-certificate-verification",
                           "--allow-plaintext-upstream",
                           "--admin",
                           "--metrics",
                           "--capabilities",
                           "--observe",
                           "--log-client-address",
                           "--workers",
                           "--user",
                           "--log-level",
                           "--drain-timeout",
                           "--config",
                           "--check",
                           "--print-config",
                           "--version",
                           "--help"}) {
    EXPECT_THAT(help.output, HasSubstr(name));
  }
}

}  // namespace
}  // namespace imapmeter::config
