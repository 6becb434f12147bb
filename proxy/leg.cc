#include "proxy/leg.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

namespace imapmeter::proxy {
namespace {

// SSL_get_error() reads the thread's queue of errors: it must be empty before each call. Looking costs less than
// clearing.
void clear_errors() noexcept {
  if (ERR_peek_error() != 0) ERR_clear_error();
}

// A KeyUpdate is 27 octets and costs 10 to 20 us with its answer: a peer that sends hardly anything else is read in
// such portions, one in each turn, as its neighbours wait meanwhile.
constexpr std::size_t key_update_portion = 2048;
constexpr std::uint16_t many_key_updates = 16;  // in one read; others send one in millions of records

}  // namespace

// The BIO under a TLS leg: reads straight from the socket, collects what is to be sent in the thread's out-buffer.
struct BatchingBio {
  static int read(BIO* bio, char* into, int size) noexcept {
    Leg& leg = *static_cast<Leg*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    if (leg.fin_) return 0;
    if (!leg.readable_ || leg.receives_left_ == 0 || leg.key_updates_ > many_key_updates) {
      BIO_set_retry_read(bio);
      return -1;
    }
    --leg.receives_left_;
    const auto room = static_cast<std::size_t>(size);
    const Leg::Read got = leg.read_plain({into, leg.rekeying_ ? std::min(room, key_update_portion) : room});
    if (got.octets > 0) return static_cast<int>(got.octets);
    if (got.status == Io::again) BIO_set_retry_read(bio);
    return got.status == Io::eof ? 0 : -1;
  }

  // Refuses, never grows: while older octets wait for the socket, nothing may be put behind them.
  static int write(BIO* bio, const char* from, int size) noexcept {
    Leg& leg = *static_cast<Leg*>(BIO_get_data(bio));
    ThreadBuffers& buffers = *leg.buffers_;
    const auto octets = static_cast<std::size_t>(size);
    BIO_clear_retry_flags(bio);
    if (leg.blocked() || octets > ThreadBuffers::out_capacity - buffers.out_size) {
      BIO_set_retry_write(bio);
      return -1;
    }
    std::memcpy(buffers.out.get() + buffers.out_size, from, octets);
    buffers.out_size += octets;
    return size;
  }

  // SSL_set_msg_callback(3): OpenSSL handles KeyUpdates by itself.
  static void on_message(int sent, int, int type, const void* message, std::size_t size, SSL*, void* leg) noexcept {
    if (sent == 0 && type == SSL3_RT_HANDSHAKE && size > 0 &&
        *static_cast<const unsigned char*>(message) == SSL3_MT_KEY_UPDATE)
      ++static_cast<Leg*>(leg)->key_updates_;
  }

  static long control(BIO* bio, int command, long, void*) noexcept {
    if (command == BIO_CTRL_FLUSH) return 1;
    if (command == BIO_CTRL_EOF) return static_cast<Leg*>(BIO_get_data(bio))->fin_ ? 1 : 0;
    return 0;
  }

  static BIO_METHOD* method() noexcept {
    static BIO_METHOD* const made = [] {
      BIO_METHOD* created = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "batching socket");
      BIO_meth_set_read(created, &BatchingBio::read);
      BIO_meth_set_write(created, &BatchingBio::write);
      BIO_meth_set_ctrl(created, &BatchingBio::control);
      return created;
    }();
    return made;
  }
};

Leg::~Leg() { close(); }

void Leg::open(Fd fd, ThreadBuffers& buffers, bool watched) noexcept {
  fd_ = std::move(fd);
  buffers_ = &buffers;
  // Nothing of a connection that this leg had before.
  writable_ = true;
  readable_ = !watched;
  drained_ = watched;
  hung_up_ = fin_ = reset_ = timed_out_ = broken_ = false;
  key_updates_ = 0;
  rekeying_ = starved_ = read_waits_ = false;
}

bool Leg::start_tls(SSL_CTX& context, bool as_server) noexcept {
  ssl_ = SSL_new(&context);
  BIO* bio = ssl_ == nullptr ? nullptr : BIO_new(BatchingBio::method());
  if (bio == nullptr) return false;
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_, bio, bio);
  SSL_set_msg_callback(ssl_, &BatchingBio::on_message);
  SSL_set_msg_callback_arg(ssl_, this);
  if (as_server)
    SSL_set_accept_state(ssl_);
  else
    SSL_set_connect_state(ssl_);
  return true;
}

void Leg::close() noexcept {
  drop_unsent();
  if (ssl_ != nullptr) {
    buffers_->warm.forget(*this);
    if (SSL_pending(ssl_) == 0) SSL_clear_options(ssl_, SSL_OP_CLEANSE_PLAINTEXT);  // as in give_back_records()
  }
  SSL_free(ssl_);
  ssl_ = nullptr;
  fd_.reset();
}

void Leg::on_events(std::uint32_t events) noexcept {
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) hung_up_ = true;
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
    readable_ = true;
    drained_ = false;
  }
  if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) writable_ = true;
}

// The result of an SSL call that did not succeed.
Io Leg::classify(int result) noexcept {
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return Io::again;
    case SSL_ERROR_ZERO_RETURN:
      return fin_ ? Io::truncated : Io::eof;  // close_notify is read before the FIN that follows it
    default:
      break;
  }
  if (reset_) return Io::reset;
  return fin_ && ERR_peek_error() == 0 ? Io::truncated : Io::tls_error;
}

Io Leg::handshake() noexcept {
  buffers_->warm.use(*this);
  clear_errors();
  receives_left_ = UINT8_MAX;
  const int result = SSL_do_handshake(ssl_);
  const Io status = result == 1 ? Io::ok : classify(result);
  drained_ = status == Io::again || (status == Io::ok && !readable_ && SSL_has_pending(ssl_) == 0);
  const Io sent = finish();
  return status == Io::ok || status == Io::again ? (sent == Io::reset ? Io::reset : status) : status;
}

void Leg::offer_ticket() noexcept {
  if (SSL_version(ssl_) == TLS1_3_VERSION) SSL_new_session_ticket(ssl_);
}

Leg::Read Leg::read(std::span<char> into) noexcept { return ssl_ == nullptr ? read_plain(into) : read_tls(into); }

Leg::Read Leg::read_plain(std::span<char> into) noexcept {
  Read result;
  while (result.octets < into.size()) {
    const ssize_t got = recv(fd_.get(), into.data() + result.octets, into.size() - result.octets, 0);
    if (got > 0) {
      result.octets += static_cast<std::size_t>(got);
      // A short read has emptied the socket: the probe that would say EAGAIN is saved. Under a TLS leg one read is
      // enough, the record decides what comes next.
      if (result.octets < into.size() && !hung_up_) {
        readable_ = false;
        drained_ = ssl_ == nullptr;
        return result;
      }
      if (ssl_ != nullptr) return result;
    } else if (got == 0) {
      // A send() that failed has taken the error that recv() would have returned.
      fin_ = !reset_;
      result.status = reset_ ? Io::reset : Io::eof;
      return result;
    } else if (errno == EAGAIN) {
      readable_ = false;
      drained_ = ssl_ == nullptr;
      return result;
    } else if (errno != EINTR) {
      reset_ = true;
      timed_out_ = timed_out_ || errno == ETIMEDOUT;
      result.status = Io::reset;
      return result;
    }
  }
  result.status = Io::ok;
  return result;
}

Leg::Read Leg::read_tls(std::span<char> into) noexcept {
  Read result;
  result.status = Io::ok;
  buffers_->warm.use(*this);
  receives_left_ = rekeying_ ? 1 : static_cast<std::uint8_t>(2 + into.size() / min_quantum);
  key_updates_ = 0;
  while (result.octets < into.size()) {
    clear_errors();
    std::size_t got = 0;
    const int status = SSL_read_ex(ssl_, into.data() + result.octets, into.size() - result.octets, &got);
    result.octets += got;
    if (status == 1 && (readable_ || SSL_has_pending(ssl_) == 1)) continue;
    if (status == 1) {  // One more call could only say that there is nothing left.
      result.status = Io::again;
      drained_ = true;
      read_waits_ = false;
      break;
    }
    result.status = classify(status);
    // Records without payload, KeyUpdates for example, can use up the receives: then there is more to read.
    const bool held_back = receives_left_ == 0 || key_updates_ > many_key_updates;
    drained_ = result.status == Io::again && !(readable_ && held_back);
    read_waits_ = SSL_want_write(ssl_);
    break;
  }
  if (key_updates_ > many_key_updates)
    rekeying_ = true;
  else if (key_updates_ == 0 && result.octets > 0)
    rekeying_ = false;
  // An answer to KeyUpdate, or an alert. When it can't be sent the next write or flush finds out.
  finish();
  if (read_waits_ && !blocked()) read_waits_ = drained_ = false;
  return result;
}

Leg::Read Leg::peek(std::span<char> into) noexcept { return ssl_ == nullptr ? peek_plain(into) : peek_tls(into); }

Leg::Read Leg::peek_plain(std::span<char> into) noexcept {
  ssize_t got = 0;
  do got = recv(fd_.get(), into.data(), into.size(), MSG_PEEK);
  while (got < 0 && errno == EINTR);
  if (got > 0) return {Io::ok, static_cast<std::size_t>(got)};
  if (got == 0) return {reset_ ? Io::reset : Io::eof};
  if (errno == EAGAIN) return {Io::again};
  reset_ = true;
  timed_out_ = timed_out_ || errno == ETIMEDOUT;
  return {Io::reset};
}

Leg::Read Leg::peek_tls(std::span<char> into) noexcept {
  buffers_->warm.use(*this);
  clear_errors();
  receives_left_ = UINT8_MAX;
  key_updates_ = 0;
  Read result;
  const int status = SSL_peek_ex(ssl_, into.data(), into.size(), &result.octets);
  result.status = status == 1 ? Io::ok : classify(status);
  finish();
  return result;
}

Io Leg::write(std::span<const char> octets) noexcept {
  if (octets.empty()) return Io::ok;
  if (ssl_ == nullptr) {
    const std::size_t sent = send_some(octets);
    return broken_ ? Io::reset : keep(octets.subspan(sent));
  }
  buffers_->warm.use(*this);
  while (!octets.empty()) {
    clear_errors();
    std::size_t took = 0;
    const int status = SSL_write_ex(ssl_, octets.data(), octets.size(), &took);
    octets = octets.subspan(took);
    if (status == 1) continue;
    const Io why = classify(status);
    finish();
    return why == Io::again ? Io::tls_error : why;  // the empty out-buffer takes a whole quantum: it cannot be full
  }
  return finish();
}

Io Leg::write_first(std::span<const char> octets) noexcept {
  if (ssl_ == nullptr) return write(octets);
  std::memcpy(buffers_->out.get() + buffers_->out_size, octets.data(), octets.size());
  buffers_->out_size += octets.size();
  return Io::ok;
}

Io Leg::finish(int flags) noexcept { return ssl_ == nullptr || buffers_->out_size == 0 ? Io::ok : send_out(flags); }

// Sends until the socket is full or broken (reset_); returns how many octets it took.
std::size_t Leg::send_some(std::span<const char> octets, int flags) noexcept {
  std::size_t sent = 0;
  while (writable_ && !broken_ && sent < octets.size()) {
    const ssize_t took = send(fd_.get(), octets.data() + sent, octets.size() - sent, MSG_NOSIGNAL | flags);
    if (took >= 0) {
      sent += static_cast<std::size_t>(took);
    } else if (errno == EAGAIN) {
      writable_ = false;
    } else if (errno != EINTR) {
      broken_ = true;
      timed_out_ = timed_out_ || errno == ETIMEDOUT;
      if (errno != EPIPE) reset_ = true;  // EPIPE after the peer's FIN: what it sent before is still to be read
      break;
    }
  }
  return sent;
}

Io Leg::send_out(int flags) noexcept {
  const std::span<const char> out{buffers_->out.get(), std::exchange(buffers_->out_size, 0)};
  const std::size_t sent = send_some(out, flags);
  return broken_ ? Io::reset : keep(out.subspan(sent));
}

// Copies what the socket did not take into a block of just that size.
Io Leg::keep(std::span<const char> octets) noexcept {
  if (octets.empty()) return Io::ok;
  if (buffers_->budget.take(octets.size())) {
    unsent_.reset(new (std::nothrow) char[octets.size()]);
    if (unsent_ == nullptr) buffers_->budget.give_back(octets.size());
  }
  if (unsent_ == nullptr) {
    // No room: both directions of this connection end, or the peer would wait for an answer that was dropped.
    starved_ = broken_ = reset_ = true;
    shutdown(fd_.get(), SHUT_RDWR);
    readable_ = true;
    drained_ = false;
    return Io::reset;
  }
  std::memcpy(unsent_.get(), octets.data(), octets.size());
  unsent_begin_ = 0;
  unsent_size_ = static_cast<std::uint32_t>(octets.size());
  return Io::again;
}

Io Leg::flush() noexcept {
  unsent_begin_ += static_cast<std::uint32_t>(
      send_some({unsent_.get() + unsent_begin_, static_cast<std::size_t>(unsent_size_ - unsent_begin_)}));
  if (blocked() && !broken_) return Io::again;
  drop_unsent();
  if (std::exchange(read_waits_, false) && !broken_) {
    // What TLS could not send goes before anything else: the record is half written.
    drained_ = false;
    buffers_->warm.use(*this);
    clear_errors();
    SSL_do_handshake(ssl_);
    finish();
  }
  if (broken_) return Io::reset;
  return blocked() ? Io::again : Io::ok;
}

void Leg::drop_unsent() noexcept {
  if (unsent_ == nullptr) return;
  // On a plain leg these are a peer's octets, a password perhaps.
  if (ssl_ == nullptr) OPENSSL_cleanse(unsent_.get(), unsent_size_);
  buffers_->budget.give_back(unsent_size_);
  unsent_.reset();
  unsent_begin_ = unsent_size_ = 0;
}

// Asked here because old versions of OpenSSL forget to (CVE-2024-4741): no record is begun, RH is its header.
void Leg::give_back_records() noexcept {
  const bool between_records = std::string_view(SSL_rstate_string(ssl_)) == "RH" && SSL_has_pending(ssl_) == 0;
  if (!between_records) return;
  // What was in clear has been cleansed when it was read: to cleanse the whole buffer again takes 1 us.
  const std::uint64_t option = SSL_get_options(ssl_) & SSL_OP_CLEANSE_PLAINTEXT;
  SSL_clear_options(ssl_, option);
  SSL_free_buffers(ssl_);
  SSL_set_options(ssl_, option);
}

bool Leg::end_writing(bool notify, bool closing) noexcept {
  if (notify && ssl_ != nullptr && !broken_ && (SSL_get_shutdown(ssl_) & SSL_SENT_SHUTDOWN) == 0) {
    clear_errors();
    SSL_shutdown(ssl_);  // one close_notify; the peer's is not awaited
    finish(MSG_MORE);    // in one segment with the FIN
  }
  if (blocked()) return false;
  if (!closing) shutdown(fd_.get(), SHUT_WR);
  return true;
}

}  // namespace imapmeter::proxy
