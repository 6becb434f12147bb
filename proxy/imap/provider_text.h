// What providers hide in the text of a NO, BAD or BYE instead of a code: "Too many simultaneous connections",
// "Account exceeded command or bandwidth limits", "User is authenticated but not connected".
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "proxy/imap/event.h"

namespace imapmeter::imap {

// Looks for a handful of words in the first 256 octets of a text, its code included, in any case, while they pass;
// keeps no text. It feeds nothing but on_provider_signal.
class ProviderText {
 public:
  void start() noexcept { *this = ProviderText{}; }
  void read(std::span<const char> octets) noexcept;

  // `code`: the response's. At most one signal; what says more than "quota" comes first. `not_connected` means only
  // what it says: whether the client has just logged in is the tracker's to know.
  std::optional<ProviderSignal> signal(ResponseCode code) const noexcept;

 private:
  std::uint64_t matching_ = 0;  // one bit per octet of the words: everything up to it has just been read
  std::uint64_t found_ = 0;     // one bit per word
  std::uint16_t read_ = 0;
};

}  // namespace imapmeter::imap
