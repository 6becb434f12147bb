#include "proxy/imap/message_literal.h"

#include <algorithm>

#include "proxy/imap/octets.h"

namespace imapmeter::imap {
namespace {

constexpr bool of_marker(char octet) noexcept {
  return is_digit(octet) || octet == '+' || octet == '}' || octet == cr || octet == lf;
}

bool ends_with(std::string_view text, std::string_view upper_word) noexcept {
  return text.size() >= upper_word.size() && is_word(text.substr(text.size() - upper_word.size()), upper_word);
}

// `word` as a whole: what stands in front of it is known and ends another.
bool ends_with_item(std::string_view text, std::string_view word) noexcept {
  if (text.size() <= word.size() || !ends_with(text, word)) return false;
  const char before = text[text.size() - word.size() - 1];
  return before == ' ' || before == '(';
}

}  // namespace

void MessageLiteral::fold(std::span<const char> octets) noexcept {
  const std::string_view text(octets.data(), octets.size());
  std::size_t end = text.size();
  while (end > 0 && of_marker(text[end - 1])) --end;
  if (end == 0 && marker_) return;  // more of it
  const bool begins_here = end > 0 && text[end - 1] == '{';
  if (marker_) length_ = 0;  // it was none
  keep(text.substr(0, begins_here ? end - 1 : text.size()));
  marker_ = begins_here;
}

void MessageLiteral::keep(std::string_view octets) noexcept {
  if (octets.size() > kept) octets = octets.substr(octets.size() - kept);
  const std::size_t stay = std::min<std::size_t>(length_, kept - octets.size());
  std::copy(tail_.end() - static_cast<std::ptrdiff_t>(stay), tail_.end(),
            tail_.end() - static_cast<std::ptrdiff_t>(stay + octets.size()));
  std::copy(octets.begin(), octets.end(), tail_.end() - static_cast<std::ptrdiff_t>(octets.size()));
  length_ = static_cast<std::uint8_t>(stay + octets.size());
}

bool MessageLiteral::is_message(std::string_view before) noexcept {
  std::string_view text = before;
  if (text.ends_with('~')) text.remove_suffix(1);  // literal8
  if (text.ends_with(' ')) text.remove_suffix(1);
  if (ends_with(text, "]<0>")) text.remove_suffix(3);
  if (!text.ends_with(']')) return ends_with_item(before, "RFC822 ") || ends_with_item(before, "RFC822.TEXT ");
  text.remove_suffix(1);
  return !text.ends_with(')') && !ends_with(text, "HEADER") && !ends_with(text, "MIME");
}

}  // namespace imapmeter::imap
