#include "proxy/imap/multiplex_filter.h"

#include <algorithm>

#include "proxy/imap/octets.h"

namespace imapmeter::imap {

void MultiplexFilter::start() noexcept {
  stage_ = Stage::before;
  key_ = true;
}

std::string_view MultiplexFilter::release() noexcept {
  const std::size_t size = size_;
  size_ = 0;
  miss();
  return {held_.data(), size};
}

std::size_t MultiplexFilter::take(std::span<const char> octets, FilterOutput& output) noexcept {
  std::size_t pairs = 0;
  const char* candidate = octets.data();  // where it begins in this span, or where the span goes on with it
  for (const char& octet : octets) {
    const Step made = step(octet);
    if (made == Step::goes_on) continue;
    if (made == Step::pair || made == Step::space) {
      output.drop(made == Step::pair ? candidate : &octet, &octet + 1);
      if (made == Step::pair) ++pairs;
    } else if (size_ != 0) {  // it was none
      output.put_in_front({held_.data(), size_});
    }
    size_ = 0;
    candidate = &octet;
  }
  if (stage_ == Stage::candidate && !octets.empty()) {
    const char* const end = octets.data() + octets.size();
    std::copy(candidate, end, held_.begin() + size_);
    size_ = static_cast<std::uint8_t>(size_ + (end - candidate));
    output.drop(candidate, end);
  }
  return pairs;
}

MultiplexFilter::Step MultiplexFilter::step(char octet) noexcept {
  if (stage_ == Stage::space) {
    stage_ = octet == ' ' ? Stage::first : Stage::between;
    if (octet == ' ') return Step::space;
  }
  if (stage_ == Stage::candidate) {
    if (matches(octet)) {
      if (++matched_ < pair.size()) return Step::goes_on;
      stage_ = with_space_ ? Stage::between : Stage::space;
      key_ = true;
      return Step::pair;
    }
    miss();
  }
  step_plain(octet);
  return Step::pass;
}

bool MultiplexFilter::matches(char octet) const noexcept {
  return matched_ == value_begin ? is_digit(octet) : upper(octet) == pair[matched_];
}

// It is none: where in the list are we?
void MultiplexFilter::miss() noexcept {
  if (stage_ != Stage::candidate) return;
  key_ = matched_ <= key_end;
  const bool in_string = matched_ > 1 && (key_ || matched_ >= value_begin);
  stage_ = in_string ? Stage::quoted : Stage::between;
}

void MultiplexFilter::step_plain(char octet) noexcept {
  if (octet == lf) {
    if (stage_ != Stage::marker) return start();
    return end_string();
  }
  switch (stage_) {
    case Stage::before:
      if (octet == '(') stage_ = Stage::first;
      return;
    case Stage::first:
    case Stage::between:
      with_space_ = octet == ' ';
      if (key_ && (with_space_ || (octet == '"' && stage_ == Stage::first))) {
        matched_ = with_space_ ? 1 : 2;
        stage_ = Stage::candidate;
      } else if (octet == '"') {
        stage_ = Stage::quoted;
      } else if (octet == '{') {
        stage_ = Stage::marker;
      } else {
        stage_ = octet == ' ' || octet == '(' || octet == ')' || octet == cr ? Stage::between : Stage::atom;
      }
      return;
    case Stage::quoted:
      if (octet == '\\') stage_ = Stage::escaped;
      if (octet == '"') end_string();
      return;
    case Stage::escaped:
      stage_ = Stage::quoted;
      return;
    case Stage::atom:
      if (octet == ' ' || octet == ')') {
        end_string();
        step_plain(octet);
      }
      return;
    case Stage::candidate:
    case Stage::space:
    case Stage::marker:
      return;
  }
}

void MultiplexFilter::end_string() noexcept {
  key_ = !key_;
  stage_ = Stage::between;
}

}  // namespace imapmeter::imap
