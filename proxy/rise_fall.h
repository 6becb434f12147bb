// Whether a server counts as up, from the results of its checks.
#pragma once

namespace imapmeter::proxy {

// Up until a check has said otherwise. The first result decides; after it, `fall` failures in a row take an up server
// down, and `rise` successes in a row bring it up again.
class RiseFall {
 public:
  RiseFall(unsigned rise, unsigned fall) noexcept : rise_(rise), fall_(fall) {}

  // True: this result changed the verdict.
  bool note(bool succeeded) noexcept {
    const bool first = first_;
    first_ = false;
    if (succeeded == up_) {
      against_ = 0;
      return false;
    }
    ++against_;
    if (!first && against_ < (up_ ? fall_ : rise_)) return false;
    up_ = succeeded;
    against_ = 0;
    return true;
  }
  bool up() const noexcept { return up_; }

 private:
  const unsigned rise_;
  const unsigned fall_;
  unsigned against_ = 0;  // results in a row that contradict the verdict
  bool up_ = true;
  bool first_ = true;
};

}  // namespace imapmeter::proxy
