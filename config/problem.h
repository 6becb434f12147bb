// What is wrong with a configuration, and where it was said.
#pragma once

#include <initializer_list>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace imapmeter::config {

// `key` is a path: "listeners[0].bind".
struct Problem {
  std::string key;
  std::string why;
};

// Where each key was said: "imapmeter.yaml:12", or the flag ("--admin") or variable ("IMAPMETER_ADMIN").
using Origins = std::map<std::string, std::string, std::less<>>;

// One line: "file:line: key: why", "--flag: why", or "key: why" where the key was not said at all. A key that is not in
// `origins` has the line of the nearest key around it.
std::string describe(const Problem& problem, const Origins& origins);

// The one of `known` that `word` was probably meant to be; empty where none is near.
std::string_view nearest(std::string_view word, std::span<const std::string_view> known);

}  // namespace imapmeter::config
