#include "metrics/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <cctype>
#include <new>

namespace imapmeter::metrics {
namespace {

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Takes the part up to `separator` off the front of `rest`.
std::string_view next(std::string_view& rest, char separator) {
  const auto end = std::min(rest.find(separator), rest.size());
  const std::string_view part = trim(rest.substr(0, end));
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return part;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

// "q=0", "q=0.", "q=0.000": not acceptable.
bool is_weight_zero(std::string_view parameter) {
  return parameter.size() >= 3 && equal_ignoring_case(parameter.substr(0, 3), "q=0") &&
         parameter.find_first_not_of("0.", 2) == std::string_view::npos;
}

}  // namespace

bool accepts_gzip(std::string_view accept_encoding) {
  while (!accept_encoding.empty()) {
    std::string_view element = next(accept_encoding, ',');
    const std::string_view coding = next(element, ';');
    if (equal_ignoring_case(coding, "gzip")) return !is_weight_zero(trim(element));
  }
  return false;
}

std::string gzip(std::string_view text) {
  constexpr int gzip_window = 15 + 16;  // 16: gzip's header and trailer instead of zlib's
  constexpr int memory_level = 8;
  z_stream stream{};
  if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, gzip_window, memory_level, Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::bad_alloc();
  }
  std::string out(deflateBound(&stream, static_cast<uLong>(text.size())), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));  // zlib does not write to it
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);  // one call is enough: deflateBound says so
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace imapmeter::metrics
