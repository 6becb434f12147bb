// The human-readable text of a BYE, for one question: does it speak of inactivity, or of a shutdown?
#pragma once

#include <cstdint>
#include <span>

namespace imapmeter::imap {

// Looks for a handful of words in the first 256 octets, in any case, while they pass; keeps no text.
class ByeText {
 public:
  void start() noexcept { *this = ByeText{}; }
  void read(std::span<const char> octets) noexcept;

  bool inactivity() const noexcept { return inactivity_; }
  bool shutdown() const noexcept { return shutdown_; }

 private:
  std::uint64_t matching_ = 0;  // one bit per octet of the words: everything up to it has just been read
  std::uint16_t read_ = 0;
  bool inactivity_ = false;
  bool shutdown_ = false;
};

}  // namespace imapmeter::imap
