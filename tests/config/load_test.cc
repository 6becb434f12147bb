#include "config/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "config/scalars.h"
#include "config/validate.h"

namespace imapmeter::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;
using namespace std::chrono_literals;

constexpr const char* minimal = R"(listeners:
  - bind: imaps://127.0.0.1:1993
    self_signed: true
upstreams:
  - servers: [imap://127.0.0.1:10143]
)";

std::vector<std::string> errors_of(const std::string& text) { return load_text(text, "f.yaml").errors; }

TEST(Load, AMinimalFileHasTheDefaults) {
  const Loaded loaded = load_text(minimal, "f.yaml");
  ASSERT_THAT(loaded.errors, IsEmpty());
  Config expected;
  expected.listeners.push_back({.binds = {{"127.0.0.1", 1993}}, .self_signed = true});
  expected.upstreams.push_back({.tls = Tls::none, .servers = {{"127.0.0.1", 10143}}});
  EXPECT_EQ(loaded.config, expected);
}

TEST(Load, TheDocumentedFileSaysTheDefaults) {
  const Loaded loaded = load(IMAPMETER_SOURCE_DIR "/config/imapmeter.yaml");
  ASSERT_THAT(loaded.errors, IsEmpty());
  EXPECT_THAT(validate(loaded.config), IsEmpty());
  Config expected;
  expected.listeners.push_back(
      {.binds = {{"0.0.0.0", 993}}, .certificates = {{"/etc/imapmeter/cert.pem", "/etc/imapmeter/key.pem"}}});
  expected.upstreams.push_back({.servers = {{"mail.example.org", 993}}});
  EXPECT_EQ(loaded.config, expected);
}

// Each key of a file that loads to the same Config is in the documented file, comments included.
TEST(Load, TheDocumentedFileHasEveryKey) {
  std::ifstream file(IMAPMETER_SOURCE_DIR "/config/imapmeter.yaml");
  std::stringstream documented;
  documented << file.rdbuf();
  Config all = load_text(documented.str(), "f.yaml").config;
  all.metrics = "127.0.0.1:1";
  all.user = "imapmeter";
  all.upstreams.front().ca = "ca.pem";
  all.upstreams.front().sources = {"192.0.2.1"};
  all.listeners.front().proxy_protocol = {*parse_network("10.0.0.0/8")};
  all.listeners.front().trusted_networks = {*parse_network("10.0.0.5")};
  std::istringstream lines(to_yaml(all));
  int keys = 0;
  for (std::string line; std::getline(lines, line);) {
    const auto start = line.find_first_not_of(" -");
    const auto colon = line.find(':', start);
    if (colon == std::string::npos || line[start] == '"') continue;
    ++keys;
    EXPECT_THAT(documented.str(), HasSubstr(line.substr(start, colon - start + 1))) << line;
  }
  EXPECT_EQ(keys, 54);
}

TEST(Load, EveryKeySetsItsField) {
  const Loaded loaded = load_text(R"(
listeners:
  - name: a
    bind: imaps://[::]:993
    certificates: [{cert: c1, key: k1}, {cert: c2, key: k2}]
    upstream: u
    capabilities: pass
  - {name: b, bind: ["imap://127.0.0.1:0", "imap://unix:/run/b"], upstream: u, observe: off,
     proxy_protocol: [10.0.0.0/8, "2001:db8::/32"], trusted_networks: [192.0.2.7]}
  - {name: c, bind: "imaps://127.0.0.1:0", upstream: u, self_signed: /var/lib/x}
upstreams:
  - name: u
    servers: [imaps://mail.example.org:993, imaps://mail2.example.org:993]
    ca: ca.pem
    insecure_skip_certificate_verification: true
    allow_plaintext: true
    balance: failover
    any_server_serves_any_user: true
    proxy_protocol: true
    source: [192.0.2.1, "2001:db8::1"]
    health_check: {interval: 1s, timeout: 2s, rise: 3, fall: 4}
admin: unix:/run/admin
metrics: 0.0.0.0:9143
user: imapmeter
workers: 8
timeouts: {handshake: 1s, connect: 2s, greeting: 3s, preauth: 5s, idle: 31min, stall: 4min, half_close: 500ms,
           drain: 1h, keepalive: 6s}
limits: {sessions: 1, sessions_per_network: 2, sessions_per_upstream: 3, handshakes: 4, handshakes_per_second: 5,
         inflated_sessions: 7, relay_buffers: 6MiB, memory: 1GiB}
log: {level: debug, sessions: false, client_address: hashed}
)",
                                  "f.yaml");
  ASSERT_THAT(loaded.errors, IsEmpty());
  Config expected;
  expected.listeners = {{.name = "a",
                         .binds = {{"::", 993}},
                         .certificates = {{"c1", "k1"}, {"c2", "k2"}},
                         .upstream = "u",
                         .capabilities = Capabilities::pass},
                        {.name = "b",
                         .tls = Tls::none,
                         .binds = {{"127.0.0.1", 0}, {.path = "/run/b"}},
                         .upstream = "u",
                         .proxy_protocol = {*parse_network("10.0.0.0/8"), *parse_network("2001:db8::/32")},
                         .trusted_networks = {*parse_network("192.0.2.7")},
                         .observe = false},
                        {.name = "c",
                         .binds = {{"127.0.0.1", 0}},
                         .self_signed = true,
                         .self_signed_dir = "/var/lib/x",
                         .upstream = "u"}};
  expected.upstreams = {{.name = "u",
                         .servers = {{"mail.example.org", 993}, {"mail2.example.org", 993}},
                         .ca = "ca.pem",
                         .insecure_skip_certificate_verification = true,
                         .allow_plaintext = true,
                         .balance = Balance::failover,
                         .any_server_serves_any_user = true,
                         .proxy_protocol = true,
                         .sources = {"192.0.2.1", "2001:db8::1"},
                         .health_check = {.interval = 1s, .timeout = 2s, .rise = 3, .fall = 4}}};
  expected.admin = "unix:/run/admin";
  expected.metrics = "0.0.0.0:9143";
  expected.user = "imapmeter";
  expected.workers = 8;
  expected.timeouts = {.handshake = 1s,
                       .connect = 2s,
                       .greeting = 3s,
                       .preauth = 5s,
                       .idle = 31min,
                       .stall = 4min,
                       .keepalive = 6s,
                       .half_close = 500ms,
                       .drain = 1h};
  expected.limits = {.sessions = 1,
                     .sessions_per_network = 2,
                     .sessions_per_upstream = 3,
                     .handshakes = 4,
                     .handshakes_per_second = 5,
                     .inflated_sessions = 7,
                     .relay_buffers = 6 << 20,
                     .memory = 1 << 30};
  expected.log_level = LogLevel::debug;
  expected.log_sessions = false;
  expected.log_client_address = ClientAddress::hashed;
  EXPECT_EQ(loaded.config, expected);

  const Loaded again = load_text(to_yaml(loaded.config), "printed.yaml");
  EXPECT_THAT(again.errors, IsEmpty());
  EXPECT_EQ(again.config, loaded.config);
}

TEST(Load, PrintedTextIsQuoted) {
  Config config = load_text(minimal, "f.yaml").config;
  config.listeners.front().self_signed_dir = "a: \"b\" # c\n\ttrue";
  config.upstreams.front().ca = "0143";
  const Loaded again = load_text(to_yaml(config), "printed.yaml");
  EXPECT_THAT(again.errors, IsEmpty());
  EXPECT_EQ(again.config, config);
}

// A certificate without files is validate()'s to refuse.
TEST(Load, WhatIsEmptyIsNotPrinted) {
  Config config = load_text(minimal, "f.yaml").config;
  config.listeners.front().certificates = {{}};
  const Loaded again = load_text(to_yaml(config), "printed.yaml");
  EXPECT_THAT(again.errors, IsEmpty());
  EXPECT_EQ(again.config, config);
}

TEST(Load, UnknownKeysAreErrorsWithTheirLine) {
  EXPECT_THAT(errors_of("workerz: 2\n"), ElementsAre("f.yaml:1: workerz: unknown key; did you mean workers?"));
  EXPECT_THAT(errors_of("workers: 2\nlog:\n  file: x\n"),
              ElementsAre("f.yaml:3: log.file: unknown key; expected one of level, sessions, client_address"));
  EXPECT_THAT(errors_of("listeners:\n  - name: a\n    self-signed: true\n"),
              ElementsAre("f.yaml:3: listeners[0].self-signed: unknown key; did you mean self_signed?"));
  EXPECT_THAT(errors_of("upstreams:\n  - name: a\n  - alow_plaintext: true\n"),
              ElementsAre("f.yaml:3: upstreams[1].alow_plaintext: unknown key; did you mean allow_plaintext?"));
}

TEST(Load, DuplicateKeysAreErrorsAtEveryLevel) {
  EXPECT_THAT(errors_of("workers: 2\nadmin: none\nworkers: 2\n"), ElementsAre("f.yaml:3: workers: duplicate key"));
  EXPECT_THAT(errors_of("timeouts:\n  drain: 1s\n  drain: 2s\n"),
              ElementsAre("f.yaml:3: timeouts.drain: duplicate key"));
  EXPECT_THAT(errors_of("listeners:\n  - name: a\n    \"name\": b\n"),
              ElementsAre("f.yaml:3: listeners[0].name: duplicate key"));
}

TEST(Load, AllErrorsOfAFileAreReported) {
  EXPECT_THAT(errors_of("workers: 65\nadmni: none\nlog: {level: loud}\ntimeouts:\n  drain: 10\n"),
              ElementsAre("f.yaml:1: workers: expected a whole number from 0 to 64, got \"65\"",
                          "f.yaml:2: admni: unknown key; did you mean admin?",
                          "f.yaml:3: log.level: expected trace, debug, info, warn, error or off, got \"loud\"",
                          StartsWith("f.yaml:5: timeouts.drain: expected a whole number with ms, s, min or h")));
}

TEST(Load, OctalIsNotGuessed) {
  EXPECT_THAT(errors_of("workers: 010\n"), ElementsAre(HasSubstr("f.yaml:1: workers: expected a whole number")));
  EXPECT_THAT(errors_of("listeners:\n  - bind: imap://127.0.0.1:0143\n"),
              ElementsAre(HasSubstr("f.yaml:2: listeners[0].bind: expected imaps://HOST:PORT")));
}

TEST(Load, WrongShapes) {
  EXPECT_THAT(errors_of("- a\n"), ElementsAre("f.yaml:1: expected a mapping (key: value)"));
  EXPECT_THAT(errors_of("\njust text\n"), ElementsAre("f.yaml:2: expected a mapping (key: value)"));
  EXPECT_THAT(errors_of("listeners: x\n"), ElementsAre("f.yaml:1: listeners: expected a list (- ...)"));
  EXPECT_THAT(errors_of("listeners: [x]\n"), ElementsAre("f.yaml:1: listeners[0]: expected a mapping (key: value)"));
  EXPECT_THAT(errors_of("upstreams:\n  - servers: {a: b}\n"),
              ElementsAre(HasSubstr("upstreams[0].servers: expected imaps://HOST:PORT")));
  EXPECT_THAT(errors_of("workers:\n"),
              ElementsAre(HasSubstr("f.yaml:1: workers: expected a whole number from 0 to 64, got nothing")));
  EXPECT_THAT(errors_of("workers: [1]\n"), ElementsAre(HasSubstr("got a list")));
  EXPECT_THAT(errors_of("admin: {a: b}\n"), ElementsAre(HasSubstr("got a mapping")));
  EXPECT_THAT(errors_of("admin: ''\n"), ElementsAre(HasSubstr("got nothing")));
  EXPECT_THAT(errors_of("metrics: \xff:1\n"), ElementsAre(HasSubstr("got what is not UTF-8")));
  EXPECT_THAT(errors_of("? [a]\n: b\n"), ElementsAre(HasSubstr("a key must be a word")));
  EXPECT_THAT(errors_of("listeners:\n  - self_signed: yes\n"),
              ElementsAre(HasSubstr("expected true, false or a directory, got \"yes\"")));
}

TEST(Load, OneValueWhereAListIsMeant) {
  const Loaded loaded = load_text("upstreams:\n  - servers: imap://127.0.0.1:1\n", "f.yaml");
  EXPECT_THAT(loaded.errors, IsEmpty());
  EXPECT_THAT(loaded.config.upstreams.at(0).servers, ElementsAre(Address{"127.0.0.1", 1}));
}

TEST(Load, EachBadItemOfAListIsNamed) {
  EXPECT_THAT(errors_of("listeners:\n  - proxy_protocol:\n    - 10.0.0.0/8\n    - 10.0.0.1/8\n"),
              ElementsAre(HasSubstr("f.yaml:4: listeners[0].proxy_protocol[1]: expected an address or a network")));
}

TEST(Load, ServersOfOneUpstreamShareTheScheme) {
  EXPECT_THAT(errors_of("upstreams:\n  - servers:\n      - imap://127.0.0.1:1\n      - imaps://127.0.0.1:2\n"),
              ElementsAre(HasSubstr("f.yaml:4: upstreams[0].servers[1]: expected imap:// like the first of these")));
}

TEST(Load, SchemesSayWhetherThereIsTls) {
  const Loaded loaded = load_text(
      "listeners: [{bind: 'imap+starttls://127.0.0.1:143', self_signed: true}]\n"
      "upstreams: [{servers: ['imap+starttls://127.0.0.1:1']}]\n",
      "f.yaml");
  ASSERT_THAT(loaded.errors, IsEmpty());
  EXPECT_EQ(loaded.config.listeners[0].tls, Tls::starttls);
  EXPECT_EQ(loaded.config.upstreams[0].tls, Tls::starttls);
  EXPECT_EQ(load_text(to_yaml(loaded.config), "g.yaml").config, loaded.config);
}

TEST(Load, WhatIsNotYamlIsAnErrorWithItsLine) {
  EXPECT_THAT(errors_of("workers: 2\nadmin: [\n"), ElementsAre(StartsWith("f.yaml:")));
  EXPECT_THAT(errors_of("a: b: c\n"), ElementsAre(StartsWith("f.yaml:1: not YAML: ")));
  EXPECT_THAT(errors_of(""), ElementsAre("f.yaml: the file is empty"));
  EXPECT_THAT(errors_of("# only a comment\n"), ElementsAre("f.yaml: the file is empty"));
  EXPECT_THAT(errors_of("workers: 1\n---\nworkers: 2\n"), ElementsAre("f.yaml: more than one YAML document"));
  for (const std::string stray : {",", ",,\n"}) {
    EXPECT_THAT(errors_of(stray), ElementsAre("f.yaml: more than one YAML document")) << stray;
  }
}

TEST(Load, ErrorsFitOnOneLine) {
  EXPECT_THAT(errors_of("\"a\\nb\": 1\n"), ElementsAre(StartsWith("f.yaml:1: a?b: unknown key")));
  EXPECT_THAT(errors_of("workers: \"\\\x01\"\n"), ElementsAre("f.yaml:1: not YAML: unknown escape character: ?"));
}

TEST(Load, UnreadableFiles) {
  EXPECT_THAT(load("/nonexistent/f.yaml").errors, ElementsAre("/nonexistent/f.yaml: No such file or directory"));
  EXPECT_THAT(load("/").errors, ElementsAre("/: Is a directory"));
}

}  // namespace
}  // namespace imapmeter::config
