// Started as root: become the user that the settings name, and keep of root's power only what a reload needs.
#pragma once

#include <string>

namespace imapmeter::proxy {

// Becomes `user` with its groups and no capability but CAP_NET_BIND_SERVICE, for good. Before any thread starts, since
// a thread has capabilities of its own, and before any certificate is read or address bound, so that what works at the
// start works at every reload. Nothing to do where this process is that user already.
// Throws std::runtime_error with a sentence for the operator: no such user, or not the right to become it.
void become(const std::string& user);

}  // namespace imapmeter::proxy
