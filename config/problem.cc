#include "config/problem.h"

#include <algorithm>

#include "config/scalars.h"

namespace imapmeter::config {

namespace {

// How many letters to insert, delete, replace or swap with their neighbour (optimal string alignment).
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        d[i][j] = i + j;
        continue;
      }
      const std::size_t replaced = d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, replaced});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
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
    return printable(origin->second + ": " + (in_file ? problem.key + ": " : "") + problem.why);
  }
  return printable(problem.key + ": " + problem.why);
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> known) {
  constexpr std::size_t longest_word = 100;  // no key is longer
  std::string_view best;
  if (word.size() > longest_word) return best;
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
