// A recorded conversation, fed to the same tracker and observers as a live one: a transcript
// (tests/transcripts/README.md) or what `imapmeter why` has printed.
#pragma once

#include <chrono>
#include <istream>
#include <string>
#include <vector>

#include "proxy/imap/capability_filter.h"
#include "proxy/imap/flight_recorder.h"
#include "proxy/imap/observer.h"

namespace imapmeter::proxy {

struct Transcript {
  struct Step {
    imap::Direction direction = imap::Direction::client_to_server;
    std::string octets;
    std::chrono::nanoseconds later{};  // that pass before it
    bool deflated = false;             // on the wire; here it stands as it reads
  };
  std::vector<Step> steps;
  imap::CapabilityRules rules{.enabled = false};
  // What a test expects of it; a replay does not look at these.
  std::vector<std::string> events;
  bool filters = false;
  std::string to_client;  // if `filters`
};

// Throw std::runtime_error: "line N: what was expected".
Transcript read_transcript(std::istream& from);
std::vector<imap::FlightEvent> read_skeleton(std::istream& from);

void replay(const Transcript& transcript, imap::Observer& observer);
// A conversation that would leave this skeleton. Where its beginning is forgotten, what must have gone before is made
// up and not told; anomalies are told as they stand there.
void replay(const std::vector<imap::FlightEvent>& events, imap::Observer& observer);
// Either, by its first line. Throws as above.
void replay(std::istream& from, imap::Observer& observer);

}  // namespace imapmeter::proxy
