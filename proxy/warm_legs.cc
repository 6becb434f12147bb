#include "proxy/warm_legs.h"

#include <utility>

#include "proxy/leg.h"

namespace imapmeter::proxy {

void WarmLegs::use(Leg& leg) noexcept {
  if (leg.warm_ != none) {
    used_[leg.warm_] = true;
    return;
  }
  const auto next = [](std::uint8_t hand) { return static_cast<std::uint8_t>((hand + 1U) % most); };
  while (legs_[hand_] != nullptr && std::exchange(used_[hand_], false)) hand_ = next(hand_);
  if (legs_[hand_] != nullptr) {
    legs_[hand_]->give_back_records();
    legs_[hand_]->warm_ = none;
  }
  legs_[hand_] = &leg;
  leg.warm_ = std::exchange(hand_, next(hand_));
}

void WarmLegs::forget(Leg& leg) noexcept {
  if (leg.warm_ == none) return;
  legs_[leg.warm_] = nullptr;
  used_[leg.warm_] = false;
  leg.warm_ = none;
}

}  // namespace imapmeter::proxy
