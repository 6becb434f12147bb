#include "config/args.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "config/load.h"
#include "config/problem.h"
#include "config/scalars.h"
#include "config/validate.h"

namespace imapmeter::config {

namespace {

// What was written, as text: the parsers of scalars.h turn it into values.
struct Flags {
  std::vector<std::string> listen;
  std::vector<std::string> cert;
  std::vector<std::string> key;
  std::string self_signed;
  std::string upstream;
  std::string upstream_ca;
  bool upstream_insecure = false;
  bool allow_plaintext = false;
  std::string capabilities;
  std::string observe;
  std::string admin;
  std::string metrics;
  std::string user;
  std::string workers;
  std::string log_level;
  std::string log_client_address;
  std::string drain_timeout;
  std::string config;
  bool check = false;
  bool print_config = false;
  std::vector<std::string> arguments;  // of a subcommand
};

constexpr const char* version_line = "imapmeter " IMAPMETER_VERSION;

class CommandLine {
 public:
  CommandLine(int argc, const char* const* argv) : argc_(argc), argv_(argv) { declare(); }

  Invocation run();

 private:
  void declare();
  void declare_service();
  void declare_subcommands();
  CLI::Option* flag(const std::string& name, bool& out, const std::string& help);
  template <typename T>
  CLI::Option* option(const std::string& name, T& out, const std::string& type, const std::string& help);

  bool given(const char* name) const { return app_.get_option(name)->count() > 0; }
  std::string origin(const char* name) const;
  void problem(const char* name, const std::string& why) { errors_.push_back(origin(name) + ": " + why); }

  void read_file();
  void read_listeners();
  Listener listener(const std::string& url_text, std::size_t index);
  void read_upstream();
  template <typename T, typename Parse>
  void value(const char* name, const std::string& text, T& out, Parse parse, std::string_view expected);
  void text(const char* name, const char* key, const std::string& text, std::string& out);
  void read_service();
  void describe_all(const std::vector<Problem>& problems, std::vector<std::string>& out) const;

  Invocation failed() const;
  Invocation refused(const CLI::ParseError& error) const;
  Invocation done();
  Invocation asked(const std::string& subcommand);

  int argc_;
  const char* const* argv_;
  CLI::App app_{"An IMAP-aware monitoring proxy: ends TLS, relays every byte, counts what the server answers.",
                "imapmeter"};
  Flags flags_;
  Capabilities capabilities_ = Listener{}.capabilities;
  bool observe_ = Listener{}.observe;
  SelfSigned self_signed_{.on = false, .dir = {}};
  Config config_;
  Origins origins_;
  std::vector<std::string> errors_;
};

std::string variable(const std::string& flag_name) {
  std::string out = "IMAPMETER_";
  for (const char c : flag_name.substr(2)) out += c == '-' ? '_' : static_cast<char>(std::toupper(c));
  return out;
}

CLI::Option* CommandLine::flag(const std::string& name, bool& out, const std::string& help) {
  return app_.add_flag(name, out, help)->envname(variable(name));
}

template <typename T>
CLI::Option* CommandLine::option(const std::string& name, T& out, const std::string& type, const std::string& help) {
  return app_.add_option(name, out, help)->envname(variable(name))->type_name(type)->allow_extra_args(false);
}

void CommandLine::declare() {
  app_.set_version_flag("--version", version_line, "Print the version and exit");
  app_.set_help_flag("-h,--help", "Print this help and exit");
  app_.footer("Without --config, --listen and --upstream are needed, and --cert and --key or --self-signed for TLS.");
  option("--listen", flags_.listen, "URL",
         "Where clients connect: imaps://ADDRESS:PORT, imap+starttls://ADDRESS:PORT or imap://ADDRESS:PORT; repeatable")
      ->delimiter(',');
  option("--cert", flags_.cert, "FILE",
         "PEM certificate, then its chain, for listeners with TLS; repeatable, each with a --key");
  option("--key", flags_.key, "FILE", "PEM key of the certificate");
  option("--self-signed", flags_.self_signed, "[DIR]", "Make a certificate; in DIR it stays the same across starts")
      ->expected(0, 1);
  option("--upstream", flags_.upstream, "URL",
         "The IMAP server: imaps://HOST:PORT, imap+starttls://HOST:PORT or imap://HOST:PORT");
  option("--upstream-ca", flags_.upstream_ca, "FILE",
         "PEM file of the CA that signs the server's certificate (default: the system's)");
  flag("--upstream-insecure-skip-certificate-verification", flags_.upstream_insecure,
       "Believe any server's certificate");
  flag("--allow-plaintext-upstream", flags_.allow_plaintext, "Allow an imap:// upstream that is not on this machine");
  option("--capabilities", flags_.capabilities, "auto|pass",
         "auto: take out capabilities that cannot work through a proxy; pass: change nothing (default: auto)");
  option("--observe", flags_.observe, "on|off", "off: relay without reading (default: on)");
  declare_service();
  declare_subcommands();
}

void CommandLine::declare_subcommands() {
  auto* why =
      app_.add_subcommand("why", "Ask a running imapmeter (--admin) what happened in a session that ended badly");
  why->add_option("ID", flags_.arguments, "The session, as in the log; without it: all that are kept")->expected(0, 1);
  auto* top = app_.add_subcommand("top", "Show in the terminal what a running imapmeter (--admin) sees");
  auto* replay = app_.add_subcommand("replay", "Count what a recorded conversation holds: transcripts, output of why");
  replay->add_option("FILE", flags_.arguments, "Read as one conversation each")->required();
  for (auto* each : {why, top, replay}) each->fallthrough()->set_help_flag("-h,--help", "Print this help and exit");
}

void CommandLine::declare_service() {
  option("--admin", flags_.admin, "ADDR",
         "HTTP for the operator: ADDRESS:PORT, unix:/PATH or none (default: 127.0.0.1:19143)");
  option("--metrics", flags_.metrics, "ADDR",
         "HTTP for Prometheus alone: ADDRESS:PORT (default: none, /metrics is on --admin too)");
  option("--user", flags_.user, "NAME",
         "Whom to become when started as root, keeping only the right to bind low ports (default: stay root)");
  option("--workers", flags_.workers, "N",
         "Threads that relay; 0: the CPUs this process may use, at most 4 (default: 0)");
  option("--log-level", flags_.log_level, "LEVEL", "trace, debug, info, warn, error or off (default: info)");
  option("--log-client-address", flags_.log_client_address, "off|truncated|hashed|clear",
         "How clients' addresses stand in the log (default: truncated, to /24 or /48)");
  option("--drain-timeout", flags_.drain_timeout, "DURATION",
         "How long sessions may go on after SIGTERM (default: 30s)");
  option("--config", flags_.config, "FILE", "Settings file (YAML)");
  auto* check = app_.add_flag("--check", flags_.check, "Say what is wrong with the settings and exit");
  app_.add_flag("--print-config", flags_.print_config, "Print the settings in force as YAML and exit")->excludes(check);
}

// What to call a setting: the flag, or the variable where only that was set.
std::string CommandLine::origin(const char* name) const {
  const std::string_view flag_name = name;
  const bool on_command_line = std::any_of(argv_ + 1, argv_ + argc_, [&](std::string_view argument) {
    return argument == flag_name ||
           (argument.starts_with(flag_name) && argument.substr(flag_name.size()).starts_with('='));
  });
  return on_command_line || !given(name) ? std::string(flag_name) : variable(name);
}

template <typename T, typename Parse>
void CommandLine::value(const char* name, const std::string& text, T& out, Parse parse, std::string_view expected) {
  if (!given(name)) return;
  if (const auto parsed = parse(text)) {
    out = *parsed;
  } else {
    problem(name, mismatch(expected, text));
  }
}

void CommandLine::text(const char* name, const char* key, const std::string& text, std::string& out) {
  if (!given(name)) return;
  out = text;
  origins_[key] = origin(name);
}

void CommandLine::read_file() {
  constexpr std::array<const char*, 10> in_file = {"--listen",
                                                   "--cert",
                                                   "--key",
                                                   "--self-signed",
                                                   "--upstream",
                                                   "--upstream-ca",
                                                   "--capabilities",
                                                   "--observe",
                                                   "--allow-plaintext-upstream",
                                                   "--upstream-insecure-skip-certificate-verification"};
  for (const char* name : in_file) {
    if (given(name)) problem(name, "with --config, listeners and upstreams are described in the file alone");
  }
  Loaded loaded = load(flags_.config);
  config_ = std::move(loaded.config);
  origins_ = std::move(loaded.origins);
  errors_.insert(errors_.end(), loaded.errors.begin(), loaded.errors.end());
}

Listener CommandLine::listener(const std::string& url_text, std::size_t index) {
  const std::string path = "listeners[" + std::to_string(index) + "]";
  origins_[path] = origin("--listen");
  Listener out;
  if (index > 0) out.name += "-" + std::to_string(index + 1);
  if (const auto url = parse_url(url_text)) {
    out.tls = url->tls;
    out.binds = {url->address};
  } else {
    problem("--listen", mismatch(url_expected, url_text));
  }
  out.capabilities = capabilities_;
  out.observe = observe_;
  if (out.tls == Tls::none) return out;
  for (std::size_t i = 0; i < std::min(flags_.cert.size(), flags_.key.size()); ++i) {
    out.certificates.push_back({flags_.cert[i], flags_.key[i]});
    origins_[path + ".certificates[" + std::to_string(i) + "].cert"] = origin("--cert");
    origins_[path + ".certificates[" + std::to_string(i) + "].key"] = origin("--key");
  }
  out.self_signed = self_signed_.on;
  out.self_signed_dir = self_signed_.dir;
  origins_[path + ".self_signed"] = origin("--self-signed");
  return out;
}

void CommandLine::read_listeners() {
  value("--capabilities", flags_.capabilities, capabilities_, parse_capabilities, capabilities_expected);
  value("--observe", flags_.observe, observe_, parse_on_off, on_off_expected);
  if (given("--self-signed") && flags_.self_signed.empty()) {
    self_signed_.on = true;
  } else {
    value("--self-signed", flags_.self_signed, self_signed_, parse_self_signed, self_signed_expected);
  }
  if (flags_.listen.empty())
    errors_.emplace_back("--listen: missing; expected " + std::string(url_expected) + ", or --config FILE");
  for (std::size_t i = 0; i < flags_.listen.size(); ++i) config_.listeners.push_back(listener(flags_.listen[i], i));
  const auto& all = config_.listeners;
  const bool tls = std::any_of(all.begin(), all.end(), [](const Listener& l) { return l.tls != Tls::none; });
  if (flags_.cert.size() != flags_.key.size()) problem("--cert", "each --cert needs its --key, in the same order");
  for (const char* name : {"--cert", "--self-signed"}) {
    if (given(name) && !tls && !all.empty())
      problem(name, "there is no imaps:// or imap+starttls:// listener to use it for");
  }
}

void CommandLine::read_upstream() {
  if (!given("--upstream")) {
    errors_.emplace_back("--upstream: missing; expected " + std::string(url_expected));
    return;
  }
  Upstream& out = config_.upstreams.emplace_back();
  if (const auto url = parse_url(flags_.upstream)) {
    out.tls = url->tls;
    out.servers.push_back(url->address);
  } else {
    problem("--upstream", mismatch(url_expected, flags_.upstream));
  }
  origins_["upstreams[0]"] = origin("--upstream");
  text("--upstream-ca", "upstreams[0].ca", flags_.upstream_ca, out.ca);
  out.insecure_skip_certificate_verification = flags_.upstream_insecure;
  origins_["upstreams[0].insecure_skip_certificate_verification"] =
      origin("--upstream-insecure-skip-certificate-verification");
  out.allow_plaintext = flags_.allow_plaintext;
}

void CommandLine::read_service() {
  text("--admin", "admin", flags_.admin, config_.admin);
  text("--metrics", "metrics", flags_.metrics, config_.metrics);
  text("--user", "user", flags_.user, config_.user);
  const auto parse_workers = [](const std::string& t) { return parse_unsigned(t, max_workers); };
  value("--workers", flags_.workers, config_.workers, parse_workers, workers_expected);
  value("--log-level", flags_.log_level, config_.log_level, parse_log_level, log_level_expected);
  value("--log-client-address", flags_.log_client_address, config_.log_client_address, parse_client_address,
        client_address_expected);
  value("--drain-timeout", flags_.drain_timeout, config_.timeouts.drain, parse_duration, duration_expected);
  if (given("--drain-timeout")) origins_["timeouts.drain"] = origin("--drain-timeout");
}

void CommandLine::describe_all(const std::vector<Problem>& problems, std::vector<std::string>& out) const {
  for (const Problem& p : problems) out.push_back(describe(p, origins_));
}

Invocation CommandLine::failed() const {
  Invocation out{.action = Action::exit, .status = usage_error};
  for (const auto& error : errors_) out.output += "imapmeter: " + error + "\n";
  return out;
}

// --help and --version come as exceptions too, with exit code 0.
Invocation CommandLine::refused(const CLI::ParseError& error) const {
  Invocation out;
  if (error.get_exit_code() == 0) {
    out.output = error.get_name() == "CallForHelp" ? app_.help() : std::string(version_line) + "\n";
    return out;
  }
  out.status = usage_error;
  out.output = std::string("imapmeter: ") + error.what() + "\n";
  std::vector<std::string> names;
  for (const auto* known : app_.get_options()) names.push_back("--" + known->get_lnames().front());
  const std::vector<std::string_view> known(names.begin(), names.end());
  for (const auto& word : app_.remaining()) {
    const std::string_view meant = nearest(std::string_view(word).substr(0, word.find('=')), known);
    if (!meant.empty()) out.output += "imapmeter: did you mean " + std::string(meant) + "?\n";
  }
  return out;
}

Invocation CommandLine::done() {
  Invocation out{.action = Action::run, .config = std::move(config_)};
  describe_all(warnings(out.config), out.warnings);
  if (flags_.print_config) {
    out.action = Action::print_config;
    out.output = to_yaml(out.config);
  } else if (flags_.check) {
    out.action = Action::check;
    for (const auto& warning : out.warnings) out.output += "warning: " + warning + "\n";
    out.output += "ok\n";
  }
  return out;
}

// A subcommand needs no settings but whom to ask.
Invocation CommandLine::asked(const std::string& subcommand) {
  text("--admin", "admin", flags_.admin, config_.admin);
  Action action = Action::replay;
  if (subcommand == "why") action = Action::why;
  if (subcommand == "top") action = Action::top;
  return {.action = action, .config = std::move(config_), .arguments = std::move(flags_.arguments)};
}

Invocation CommandLine::run() {
  try {
    app_.parse(argc_, argv_);
  } catch (const CLI::ParseError& error) {
    return refused(error);
  }
  if (!app_.get_subcommands().empty()) return asked(app_.get_subcommands().front()->get_name());
  if (given("--config")) {
    read_file();
  } else {
    read_listeners();
    read_upstream();
  }
  read_service();
  if (errors_.empty()) describe_all(validate(config_), errors_);
  if (errors_.empty() && !flags_.print_config) describe_all(check_files(config_), errors_);
  return errors_.empty() ? done() : failed();
}

}  // namespace

Invocation parse(int argc, const char* const* argv) { return CommandLine(argc, argv).run(); }

}  // namespace imapmeter::config
