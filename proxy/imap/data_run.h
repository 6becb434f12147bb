// Data responses as servers send them by the thousand: whole in one read, one after the other. The response scanner
// would tell the same of each; here they cost a tenth.
//
// Rules
// - A response is taken only if there is nothing to tell of it but what DataRun says: `* n FETCH `, or `* n ` with
//   EXISTS, EXPUNGE or RECENT; CRLF at the end of each of its parts, no NUL, literals without `+`, whole, and where no
//   quoted string seems open. Else the run ends in front of it, and the scanner reads it.
// - All responses of a run have one keyword. One with message data ends it, so that the two are told in turn.
// - One search finds the line end and a NUL.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "proxy/imap/event.h"

namespace imapmeter::imap {

struct DataRun {
  // What the flight recorder counts in one event.
  static constexpr std::uint32_t most_responses = 255;

  std::size_t taken = 0;  // octets, from the front
  DataKeyword keyword = DataKeyword::fetch;
  std::uint32_t responses = 0;
  std::uint32_t octets = 0;     // of their lines, as imap::Data has it
  std::uint32_t announced = 0;  // literals
  std::uint64_t literals = 0;   // octets
  bool message = false;         // the last one had message data
};

// What one read holds. `read` outlives it.
class DataReader {
 public:
  explicit DataReader(std::span<const char> read) noexcept : read_(read) {}

  // The run that `octets` begin with. They are the rest of the read and begin a line.
  DataRun take(std::span<const char> octets) noexcept;
  // The same inside of a FETCH response, behind one of its literals: parts with the next literals, each whole. Of
  // octets, those of the lines without LF; no response ends here.
  DataRun take_parts(std::span<const char> octets) noexcept;

 private:
  const char* lines_end() noexcept;

  std::span<const char> read_;
  const char* end_ = nullptr;  // behind the last LF, once it was looked for
};

}  // namespace imapmeter::imap
