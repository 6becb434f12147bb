#include "metrics/session_table.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "metrics/snapshot.h"

namespace imapmeter::metrics {
namespace {

using nlohmann::json;

json to_json(const proxy::OpenSession& session, const SkeletonNames& names) {
  const auto answered = [&](imap::CommandResult result) { return session.commands[at(result)]; };
  const std::uint32_t no = answered(imap::CommandResult::no);
  const std::uint32_t bad = answered(imap::CommandResult::bad);
  const bool known = session.server && *session.server < names.servers.size();
  return {{"id", proxy::session_id_text(session.id)},
          {"listener", names.listener},
          {"server", known ? json(names.servers[*session.server]) : json()},
          {"state", name(session.state)},
          {"seconds", std::chrono::duration<double>(session.age).count()},
          {"software", name(session.client_software)},
          {"tls", name(session.tls)},
          {"client", session.client_text},
          {"bytes_to_client", session.octets[at(imap::Direction::server_to_client)]},
          {"bytes_to_server", session.octets[at(imap::Direction::client_to_server)]},
          {"commands", answered(imap::CommandResult::ok) + no + bad},
          {"no", no},
          {"bad", bad}};
}

}  // namespace

std::string sessions_json(const proxy::OpenSessions& sessions, const std::vector<const SkeletonNames*>& names) {
  json shown = json::array();
  for (const proxy::OpenSession& each : sessions.shown) shown.push_back(to_json(each, *names.at(each.listener)));
  const json answer = {{"time", epoch(std::chrono::system_clock::now())},
                       {"total", sessions.total},
                       {"shown", sessions.shown.size()},
                       {"sessions", std::move(shown)}};
  return answer.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace imapmeter::metrics
