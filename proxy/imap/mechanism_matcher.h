// Which SASL mechanism AUTHENTICATE names, recognised while its octets pass (RFC 9051 section 6.2.2, RFC 4422).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proxy/imap/octets.h"
#include "proxy/imap/status_names.h"
#include "proxy/imap/words.h"

namespace imapmeter::imap {

class MechanismMatcher {
 public:
  void start() noexcept { *this = MechanismMatcher{}; }

  void step(char octet) noexcept {
    word_.step(table, octet);
    const char c = upper(octet);
    if (plus_ < suffix.size() && c == suffix[plus_]) {
      ++plus_;
    } else {
      plus_ = c == suffix.front() ? 1 : 0;
    }
  }

  // Of the name that was read as a whole.
  Mechanism found() const noexcept {
    if (plus_ == suffix.size()) return Mechanism::scram_plus;
    return static_cast<Mechanism>(word_.found(table, static_cast<std::size_t>(Mechanism::other)));
  }

 private:
  static constexpr auto table = WordTable<mechanism_count - mechanism_labels>::make(mechanism_names);
  static constexpr std::string_view suffix = "-PLUS";

  WordMatcher word_;
  std::uint8_t plus_ = 0;  // octets of the suffix that were just read
};

}  // namespace imapmeter::imap
