// Asks a running imapmeter's API.
#pragma once

#include <stdexcept>
#include <string>

namespace imapmeter::metrics {

// The body of the answer to GET `path` on the admin listener `address` (host:port or unix:/path). Waits for it, for at
// most a few seconds. Throws std::runtime_error with a sentence for the operator.
std::string ask_api(const std::string& address, const std::string& path);

}  // namespace imapmeter::metrics
