#include <algorithm>

#include "proxy/session.h"
#include "proxy/worker.h"

namespace imapmeter::proxy {

OpenSession Session::describe() const {
  OpenSession open;
  open.id = facts_->id;
  open.listener = listener_;
  if (dialled_) open.server = server_;
  open.state = tracker_.state();
  open.age = std::chrono::steady_clock::now() - accepted_;
  open.client_software = tracker_.client_software();
  open.tls = facts_->tls[static_cast<std::size_t>(Side::client)].version;
  open.client = facts_->client;
  open.octets = facts_->octets;
  open.commands = facts_->commands;
  return open;
}

OpenSessions Worker::open_sessions(std::size_t most) const {
  OpenSessions open{sessions_.size(), {}};
  const std::size_t count = std::min(most, sessions_.size());
  open.shown.reserve(count);
  for (std::size_t i = 0; i < count; ++i) open.shown.push_back(sessions_[i]->describe());
  return open;
}

}  // namespace imapmeter::proxy
