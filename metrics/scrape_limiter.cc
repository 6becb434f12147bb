#include "metrics/scrape_limiter.h"

#include <algorithm>
#include <chrono>

namespace imapmeter::metrics {

bool ScrapeLimiter::allow(const std::string& address, imap::TimePoint now) {
  auto found = buckets_.find(address);
  if (found == buckets_.end()) {
    if (buckets_.size() >= remembered_addresses) {
      buckets_.erase(std::min_element(buckets_.begin(), buckets_.end(),
                                      [](const auto& a, const auto& b) { return a.second.time < b.second.time; }));
    }
    found = buckets_.emplace(address, Bucket{static_cast<double>(per_second_), now}).first;
  }
  Bucket& bucket = found->second;
  const double seconds = std::chrono::duration<double>(now - bucket.time).count();
  bucket.tokens = std::min<double>(per_second_, bucket.tokens + seconds * per_second_);
  bucket.time = now;
  if (bucket.tokens < 1) return false;
  bucket.tokens -= 1;
  return true;
}

}  // namespace imapmeter::metrics
