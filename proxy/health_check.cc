#include "proxy/health_check.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <boost/asio/error.hpp>
#include <cerrno>
#include <exception>
#include <random>
#include <string>
#include <utility>

#include "proxy/log.h"
#include "proxy/proxy_protocol.h"
#include "proxy/tls_context.h"

// One check: connect to the addresses in turn -> TLS where the upstream has it from the beginning -> the first line,
// and STARTTLS and TLS where it has it so -> the result is noted. A server that greets is told LOGOUT and heard to its
// end, so that it has nothing to complain of in its log. All of it within `timeout`; the next check begins an interval
// after this one began, give or take a tenth, so that many proxies do not ask one server all at once. What is our own
// trouble, no descriptor or port left, is no result.

namespace imapmeter::proxy {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t read_size = 4096;
constexpr std::size_t longest_farewell = 64 * 1024;  // octets; an answer to LOGOUT is shorter
constexpr std::string_view goodbye = "check LOGOUT\r\n";

steady_clock::duration spread(steady_clock::duration interval) {
  thread_local std::minstd_rand random{std::random_device{}()};
  return interval * std::uniform_int_distribution<int>(900, 1100)(random) / 1000;
}

bool is_our_own(int error) noexcept { return error == EMFILE || error == ENFILE || error == EADDRNOTAVAIL; }

}  // namespace

std::string_view text(CheckResult result) noexcept {
  constexpr std::array<std::string_view, 11> texts = {
      "greeting OK", "greeting PREAUTH",          "greeting BYE", "no IMAP greeting", "no greeting before its end",
      "timeout",     "the name is not looked up", "refused",      "TLS failed",       "certificate refused",
      "no STARTTLS"};
  return texts[static_cast<std::size_t>(result)];
}

std::optional<CheckResult> check_result(imap::UpstreamDialogue::Verdict verdict, bool starttls) noexcept {
  using Verdict = imap::UpstreamDialogue::Verdict;
  switch (verdict) {
    case Verdict::more:
    case Verdict::start_tls:
      return std::nullopt;
    case Verdict::done:
      return CheckResult::ok;
    case Verdict::preauth:
      return starttls ? CheckResult::starttls : CheckResult::preauth;
    case Verdict::bye:
      return CheckResult::bye;
    case Verdict::no_greeting:
      return CheckResult::no_imap;
    case Verdict::refused:
    case Verdict::stripped:
    case Verdict::injection:
      break;
  }
  return CheckResult::starttls;
}

HealthCheck::HealthCheck(boost::asio::io_context& context, ThreadBuffers& buffers, const UpstreamTarget& upstream,
                         std::size_t server, const config::HealthCheck& settings, Noted noted)
    : descriptor_(context),
      timer_(context),
      buffers_(buffers),
      upstream_(upstream),
      number_(server),
      settings_(settings),
      noted_(std::move(noted)),
      rise_fall_(settings.rise, settings.fall),
      dialogue_(imap::UpstreamDialogue::Goal::greeting) {}

// The leg and the descriptor both hold the socket: only one may close it.
HealthCheck::~HealthCheck() {
  try {
    close_socket();
  } catch (const std::exception& error) {
    log_error("a health check cannot be given up: {}", error.what());
  }
}

void HealthCheck::start() {
  close_socket();
  began_ = steady_clock::now();
  addresses_ = server().addresses;
  address_ = 0;
  dial_next(CheckResult::dns);
}

// The addresses that are left share the time that is left. `failure`: of the last one.
void HealthCheck::dial_next(CheckResult failure) {
  close_socket();
  while (address_ < addresses_.size()) {
    Fd fd = start_connect(addresses_[address_++], upstream_.sources);
    if (!fd && is_our_own(errno)) return end();
    failure = CheckResult::refused;
    if (!fd) continue;
    leg_.open(std::move(fd), buffers_);
    descriptor_.assign(leg_.fd());
    using Goal = imap::UpstreamDialogue::Goal;
    dialogue_ = imap::UpstreamDialogue(upstream_.starttls ? Goal::starttls : Goal::greeting);
    stage_ = Stage::connect;
    const auto now = steady_clock::now();
    const auto left = began_ + settings_.timeout - now;
    await_timer(now + left / static_cast<int>(addresses_.size() - address_ + 1));
    return await_socket();
  }
  decide(failure);
}

void HealthCheck::step() {
  leg_.on_events(EPOLLIN | EPOLLOUT);
  if (stage_ != Stage::connect && leg_.blocked() && leg_.flush() == Io::again) return await_socket();
  switch (stage_) {
    case Stage::waiting:
      return;
    case Stage::connect:
      return finish_connect();
    case Stage::handshake:
      return shake_hands();
    case Stage::greeting:
      return read_greeting();
    case Stage::leaving:
      return read_to_the_end();
  }
}

void HealthCheck::finish_connect() {
  const int error = socket_error(leg_.fd());
  if (error != 0)
    return is_our_own(error) ? end() : dial_next(error == ECONNRESET ? CheckResult::ended : CheckResult::refused);
  await_timer(began_ + settings_.timeout);
  if (upstream_.tls != nullptr && !upstream_.starttls) return begin_tls();
  if (upstream_.proxy_protocol) leg_.write_first(local_proxy_header().octets());
  stage_ = Stage::greeting;
  read_greeting();
}

void HealthCheck::begin_tls() {
  if (!leg_.start_tls(*upstream_.tls, false) || !expect_server(*leg_.ssl(), server().host)) return end();
  if (upstream_.proxy_protocol && !upstream_.starttls) leg_.write_first(local_proxy_header().octets());
  stage_ = Stage::handshake;
  shake_hands();
}

void HealthCheck::shake_hands() {
  const Io status = leg_.handshake();
  if (status == Io::again) return await_socket();
  if (status != Io::ok) {
    const bool certificate = is_certificate(handshake_failure(*leg_.ssl(), status));
    return decide(certificate ? CheckResult::certificate : CheckResult::tls);
  }
  stage_ = Stage::greeting;
  upstream_.starttls ? decide(CheckResult::ok) : read_greeting();
}

void HealthCheck::read_greeting() {
  using Verdict = imap::UpstreamDialogue::Verdict;
  Leg::Read got;
  do {
    const std::span<char> into = buffers_.scratch(read_size);
    got = leg_.read(into);
    if (got.octets == 0) break;
    const Verdict verdict = dialogue_.read(into.first(got.octets)).verdict;
    if (const auto result = check_result(verdict, upstream_.starttls)) return decide(*result);
    if (verdict == Verdict::start_tls) return begin_tls();
  } while (leg_.may_read());
  if (got.status != Io::again && got.status != Io::ok) return decide(CheckResult::ended);
  if (!dialogue_.to_say().empty()) leg_.write(dialogue_.to_say());
  dialogue_.said();
  await_socket();
}

void HealthCheck::decide(CheckResult result) {
  note(result);
  if (succeeded(result)) return leave();
  if (leg_.is_open() && stage_ == Stage::greeting && !leg_.blocked()) leg_.end_writing(true);
  end();
}

void HealthCheck::note(CheckResult result) {
  const bool changed = rise_fall_.note(succeeded(result));
  state().up.store(rise_fall_.up(), std::memory_order_relaxed);
  if (changed) tell_change(result);
  noted_(succeeded(result), rise_fall_.up());
}

// Each change of each server is worth a line of its own.
void HealthCheck::tell_change(CheckResult result) const {
  static LineRate rate;
  if (!rate.allow(steady_clock::now())) return count_dropped_line();
  if (rise_fall_.up())
    log_info("upstream {}: server {} is up: {}", upstream_.name, server().name, text(result));
  else
    log_warning("upstream {}: server {} is down: {}", upstream_.name, server().name, text(result));
}

void HealthCheck::leave() {
  stage_ = Stage::leaving;
  farewell_ = 0;
  if (leg_.blocked() || leg_.write(goodbye) == Io::reset) return end();
  read_to_the_end();
}

// Or to where a server that talks on is left: the signals and look-ups of this thread do not wait for it.
void HealthCheck::read_to_the_end() {
  Leg::Read got;
  do {
    got = leg_.read(buffers_.scratch(read_size));
    farewell_ += got.octets;
    if (farewell_ > longest_farewell) return end();
  } while (got.octets > 0 && leg_.may_read());
  if (got.status == Io::again || got.status == Io::ok) return await_socket();
  if (!leg_.blocked()) leg_.end_writing(true);
  end();
}

// What was to be learnt has been learnt: the next check is waited for.
void HealthCheck::end() {
  close_socket();
  const auto next = began_ + spread(settings_.interval);
  await_timer(std::max(next, steady_clock::now()));
}

void HealthCheck::on_timeout() {
  switch (stage_) {
    case Stage::waiting:
      return start();
    case Stage::connect:
      return dial_next(CheckResult::timeout);
    case Stage::leaving:
      return end();
    default:
      return decide(CheckResult::timeout);
  }
}

void HealthCheck::await_socket() {
  const bool sends = stage_ == Stage::connect || leg_.blocked();
  const auto event =
      sends ? boost::asio::posix::stream_descriptor::wait_write : boost::asio::posix::stream_descriptor::wait_read;
  descriptor_.async_wait(event, [this, turn = turn_](const boost::system::error_code& error) {
    if (turn == turn_ && error != boost::asio::error::operation_aborted) step();
  });
}

void HealthCheck::await_timer(steady_clock::time_point until) {
  timer_.expires_at(until);
  timer_.async_wait([this, turn = turn_](const boost::system::error_code& error) {
    if (turn == turn_ && !error && timer_.expiry() <= steady_clock::now()) on_timeout();
  });
}

void HealthCheck::close_socket() {
  ++turn_;
  timer_.cancel();
  if (descriptor_.is_open()) descriptor_.release();
  leg_.close();
  stage_ = Stage::waiting;
}

}  // namespace imapmeter::proxy
