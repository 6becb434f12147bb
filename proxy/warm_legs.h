// Which TLS legs of a thread keep OpenSSL's record buffers: those used last, until they fall silent. To allocate,
// cleanse and free them for each command would cost more than to read it; the many that are idle have none.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace imapmeter::proxy {

class Leg;

// At most `most` legs, 17 KiB for each direction and 64 KiB for what comes from an upstream; beyond them only a leg in
// the middle of a record has buffers. Used on its thread only.
class WarmLegs {
 public:
  static constexpr std::size_t most = 64;
  static constexpr std::uint8_t none = 0xff;  // of Leg::warm_: not among them
  static_assert(most < none);

  // `leg` is about to call OpenSSL; the one that was used least of late gives its buffers back.
  void use(Leg& leg) noexcept;
  void forget(Leg& leg) noexcept;
  // Those that were not used since the last call give their buffers back; returns how many that were.
  std::size_t cool() noexcept;

 private:
  void release(std::size_t place) noexcept;

  std::array<Leg*, most> legs_{};
  std::array<bool, most> used_{};  // since the hand, or cool(), came by
  std::uint8_t hand_ = 0;
};

}  // namespace imapmeter::proxy
