#include "config/problem.h"

#include <algorithm>
#include <numeric>

namespace imapmeter::config {

namespace {

// Levenshtein's distance: insertions, deletions and substitutions from one word to the other.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, substituted});
    }
  }
  return row.back();
}

std::string_view around(std::string_view key) {
  const auto end = key.find_last_of(".[");
  return end == std::string_view::npos ? std::string_view{} : key.substr(0, end);
}

}  // namespace

std::string describe(const Problem& problem, const Origins& origins) {
  for (std::string_view key = problem.key; !key.empty(); key = around(key)) {
    const auto origin = origins.find(key);
    if (origin == origins.end()) continue;
    const bool in_file = origin->second.find(':') != std::string::npos;
    return origin->second + ": " + (in_file ? problem.key + ": " : "") + problem.why;
  }
  return problem.key + ": " + problem.why;
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> known) {
  std::string_view best;
  // A third of the letters wrong is a typing error; more is another word.
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string_view candidate : known) {
    const std::size_t d = distance(word, candidate);
    if (d < best_distance) {
      best = candidate;
      best_distance = d;
    }
  }
  return best;
}

}  // namespace imapmeter::config
