// The other end of COMPRESS=DEFLATE: deflates as clients and servers do.
#pragma once

#include <zlib.h>

#include <stdexcept>
#include <string>
#include <string_view>

namespace imapmeter::test {

class Deflater {
 public:
  explicit Deflater(int level = Z_DEFAULT_COMPRESSION, int strategy = Z_DEFAULT_STRATEGY, int window_bits = 15) {
    if (deflateInit2(&zlib_, level, Z_DEFLATED, -window_bits, 8, strategy) != Z_OK) {
      throw std::runtime_error("deflateInit2");
    }
  }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;
  ~Deflater() { deflateEnd(&zlib_); }

  // `text` and what `flush` adds. Not twice in one expression: the order counts.
  std::string operator()(std::string_view text, int flush = Z_SYNC_FLUSH) {
    zlib_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    zlib_.avail_in = static_cast<uInt>(text.size());
    std::string result;
    do {
      char room[4096];
      zlib_.next_out = reinterpret_cast<Bytef*>(room);
      zlib_.avail_out = sizeof room;
      deflate(&zlib_, flush);
      result.append(room, sizeof room - zlib_.avail_out);
    } while (zlib_.avail_out == 0);
    return result;
  }
  std::string end(std::string_view text = {}) { return (*this)(text, Z_FINISH); }

 private:
  z_stream zlib_{};
};

}  // namespace imapmeter::test
