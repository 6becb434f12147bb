// Compressed answers (RFC 1952), for whoever asks for them.
#pragma once

#include <string>
#include <string_view>

namespace imapmeter::metrics {

// Whether the value of an Accept-Encoding field (RFC 9110 section 12.5.3) names gzip, not with weight 0.
bool accepts_gzip(std::string_view accept_encoding);

// Throws std::bad_alloc.
std::string gzip(std::string_view text);

}  // namespace imapmeter::metrics
