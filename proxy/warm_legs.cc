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
  release(hand_);
  legs_[hand_] = &leg;
  leg.warm_ = std::exchange(hand_, next(hand_));
}

void WarmLegs::release(std::size_t place) noexcept {
  Leg* const leg = std::exchange(legs_[place], nullptr);
  if (leg == nullptr) return;
  leg->give_back_records();
  leg->warm_ = none;
}

std::size_t WarmLegs::cool() noexcept {
  std::size_t cooled = 0;
  for (std::size_t place = 0; place < most; ++place) {
    if (legs_[place] == nullptr || std::exchange(used_[place], false)) continue;
    release(place);
    ++cooled;
  }
  return cooled;
}

void WarmLegs::forget(Leg& leg) noexcept {
  if (leg.warm_ == none) return;
  legs_[leg.warm_] = nullptr;
  used_[leg.warm_] = false;
  leg.warm_ = none;
}

}  // namespace imapmeter::proxy
