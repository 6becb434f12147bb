#include "tests/support/exposition.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <set>

namespace imapmeter::test {
namespace {

bool is_name(std::string_view text, bool colon) {
  const auto letter = [colon](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (colon && c == ':');
  };
  if (text.empty() || !letter(text.front())) return false;
  return std::all_of(text.begin(), text.end(), [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

class Parser {
 public:
  explicit Parser(std::string_view text) : rest_(text) {}

  Exposition parse() {
    while (!rest_.empty()) {
      ++line_number_;
      const auto end = rest_.find('\n');
      if (end == std::string_view::npos) fail("no LF at the end");
      line_ = rest_.substr(0, end);
      rest_.remove_prefix(end + 1);
      if (line_.starts_with("# HELP ")) {
        help();
      } else if (line_.starts_with("# TYPE ")) {
        type();
      } else {
        sample();
      }
    }
    for (const auto& [name, family] : out_.families)
      if (family.type == "histogram") histogram(name, family);
    return std::move(out_);
  }

 private:
  [[noreturn]] void fail(const std::string& why) const {
    throw std::runtime_error("line " + std::to_string(line_number_) + ": " + why);
  }

  std::string take_until(char stop) {
    const auto end = line_.find(stop);
    if (end == std::string_view::npos) fail(std::string("no '") + stop + "'");
    std::string part(line_.substr(0, end));
    line_.remove_prefix(end + 1);
    return part;
  }

  void help() {
    line_.remove_prefix(7);
    current_ = take_until(' ');
    if (!is_name(current_, true)) fail("illegal metric name");
    if (line_.empty()) fail("empty help");
    if (!out_.families.emplace(current_, Family{std::string(line_), "", {}}).second) fail("family twice: " + current_);
  }

  void type() {
    line_.remove_prefix(7);
    if (take_until(' ') != current_) fail("TYPE does not follow its HELP");
    Family& family = out_.families[current_];
    if (!family.type.empty()) fail("TYPE twice");
    if (line_ != "counter" && line_ != "gauge" && line_ != "histogram") fail("unknown type");
    family.type = line_;
  }

  void sample() {
    Series series;
    const bool labelled = line_.find('{') < line_.find(' ');
    series.name = take_until(labelled ? '{' : ' ');
    if (!belongs(series.name)) fail("sample outside its family");
    if (labelled) labels(series);
    series.text = line_;
    series.value = number(line_);
    Family& family = out_.families[current_];
    if (family.type != "gauge" && !(series.value >= 0)) fail("counter below zero");
    if (!seen_.insert({series.name, series.labels}).second) fail("series twice");
    family.series.push_back(std::move(series));
  }

  bool belongs(const std::string& name) {
    const std::string& type = out_.families[current_].type;
    if (type != "histogram") return !type.empty() && name == current_;
    return name == current_ + "_bucket" || name == current_ + "_sum" || name == current_ + "_count";
  }

  // For each set of labels: buckets that rise, the last +Inf and equal to the count, and a sum.
  void histogram(const std::string& name, const Family& family) const {
    std::map<std::map<std::string, std::string>, std::map<double, double>> buckets;
    std::map<std::map<std::string, std::string>, int> others;
    for (const Series& each : family.series) {
      auto rest = each.labels;
      if (each.name != name + "_bucket") {
        ++others[rest];
        continue;
      }
      if (rest.erase("le") == 0) fail("bucket without le");
      double bound = std::numeric_limits<double>::infinity();
      const std::string& text = each.labels.at("le");
      if (text != "+Inf") bound = number(text);
      if (!buckets[rest].empty() && buckets[rest].rbegin()->first >= bound) fail("bounds do not rise");
      if (!buckets[rest].empty() && buckets[rest].rbegin()->second > each.value) fail("buckets are not cumulative");
      buckets[rest][bound] = each.value;
    }
    if (others.size() != buckets.size()) fail("histogram without buckets, or buckets alone");
    for (const Series& each : family.series) {
      if (each.name == name + "_bucket") continue;
      if (others[each.labels] != 2 || buckets[each.labels].empty()) fail("_sum or _count is missing");
      const auto last = *buckets[each.labels].rbegin();
      if (last.first != std::numeric_limits<double>::infinity()) fail("no bucket +Inf");
      if (each.name == name + "_count" && each.value != last.second) fail("+Inf is not the count");
    }
  }

  void labels(Series& series) {
    for (;;) {
      std::string name = take_until('=');
      if (!is_name(name, false)) fail("illegal label name");
      if (!line_.starts_with('"')) fail("label value without quote");
      line_.remove_prefix(1);
      if (!series.labels.emplace(std::move(name), quoted()).second) fail("label twice");
      if (line_.starts_with("} ")) break;
      if (!line_.starts_with(',')) fail("',' or '} ' expected");
      line_.remove_prefix(1);
    }
    line_.remove_prefix(2);
  }

  std::string quoted() {
    std::string text;
    while (!line_.empty() && line_.front() != '"') {
      char c = line_.front();
      line_.remove_prefix(1);
      if (c == '\\') {
        if (line_.empty()) fail("escape at the end");
        const char escaped = line_.front();
        line_.remove_prefix(1);
        if (escaped != '\\' && escaped != '"' && escaped != 'n') fail("illegal escape");
        c = escaped == 'n' ? '\n' : escaped;
      }
      text += c;
    }
    if (line_.empty()) fail("label value without end");
    line_.remove_prefix(1);
    return text;
  }

  double number(std::string_view text) const {
    double number = 0;
    const char* end = text.data() + text.size();
    const auto result = std::from_chars(text.data(), end, number);
    if (result.ec != std::errc{} || result.ptr != end) fail("illegal value");
    return number;
  }

  std::string_view rest_;
  std::string_view line_;
  int line_number_ = 0;
  std::string current_;
  std::set<std::pair<std::string, std::map<std::string, std::string>>> seen_;
  Exposition out_;
};

bool includes(const std::map<std::string, std::string>& all, const std::map<std::string, std::string>& some) {
  return std::all_of(some.begin(), some.end(), [&](const auto& label) {
    const auto found = all.find(label.first);
    return found != all.end() && found->second == label.second;
  });
}

}  // namespace

double Exposition::value(const std::string& name, const std::map<std::string, std::string>& labels) const {
  for (const Series& each : families.at(name).series) {
    if (each.labels == labels) return each.value;
  }
  throw std::out_of_range("no such series of " + name);
}

bool Exposition::has(const std::string& name, const std::map<std::string, std::string>& labels) const {
  const auto family = families.find(name);
  if (family == families.end()) return false;
  return std::any_of(family->second.series.begin(), family->second.series.end(),
                     [&](const Series& each) { return each.labels == labels; });
}

double Exposition::sum(const std::string& name, const std::map<std::string, std::string>& labels) const {
  double total = 0;
  const auto family = families.find(name);
  if (family == families.end()) return total;
  for (const Series& each : family->second.series) {
    if (includes(each.labels, labels)) total += each.value;
  }
  return total;
}

std::vector<Series> Exposition::series() const {
  std::vector<Series> all;
  for (const auto& [name, family] : families) all.insert(all.end(), family.series.begin(), family.series.end());
  return all;
}

Exposition parse_exposition(std::string_view text) { return Parser(text).parse(); }

}  // namespace imapmeter::test
