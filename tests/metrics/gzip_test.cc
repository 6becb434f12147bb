#include "metrics/gzip.h"

#include <gtest/gtest.h>
#include <zlib.h>

namespace imapmeter::metrics {
namespace {

std::string gunzip(const std::string& compressed, std::size_t size) {
  std::string out(size + 1, '\0');
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));
  stream.avail_in = static_cast<uInt>(compressed.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  EXPECT_EQ(stream.avail_in, 0U);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

TEST(Gzip, ComesBackAsItWas) {
  std::string incompressible;
  std::uint32_t state = 1;
  for (int i = 0; i < 300'000; ++i) incompressible += static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  for (const std::string& text : {std::string(), std::string("a"), std::string(1'000'000, 'x'), incompressible}) {
    EXPECT_TRUE(gunzip(gzip(text), text.size()) == text) << text.size();
  }
  EXPECT_LT(gzip(std::string(1'000'000, 'x')).size(), 10'000U);
}

TEST(Gzip, IsGivenToWhoeverNamesIt) {
  for (const char* yes :
       {"gzip", "GZIP", "deflate, gzip", "deflate,gzip;q=0.5", " gzip ", "gzip ; q=1", "gzip;q=0.001"}) {
    EXPECT_TRUE(accepts_gzip(yes)) << yes;
  }
  for (const char* no :
       {"", "identity", "x-gzip", "gzipp", "deflate", "gzip;q=0", "gzip; q=0.000", "gzip;Q=0", ",,;"}) {
    EXPECT_FALSE(accepts_gzip(no)) << no;
  }
}

}  // namespace
}  // namespace imapmeter::metrics
