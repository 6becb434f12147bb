// One side of a session: a non-blocking socket, plain or with TLS on a batching BIO. What TLS wants to send collects in
// the thread's out-buffer and leaves in one send(); only what the socket does not take is kept, in a block of its own.
#pragma once

#include <openssl/ssl.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "proxy/buffer_budget.h"
#include "proxy/imap/capability_filter.h"
#include "proxy/imap/event.h"
#include "proxy/net.h"
#include "proxy/warm_legs.h"

namespace imapmeter::proxy {

// Lent by the thread: no session owns a buffer while nothing of it waits to be sent.
struct ThreadBuffers {
  static constexpr std::size_t headroom = imap::capability_headroom;
  // A record of 16 KiB grows by at most 64 octets; the rest is for handshake messages with long chains.
  static constexpr std::size_t out_capacity = max_quantum + max_quantum / min_quantum * 64 + 64 * 1024;

  // `share`: what the thread's sessions may keep, all together.
  explicit ThreadBuffers(std::uint64_t share = std::uint64_t{256} << 20) : budget(share) {}

  std::unique_ptr<char[]> plain = std::make_unique_for_overwrite<char[]>(headroom + max_quantum);
  std::unique_ptr<char[]> out = std::make_unique_for_overwrite<char[]>(out_capacity);
  std::size_t out_size = 0;
  BufferBudget budget;
  WarmLegs warm;
  static constexpr unsigned timed_turns = 64;
  std::array<std::uint8_t, imap::direction_count> turns{};  // with octets; 1 in timed_turns is timed

  // Room to read `octets` into, with the capability filter's headroom in front.
  std::span<char> scratch(std::size_t octets) noexcept { return {plain.get() + headroom, octets}; }
};

enum class Io : std::uint8_t {
  ok,
  again,      // would block
  eof,        // the peer ended its direction properly: close_notify, or FIN on a plain leg
  truncated,  // FIN without close_notify on a TLS leg
  reset,      // the connection is gone
  tls_error,  // the peer broke the TLS protocol
};

class Leg {
 public:
  Leg() = default;
  ~Leg();
  Leg(const Leg&) = delete;
  Leg& operator=(const Leg&) = delete;

  // Plain from here on. `buffers` outlives the leg. `watched`: nothing is read before the first event says that there
  // is something.
  void open(Fd fd, ThreadBuffers& buffers, bool watched = false) noexcept;
  // Puts TLS on top, as server or as client; false when out of memory.
  bool start_tls(SSL_CTX& context, bool as_server) noexcept;
  void close() noexcept;
  bool is_open() const noexcept { return static_cast<bool>(fd_); }
  int fd() const noexcept { return fd_.get(); }
  SSL* ssl() const noexcept { return ssl_; }

  // Latches what epoll reported.
  void on_events(std::uint32_t events) noexcept;

  // The peer has ended its direction, or the connection.
  bool hung_up() const noexcept { return hung_up_; }

  Io handshake() noexcept;
  // As TLS 1.3 server, once after the handshake: a ticket goes out with what is written next, or before the next read.
  void offer_ticket() noexcept;

  struct Read {
    Io status = Io::again;  // of the read that got nothing; ok when `into` was filled
    std::size_t octets = 0;
  };
  // Reads until `into` is full or nothing is left to read.
  Read read(std::span<char> into) noexcept;
  bool may_read() const noexcept { return !drained_; }
  // What read() would return first, as far as `into` has room; it stays to be read. No octets: ok never, again until
  // the next event.
  Read peek(std::span<char> into) noexcept;

  // Takes all of `octets`: what the socket does not take is kept and sent by flush(). Only while !blocked().
  Io write(std::span<const char> octets) noexcept;
  // The first octets of all: behind start_tls() they go ahead of TLS, in one packet with its first flight.
  Io write_first(std::span<const char> octets) noexcept;
  // Sends what is kept. again: the socket is still full.
  Io flush() noexcept;
  // After Io::reset: the peer has not answered for so long that TCP gave it up.
  bool timed_out() const noexcept { return timed_out_; }
  bool blocked() const noexcept { return unsent() != 0; }
  // What the socket did not take could not be kept: the peer has got an exact prefix and gets no more.
  bool starved() const noexcept { return starved_; }
  // Octets kept, as they go over the wire.
  std::size_t unsent() const noexcept { return unsent_size_ - unsent_begin_; }
  // Ends our direction: with close_notify first where `notify` and the leg has TLS; then FIN, which is close()'s where
  // `closing` says that it follows at once. Only while !blocked(). False: the close_notify is kept; call again when it
  // has been flushed.
  bool end_writing(bool notify, bool closing = false) noexcept;

 private:
  friend struct BatchingBio;
  friend class WarmLegs;

  void give_back_records() noexcept;  // OpenSSL's record buffers, unless there is something in them
  Io finish(int flags = 0) noexcept;  // sends what TLS left in the out-buffer; `flags`: of send(2)
  Io send_out(int flags) noexcept;
  std::size_t send_some(std::span<const char> octets, int flags = 0) noexcept;
  void drop_unsent() noexcept;
  Io keep(std::span<const char> octets) noexcept;
  Io classify(int result) noexcept;
  Read read_plain(std::span<char> into) noexcept;
  Read read_tls(std::span<char> into) noexcept;
  Read peek_plain(std::span<char> into) noexcept;
  Read peek_tls(std::span<char> into) noexcept;

  ThreadBuffers* buffers_ = nullptr;
  SSL* ssl_ = nullptr;
  std::unique_ptr<char[]> unsent_;
  std::uint32_t unsent_begin_ = 0;
  std::uint32_t unsent_size_ = 0;
  Fd fd_;
  bool readable_ = true;  // recv() may have something
  bool writable_ = true;  // send() may take something
  bool hung_up_ = false;  // a FIN or an error is there: read on to the end, short reads included
  bool drained_ = false;  // nothing left to read until the next event
  bool fin_ = false;      // recv() returned 0
  bool reset_ = false;    // the peer sent RST or is out of reach
  bool timed_out_ = false;
  bool broken_ = false;             // send() failed for good
  std::uint8_t receives_left_ = 0;  // recv() calls that this SSL call may make: a peer must not keep it busy for ever
  std::uint16_t key_updates_ = 0;   // that this SSL call has read
  bool rekeying_ = false;           // many of late: little is read at a time
  bool starved_ = false;            // the budget had no room for what the socket did not take
  std::uint8_t warm_ = WarmLegs::none;  // its place in buffers_->warm
  bool read_waits_ = false;             // TLS cannot read on before it has sent something (an answer to KeyUpdate)
};

}  // namespace imapmeter::proxy
