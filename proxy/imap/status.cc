#include "proxy/imap/status.h"

#include "proxy/imap/status_names.h"

namespace imapmeter::imap {

std::string_view name(Condition condition) noexcept { return condition_names[static_cast<std::size_t>(condition)]; }
std::string_view name(StatusCode code) noexcept { return status_code_names[static_cast<std::size_t>(code)]; }
std::string_view name(ResponseCode code) noexcept { return response_code_names[static_cast<std::size_t>(code)]; }
std::string_view name(Command command) noexcept { return command_names[static_cast<std::size_t>(command)]; }
std::string_view name(Mechanism mechanism) noexcept { return mechanism_names[static_cast<std::size_t>(mechanism)]; }

bool may_add_layer(Mechanism mechanism) noexcept {
  return mechanism == Mechanism::gssapi || mechanism == Mechanism::gss_spnego || mechanism == Mechanism::ntlm ||
         mechanism == Mechanism::digest_md5;
}

}  // namespace imapmeter::imap
