// A strict reader of the Prometheus text format 0.0.4: what it takes, every Prometheus takes.
#pragma once

#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace imapmeter::test {

struct Series {
  std::string name;
  std::map<std::string, std::string> labels;  // unescaped
  std::string text;                           // the value as it was written
  double value = 0;
};

struct Family {
  std::string help;
  std::string type;
  std::vector<Series> series;
};

struct Exposition {
  std::map<std::string, Family> families;

  // The value of the one series with exactly these labels. Throws std::out_of_range where there is none.
  double value(const std::string& name, const std::map<std::string, std::string>& labels = {}) const;
  bool has(const std::string& name, const std::map<std::string, std::string>& labels) const;
  // Over the series whose labels include these.
  double sum(const std::string& name, const std::map<std::string, std::string>& labels = {}) const;
  // All series of all families.
  std::vector<Series> series() const;
};

// Throws std::runtime_error "line N: why" on: a sample outside its family's HELP and TYPE, a family or series twice, an
// illegal name, escape or value, a negative counter, a histogram whose buckets do not rise to +Inf, its count, a line
// without its LF.
Exposition parse_exposition(std::string_view text);

}  // namespace imapmeter::test
