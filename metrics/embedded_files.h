// The files of the console, as they are in metrics/console and in Debian's libjs-chart.js, put into the binary by
// cmake/embed.cmake.
#pragma once

#include <span>
#include <string_view>

namespace imapmeter::metrics {

struct EmbeddedFile {
  std::string_view path;  // of the URL
  std::string_view type;  // its content type
  std::string_view content;
};

// Valid for ever.
std::span<const EmbeddedFile> embedded_files() noexcept;

}  // namespace imapmeter::metrics
