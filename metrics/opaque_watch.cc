#include "metrics/opaque_watch.h"

#include <string_view>

namespace imapmeter::metrics {
namespace {

using imap::OpaqueReason;

std::string_view remedy(OpaqueReason reason) {
  switch (reason) {
    case OpaqueReason::sasl_layer:
      return "clients wrap the session in a SASL security layer, which TLS makes unnecessary: turn it off in the "
             "clients, or the mechanism on the server";
    case OpaqueReason::multiplex:
      return "a Dovecot proxy asks the server to multiplex: name its network in the listener's trusted_networks";
    case OpaqueReason::compress_limit:
      return "more sessions are compressed at once than are read: raise limits.inflated_sessions";
    case OpaqueReason::compress_ratio:
      return "what is compressed inflates beyond all measure: look at who sends it";
    case OpaqueReason::compress_error:
      return "what follows COMPRESS is no deflate, or does not keep to RFC 4978: look at the server and its clients";
    case OpaqueReason::upstream_starttls:
      return "the server accepts STARTTLS inside TLS: capabilities: auto takes it out of what clients are offered";
    case OpaqueReason::parser:
      return "what is said is no IMAP that could be read: imapmeter why shows how far it was";
    case OpaqueReason::disabled:
    case OpaqueReason::unsupported:
      break;
  }
  return "see docs/metrics.md";
}

}  // namespace

void OpaqueWatch::begin_window(const Snapshot& snapshot, imap::TimePoint now) {
  began_ = now;
  begun_ = true;
  listeners_.clear();
  for (const ListenerSnapshot& each : snapshot.listeners)
    listeners_[each.name] = {each.totals.accepted, each.totals.opaque, {}};
}

std::vector<std::string> OpaqueWatch::look(const Snapshot& snapshot, imap::TimePoint now) {
  std::vector<std::string> sentences;
  if (!begun_) begin_window(snapshot, now);
  for (const ListenerSnapshot& each : snapshot.listeners) {
    Listener& before = listeners_[each.name];
    const std::uint64_t accepted = each.totals.accepted - before.accepted;
    for (std::size_t i = 0; i < imap::opaque_reason_count; ++i) {
      const auto reason = static_cast<OpaqueReason>(i);
      const std::uint64_t opaque = each.totals.opaque[i] - before.opaque[i];
      const bool chosen = reason == OpaqueReason::disabled;  // the operator wanted it so
      if (chosen || before.told[i] || opaque < least || opaque * share <= accepted) continue;
      before.told[i] = true;
      sentences.push_back("listener " + each.name + ": " + std::to_string(opaque) + " of " + std::to_string(accepted) +
                          " sessions can no longer be read (" + std::string(name(reason)) +
                          "): " + std::string(remedy(reason)));
    }
  }
  if (now - began_ >= window) begin_window(snapshot, now);
  return sentences;
}

}  // namespace imapmeter::metrics
