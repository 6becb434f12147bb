// How often one address may scrape a listener that is open to the network.
#pragma once

#include <cstddef>
#include <map>
#include <string>

#include "proxy/imap/event.h"

namespace imapmeter::metrics {

// A bucket of `per_second` tokens for each address, filled again at that rate: a steady `per_second` always passes,
// and so does a burst of that many. Remembers the addresses seen last, a fixed number of them.
class ScrapeLimiter {
 public:
  explicit ScrapeLimiter(unsigned per_second) : per_second_(per_second) {}

  // `address` in text; IPv6 addresses by their first 64 bits, for the rest is the peer's to choose.
  bool allow(const std::string& address, imap::TimePoint now);

  static constexpr std::size_t remembered_addresses = 256;

 private:
  struct Bucket {
    double tokens = 0;
    imap::TimePoint time{};
  };

  unsigned per_second_;
  std::map<std::string, Bucket> buckets_;
};

}  // namespace imapmeter::metrics
