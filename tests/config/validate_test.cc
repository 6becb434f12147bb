#include "config/validate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "config/scalars.h"

namespace imapmeter::config {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using namespace std::chrono_literals;

Config valid() {
  Config config;
  config.listeners.push_back({.binds = {{"127.0.0.1", 1993}}, .self_signed = true});
  config.upstreams.push_back({.tls = Tls::none, .servers = {{"127.0.0.1", 10143}}});
  return config;
}

auto problem(const std::string& key, const std::string& why) {
  return AllOf(Field(&Problem::key, key), Field(&Problem::why, HasSubstr(why)));
}

// What is wrong once `change` has been made to a valid Config.
template <typename Change>
std::vector<Problem> after(Change change) {
  Config config = valid();
  change(config);
  return validate(config);
}

TEST(Validate, AValidConfigHasNoProblem) { EXPECT_THAT(validate(valid()), IsEmpty()); }

TEST(Validate, AnEmptyConfig) {
  EXPECT_THAT(validate(Config{}),
              ElementsAre(problem("listeners", "at least one"), problem("upstreams", "at least one")));
}

TEST(Validate, NamesAreUniqueAndLabelSafe) {
  for (const std::string bad : {"", "a b", "a\"b", "a\nb", "\xc3\xa9", "a/b", "a{b"}) {
    EXPECT_THAT(after([&](Config& c) { c.listeners[0].name = bad; }),
                ElementsAre(problem("listeners[0].name", "letters")))
        << bad;
  }
  EXPECT_THAT(after([](Config& c) { c.listeners[0].name = std::string(65, 'a'); }),
              ElementsAre(problem("listeners[0].name", "1 to 64")));
  EXPECT_THAT(after([](Config& c) { c.listeners[0].name = std::string(64, 'a'); }), IsEmpty());
  EXPECT_THAT(after([](Config& c) { c.listeners[0].name = "all"; }), ElementsAre(problem("listeners[0].name", "all")));
  EXPECT_THAT(after([](Config& c) {
                c.listeners.push_back(c.listeners[0]);
                c.listeners[1].binds[0].port = 0;
              }),
              ElementsAre(problem("listeners[1].name", "already one called \"default\"")));
  EXPECT_THAT(after([](Config& c) { c.upstreams.push_back(c.upstreams[0]); }),
              ElementsAre(problem("upstreams[1].name", "already one called \"default\"")));
}

TEST(Validate, EveryListenersUpstreamExists) {
  EXPECT_THAT(after([](Config& c) { c.listeners[0].upstream = "other"; }),
              ElementsAre(problem("listeners[0].upstream", "no upstream called \"other\"")));
}

TEST(Validate, BindIsAnAddressOfThisMachine) {
  EXPECT_THAT(after([](Config& c) { c.listeners[0].binds = {}; }),
              ElementsAre(problem("listeners[0].bind", "missing")));
  EXPECT_THAT(after([](Config& c) { c.listeners[0].binds[0].host = "mail.example.org"; }),
              ElementsAre(problem("listeners[0].bind", "address of this machine")));
  for (const std::string good : {"0.0.0.0", "::", "192.0.2.1", "localhost"}) {
    EXPECT_THAT(after([&](Config& c) { c.listeners[0].binds[0].host = good; }), IsEmpty()) << good;
  }
}

TEST(Validate, NoAddressIsBoundTwice) {
  EXPECT_THAT(after([](Config& c) { c.admin = "127.0.0.1:1993"; }), ElementsAre(problem("admin", "already taken")));
  EXPECT_THAT(after([](Config& c) { c.metrics = c.admin; }), ElementsAre(problem("metrics", "already taken")));
  EXPECT_THAT(after([](Config& c) { c.admin = c.metrics = "127.0.0.1:0"; }), IsEmpty());
}

TEST(Validate, ImapsNeedsOneKindOfCertificate) {
  EXPECT_THAT(after([](Config& c) { c.listeners[0].self_signed = false; }),
              ElementsAre(problem("listeners[0]", "needs certificates or self_signed")));
  EXPECT_THAT(after([](Config& c) {
                c.listeners[0].certificates = {{"c", "k"}};
              }),
              ElementsAre(problem("listeners[0].self_signed", "one or the other")));
  EXPECT_THAT(after([](Config& c) {
                c.listeners[0].self_signed = false;
                c.listeners[0].certificates = {{"c", "k"}, {"", ""}};
              }),
              ElementsAre(problem("listeners[0].certificates[1].cert", "missing"),
                          problem("listeners[0].certificates[1].key", "missing")));
}

TEST(Validate, ImapHasNoCertificate) {
  EXPECT_THAT(
      after([](Config& c) {
        c.listeners[0].tls = Tls::none;
        c.listeners[0].certificates = {{"c", "k"}};
      }),
      ElementsAre(problem("listeners[0].certificates", "no TLS"), problem("listeners[0].self_signed", "no TLS")));
}

TEST(Validate, StarttlsIsTls) {
  EXPECT_THAT(after([](Config& c) {
                c.listeners[0].tls = Tls::starttls;
                c.upstreams[0].tls = Tls::starttls;
                c.upstreams[0].servers[0].host = "mail.example.org";
                c.upstreams[0].ca = "x";
              }),
              IsEmpty());
  EXPECT_THAT(after([](Config& c) {
                c.listeners[0].tls = Tls::starttls;
                c.listeners[0].self_signed = false;
              }),
              ElementsAre(problem("listeners[0]", "imap+starttls:// listener needs certificates")));
  EXPECT_THAT(after([](Config& c) {
                c.upstreams[0].tls = Tls::starttls;
                c.upstreams[0].servers[0] = {.path = "/run/imap"};
              }),
              ElementsAre(problem("upstreams[0].servers[0]", "no name to verify")));
}

TEST(Validate, PlaintextLeavesTheMachineOnlyIfAllowed) {
  for (const std::string host : {"127.0.0.1", "127.9.9.9", "::1", "localhost"}) {
    EXPECT_THAT(after([&](Config& c) { c.upstreams[0].servers[0].host = host; }), IsEmpty()) << host;
  }
  for (const std::string host : {"192.0.2.1", "mail.example.org", "0.0.0.0"}) {
    EXPECT_THAT(after([&](Config& c) { c.upstreams[0].servers[0].host = host; }),
                ElementsAre(problem("upstreams[0].servers[0]", "unprotected")))
        << host;
    EXPECT_THAT(after([&](Config& c) {
                  c.upstreams[0].servers[0].host = host;
                  c.upstreams[0].allow_plaintext = true;
                }),
                IsEmpty());
    EXPECT_THAT(after([&](Config& c) {
                  c.upstreams[0].servers[0].host = host;
                  c.upstreams[0].tls = Tls::implicit;
                }),
                IsEmpty());
  }
}

TEST(Validate, Upstreams) {
  EXPECT_THAT(after([](Config& c) { c.upstreams[0].servers.clear(); }),
              ElementsAre(problem("upstreams[0].servers", "at least one")));
  const auto servers = [](std::size_t count) {
    return [count](Config& c) {
      for (std::size_t i = c.upstreams[0].servers.size(); i < count; ++i)
        c.upstreams[0].servers.push_back({"127.0.0.1", static_cast<std::uint16_t>(1000 + i)});
    };
  };
  EXPECT_THAT(after(servers(most_servers)), IsEmpty());
  EXPECT_THAT(after(servers(most_servers + 1)), ElementsAre(problem("upstreams[0].servers", "at most 64, got 65")));
  EXPECT_THAT(after([](Config& c) { c.upstreams[0].health_check.interval = 0ms; }), IsEmpty());
  EXPECT_THAT(after([](Config& c) { c.upstreams[0].servers.push_back({"127.0.0.1", 2}); }), IsEmpty());
  EXPECT_THAT(after([](Config& c) { c.upstreams[0].servers.push_back(c.upstreams[0].servers[0]); }),
              ElementsAre(problem("upstreams[0].servers[1]", "there already")));
  EXPECT_THAT(after([](Config& c) { c.upstreams[0].servers[0] = {.path = "/run/imap"}; }), IsEmpty());
  EXPECT_THAT(after([](Config& c) {
                c.upstreams[0].tls = Tls::implicit;
                c.upstreams[0].servers[0] = {.path = "/run/imap"};
              }),
              ElementsAre(problem("upstreams[0].servers[0]", "no name to verify")));
  EXPECT_THAT(after([](Config& c) {
                c.upstreams[0].sources = {"127.0.0.2", "mail.example.org"};
              }),
              ElementsAre(problem("upstreams[0].source[1]", "an IPv4 or IPv6 address")));
  EXPECT_THAT(
      after([](Config& c) { c.upstreams[0].health_check = {.interval = 99ms, .timeout = 0ms, .rise = 0, .fall = 0}; }),
      ElementsAre(problem("upstreams[0].health_check.interval", "at least 100ms"),
                  problem("upstreams[0].health_check.timeout", "more than 0"),
                  problem("upstreams[0].health_check.rise", "1 to 100"),
                  problem("upstreams[0].health_check.fall", "1 to 100")));
  EXPECT_THAT(after([](Config& c) { c.upstreams[0].servers[0].port = 0; }),
              ElementsAre(problem("upstreams[0].servers[0]", "port 0")));
  EXPECT_THAT(after([](Config& c) { c.upstreams[0].ca = "x"; }), ElementsAre(problem("upstreams[0].ca", "no TLS")));
  EXPECT_THAT(after([](Config& c) { c.upstreams[0].insecure_skip_certificate_verification = true; }),
              ElementsAre(problem("upstreams[0].insecure_skip_certificate_verification", "no certificate")));
  EXPECT_THAT(after([](Config& c) {
                c.upstreams[0].tls = Tls::implicit;
                c.upstreams[0].ca = "x";
                c.upstreams[0].insecure_skip_certificate_verification = true;
              }),
              ElementsAre(problem("upstreams[0].insecure_skip_certificate_verification", "contradicts ca")));
}

TEST(Validate, HttpAddresses) {
  for (const std::string good : {"none", "unix:/run/imapmeter/admin", "[::1]:0", "0.0.0.0:80", "localhost:0"}) {
    EXPECT_THAT(after([&](Config& c) { c.admin = good; }), IsEmpty()) << good;
  }
  const std::string long_path = "unix:/" + std::string(107, 'a');
  for (const std::string bad :
       {"", "19143", "unix:", "unix:run", "imap://127.0.0.1:1", "127.0.0.1", long_path.c_str()}) {
    EXPECT_THAT(after([&](Config& c) { c.admin = bad; }),
                ElementsAre(problem("admin", "expected ADDRESS:PORT, unix:/PATH or none")))
        << bad;
  }
  EXPECT_THAT(after([](Config& c) { c.admin = "mail.example.org:1"; }),
              ElementsAre(problem("admin", "address of this machine")));
  for (const std::string bad : {"none", "unix:/run/x", "9143"}) {
    EXPECT_THAT(after([&](Config& c) { c.metrics = bad; }),
                ElementsAre(problem("metrics", "expected ADDRESS:PORT, got")))
        << bad;
  }
}

TEST(Validate, Ranges) {
  EXPECT_THAT(after([](Config& c) { c.workers = 64; }), IsEmpty());
  EXPECT_THAT(after([](Config& c) { c.workers = 65; }), ElementsAre(problem("workers", "0 to 64")));
  const std::pair<const char*, milliseconds Timeouts::*> timeouts[] = {
      {"handshake", &Timeouts::handshake}, {"connect", &Timeouts::connect},       {"greeting", &Timeouts::greeting},
      {"stall", &Timeouts::stall},         {"half_close", &Timeouts::half_close}, {"drain", &Timeouts::drain}};
  for (const auto& timeout : timeouts) {
    const auto key = std::string("timeouts.") + timeout.first;
    const auto field = timeout.second;
    EXPECT_THAT(after([&](Config& c) { c.timeouts.*field = 0ms; }), ElementsAre(problem(key, "more than 0")));
    EXPECT_THAT(after([&](Config& c) { c.timeouts.*field = 168h + 1ms; }), ElementsAre(problem(key, "at most 168h")));
    EXPECT_THAT(after([&](Config& c) { c.timeouts.*field = 168h; }), IsEmpty());
    EXPECT_THAT(after([&](Config& c) { c.timeouts.*field = 1ms; }), IsEmpty());
  }
}

// FAULTS G6: a healthy session is never closed for being silent.
TEST(Validate, NoSilenceThatAClientMayKeepIsCut) {
  EXPECT_THAT(after([](Config& c) { c.timeouts.idle = 31min - 1ms; }),
              ElementsAre(problem("timeouts.idle", "at least 31min")));
  EXPECT_THAT(after([](Config& c) { c.timeouts.idle = 31min; }), IsEmpty());
  EXPECT_THAT(after([](Config& c) { c.timeouts.keepalive = 999ms; }),
              ElementsAre(problem("timeouts.keepalive", "at least 1s")));
}

TEST(Validate, Limits) {
  EXPECT_THAT(after([](Config& c) { c.limits.relay_buffers = (16 << 20) - 1; }),
              ElementsAre(problem("limits.relay_buffers", "at least 16MiB")));
  EXPECT_THAT(after([](Config& c) { c.limits.relay_buffers = 16 << 20; }), IsEmpty());
  EXPECT_THAT(after([](Config& c) { c.limits.memory = (32 << 20) - 1; }),
              ElementsAre(problem("limits.memory", "0 or at least 32MiB")));
  EXPECT_THAT(after([](Config& c) { c.limits.memory = 32 << 20; }), IsEmpty());
}

TEST(Validate, AddressesOfAListener) {
  EXPECT_THAT(after([](Config& c) {
                c.listeners[0].binds.push_back({"127.0.0.1", 1994});
                c.listeners[0].binds.push_back({.path = "/run/imap"});
              }),
              IsEmpty());
  EXPECT_THAT(after([](Config& c) {
                c.listeners[0].binds = {{.path = "/run/imap"}, {.path = "/run/imap"}};
              }),
              ElementsAre(problem("listeners[0].bind", "already taken")));
}

// FAULTS C5, as far as a look at the file goes.
TEST(CheckFiles, NamesWhatCannotBeOpened) {
  std::string dir = testing::TempDir() + "imapmeter_files_XXXXXX";
  ASSERT_NE(::mkdtemp(dir.data()), nullptr);
  const std::string good = dir + "/good.pem";
  std::ofstream(good) << "x";
  Config config = valid();
  config.listeners[0].certificates = {{good, dir + "/missing.pem"}, {dir, good}};
  config.upstreams[0].ca = dir + "/ca.pem";
  EXPECT_THAT(check_files(config),
              ElementsAre(problem("listeners[0].certificates[0].key", "/missing.pem: No such file"),
                          problem("listeners[0].certificates[1].cert", "Is a directory"),
                          problem("upstreams[0].ca", "/ca.pem: No such file")));
  config.listeners[0].certificates = {{good, good}};
  config.upstreams[0].ca = good;
  config.user = "root";
  EXPECT_THAT(check_files(config), IsEmpty());
  config.user = "no-such-user";
  EXPECT_THAT(check_files(config), ElementsAre(problem("user", "a user of this machine, got \"no-such-user\"")));
  std::filesystem::remove_all(dir);
}

// FAULTS D7: allowed, but not silently.
TEST(Warnings, AnAdminListenerThatIsNotLoopback) {
  Config config = valid();
  for (const std::string quiet : {"127.0.0.1:1", "[::1]:1", "unix:/run/x", "none"}) {
    config.admin = quiet;
    EXPECT_THAT(warnings(config), IsEmpty()) << quiet;
  }
  config.admin = "0.0.0.0:19143";
  EXPECT_THAT(validate(config), IsEmpty());
  EXPECT_THAT(warnings(config), ElementsAre(problem("admin", "only /metrics")));
}

TEST(Warnings, SeveralServersOfWhichEachMustServeEveryUser) {
  Config config = valid();
  config.upstreams[0].servers.push_back({"127.0.0.1", 2});
  EXPECT_THAT(warnings(config), ElementsAre(problem("upstreams[0]", "any_server_serves_any_user")));
  config.upstreams[0].any_server_serves_any_user = true;
  EXPECT_THAT(warnings(config), IsEmpty());
}

TEST(Warnings, AServerThatSeesEveryClientAsOneAddress) {
  Config config = valid();
  config.listeners[0].binds = {{"0.0.0.0", 993}};
  EXPECT_THAT(warnings(config), ElementsAre(problem("listeners[0].upstream", "proxy_protocol")));
  config.listeners[0].binds = {{"127.0.0.1", 993}};
  EXPECT_THAT(warnings(config), IsEmpty());
  config.listeners[0].proxy_protocol = {*parse_network("127.0.0.1/32")};  // a proxy in front
  EXPECT_THAT(warnings(config), ElementsAre(problem("listeners[0].upstream", "proxy_protocol")));
  config.upstreams[0].proxy_protocol = true;
  EXPECT_THAT(warnings(config), IsEmpty());
}

TEST(Warnings, UnverifiedAndUnusedUpstreams) {
  Config config = valid();
  config.upstreams[0].tls = Tls::implicit;
  config.upstreams[0].insecure_skip_certificate_verification = true;
  config.upstreams.push_back({.name = "b", .tls = Tls::none, .servers = {{"127.0.0.1", 1}}});
  EXPECT_THAT(warnings(config),
              ElementsAre(problem("upstreams[0].insecure_skip_certificate_verification", "read and change"),
                          problem("upstreams[1]", "no listener")));
}

}  // namespace
}  // namespace imapmeter::config
