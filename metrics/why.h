// `imapmeter why`: how a session came to its end, from the running imapmeter's API.
#pragma once

#include <string>

namespace imapmeter::metrics {

// What its flight recorder kept of session `id` ("3-42", as in the log): two lines of heading, then one per event,
// which is also what `imapmeter replay` takes. With an empty `id` the headings of all that are kept, the latest first.
// Throws std::runtime_error with a sentence for the operator.
std::string why(const std::string& admin, const std::string& id);

}  // namespace imapmeter::metrics
