// What a proxy must have counted, written down by whoever wrote the conversation: from what it meant to say, never by
// reading it back.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace traffic {

// Text behind a condition, from its SP on, and the response code that it carries: the registered name in upper case,
// "other" outside the registry, "none" without a code.
struct StatusText {
  std::string_view wire;
  std::string_view code;
  unsigned literal_octets = 0;
};

struct LoginAnswer {
  std::string_view mechanism;  // LOGIN_COMMAND for the command LOGIN
  std::string_view condition;
  std::string_view code;
  bool cancelled = false;
};

struct Journal {
  std::map<std::string, std::uint64_t> samples;  // as in the exposition, without the label `listener`

  void add(const std::string& sample, std::uint64_t count = 1) { samples[sample] += count; }
  // kind: greeting, tagged, untagged.
  void status(std::string_view kind, std::string_view condition, std::string_view code);
  void undefined_status();
  void bye(std::string_view reason);
  void started();
  void ended(std::string_view command, std::string_view result);
  // ended(), by an answer that came behind the command's last octet.
  void timed(std::string_view command);
  // An answer to LOGIN or AUTHENTICATE.
  void login_answered(const LoginAnswer& answer);
  void data(std::string_view keyword);
  void messages(std::string_view operation, std::uint64_t count);
  void anomaly(std::string_view side, std::string_view kind);
  void literal(std::string_view direction, std::uint64_t octets);
  void closed(std::string_view reason);
  void print() const;
};

}  // namespace traffic
