// Stands in for an inflater where a conversation was recorded as it reads.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "proxy/imap/inflater.h"

namespace imapmeter::proxy {

class PlainInflater final : public imap::Inflater {
 public:
  void start(imap::Direction /*direction*/) noexcept override {}
  Step inflate(imap::Direction /*direction*/, std::span<const char> octets) noexcept override {
    // the tracker reads what it gets and writes nothing
    return {octets.size(), {const_cast<char*>(octets.data()), octets.size()}, imap::Inflation::flushed};
  }
  void wipe() noexcept override {}
};

struct PlainInflaters final : imap::InflaterSource {
  std::unique_ptr<imap::Inflater> make() noexcept override { return std::make_unique<PlainInflater>(); }
};

}  // namespace imapmeter::proxy
