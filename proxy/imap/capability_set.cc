#include "proxy/imap/capability_set.h"

#include "proxy/imap/octets.h"

namespace imapmeter::imap {
namespace {

constexpr auto table = WordTable<capability_words.size()>::make(capability_words);
constexpr std::size_t none = capability_words.size();
constexpr std::uint64_t prime = 0x9e3779b97f4a7c15;

constexpr std::uint64_t mixed(std::uint64_t hash) noexcept {
  hash = (hash ^ (hash >> 31U)) * prime;
  return hash ^ (hash >> 29U);
}

}  // namespace

void CapabilityReader::read(std::span<const char> octets) noexcept {
  for (const char octet : octets) {
    if (over_) return;
    step(octet);
  }
}

void CapabilityReader::step(char octet) noexcept {
  if (octet == ' ') {
    end_word();
    in_word_ = true;
    return;
  }
  if (!is_atom_char(octet) || !in_word_) return end();
  hash_ = mixed(hash_ + static_cast<unsigned char>(upper(octet)) + 1);
  if (value_) return;
  word_.step(table, octet);
  const std::size_t found = octet == '=' ? word_.found(table, none) : none;
  if (found == none) return;
  set_.add(found);
  value_ = true;  // what follows tells lists apart, and is not told
}

void CapabilityReader::end_word() noexcept {
  const std::size_t found = value_ ? none : word_.found(table, none);
  if (found != none) {
    set_.add(found);
  } else if (in_word_) {
    set_.others += mixed(hash_);  // in any order the same
  }
  word_.start();
  hash_ = 0;
  value_ = in_word_ = false;
}

void CapabilityReader::end() noexcept {
  if (!over_) end_word();
  over_ = true;
}

}  // namespace imapmeter::imap
