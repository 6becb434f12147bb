"""One end of a connection, plain or TLS, on which every octet and every way to close is under the test's control.

TLS runs over ssl.MemoryBIO, so that close_notify, FIN and RST are three separate acts and three separate sights.
"""

import fcntl
import hashlib
import select
import socket
import ssl
import struct
import termios
import threading
import time

from .chunking import chunks
from .timing import scaled

READ_SIZE = 65536


def family_of(address: tuple[str, int] | str) -> int:
    """Of the sockets for an address: host and port, or a unix socket's path."""
    if isinstance(address, str):
        return socket.AF_UNIX
    return socket.AF_INET6 if ":" in address[0] else socket.AF_INET


class WireTimeout(AssertionError):
    """The other end did not do in time what the test waited for."""


class Digest:
    """Length and SHA-256 of a stream and, if kept, its octets."""

    def __init__(self, keep: bool):
        self.octets = 0
        self.data = bytearray() if keep else None
        self._hash = hashlib.sha256()

    def add(self, data: bytes) -> None:
        self.octets += len(data)
        self._hash.update(data)
        if self.data is not None:
            self.data += data

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


class Wire:
    """`sent` and `received` are Digests of the payload (inside TLS). Each wait ends at `timeout` scaled seconds.
    One thread may write while another reads."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext | None = None, *, server_side: bool = False,
                 hostname: str | None = None, keep: bool = True, timeout: float = 10.0):
        self.socket = sock
        self.timeout = timeout
        self.sent = Digest(keep)
        self.received = Digest(keep)
        self.closed_by_peer = ""  # "", then "close_notify", "fin", "reset", "close_notify+fin" or "close_notify+reset"
        self.greeted = False  # before STARTTLS
        self._buffer = bytearray()
        self._written = 0  # octets that our kernel has taken
        self._tls = None
        self._tls_lock = threading.Lock()  # never held while the socket blocks
        self._send_lock = threading.Lock()
        sock.setblocking(False)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is not None:
            self.start_tls(context, server_side=server_side, hostname=hostname)

    def start_tls(self, context: ssl.SSLContext, *, server_side: bool, hostname: str | None = None) -> None:
        """What follows is TLS; call handshake() next."""
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=server_side, server_hostname=hostname)

    @property
    def tls(self) -> ssl.SSLObject | None:
        return self._tls

    @property
    def local(self) -> tuple[str, int]:
        return self.socket.getsockname()[:2]

    @property
    def peer(self) -> tuple[str, int]:
        return self.socket.getpeername()[:2]

    # Writing

    def handshake(self, ahead: bytes = b"") -> None:
        """`ahead` goes in one write with the first flight. Raises ssl.SSLError, ConnectionError or EOFError where the
        handshake fails."""
        deadline = self._deadline()
        while True:
            try:
                self._tls.do_handshake()
                self._flush()
                return
            except ssl.SSLWantReadError:
                self._flush(ahead)
                ahead = b""
                data = self._recv_socket(deadline, READ_SIZE)
                if not data:
                    raise EOFError("the peer ended the connection during the handshake") from None
                self._incoming.write(data)
            except ssl.SSLError:
                self._flush()  # the alert
                raise

    def send(self, data: bytes, chunking: str = "whole", after_each=None) -> None:
        """Each chunk is one write and, under TLS, one record; after_each(octets so far) runs behind each."""
        at = 0
        for chunk in chunks(data, chunking):
            self._send_chunk(chunk)
            at += len(chunk)
            if after_each is not None:
                after_each(at)

    def send_raw(self, data: bytes) -> None:
        """Past TLS, onto the socket."""
        self._send_socket(data)

    def _send_chunk(self, chunk: bytes) -> None:
        with self._send_lock:
            octets = chunk
            if self._tls is not None:
                with self._tls_lock:
                    self._tls.write(chunk)
                    octets = self._outgoing.read()
            self._send_socket(octets)
        self.sent.add(chunk)

    # Reading

    def recv(self, size: int = READ_SIZE) -> bytes:
        """Some octets; b"" at the end of the stream, whose manner is then in `closed_by_peer`."""
        if not self._buffer:
            self._fill(self._deadline())
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def recv_exact(self, size: int) -> bytes:
        deadline = self._deadline()
        while len(self._buffer) < size and self._fill(deadline):
            pass
        if len(self._buffer) < size:
            raise AssertionError(f"{len(self._buffer)} of {size} octets, then {self.closed_by_peer}")
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def await_octets(self, total: int) -> None:
        """Until `total` octets have arrived since the connection began, read or not."""
        deadline = self._deadline()
        while self.received.octets < total:
            if not self._fill(deadline):
                raise AssertionError(f"{self.received.octets} of {total} octets, then {self.closed_by_peer}")

    def read_line(self) -> bytes:
        """Up to and including LF; less at the end of the stream."""
        deadline = self._deadline()
        scanned = 0
        while (at := self._buffer.find(b"\n", scanned)) < 0:
            scanned = len(self._buffer)
            if not self._fill(deadline):
                at = len(self._buffer) - 1
                break
        line = bytes(self._buffer[:at + 1])
        del self._buffer[:at + 1]
        return line

    def read_until(self, line_start: bytes) -> list[bytes]:
        """Lines up to and including the first that starts so."""
        lines = []
        while not lines or not lines[-1].startswith(line_start):
            line = self.read_line()
            if not line:
                raise AssertionError(f"the stream ended ({self.closed_by_peer}) before {line_start!r}; seen: {lines}")
            lines.append(line)
        return lines

    def expect(self, data: bytes) -> None:
        """The next octets are exactly these."""
        got = self.recv_exact(len(data))
        if got != data:
            raise AssertionError(f"expected {data[:200]!r}, got {got[:200]!r}")

    def expect_silence(self, seconds: float) -> None:
        """Nothing comes, not even an end, for `seconds` (not scaled: a promise about the product's clock)."""
        if self._buffer:
            raise AssertionError(f"not silent: {bytes(self._buffer[:200])!r}")
        try:
            self._fill(time.monotonic() + seconds)
        except WireTimeout:
            return
        raise AssertionError(f"not silent: {bytes(self._buffer[:200])!r} {self.closed_by_peer}")

    def read_all(self) -> bytes:
        """To the end of the stream."""
        deadline = self._deadline()
        while self._fill(deadline):
            pass
        data = bytes(self._buffer)
        self._buffer.clear()
        return data

    def finish(self) -> str:
        """Reads to the end of the connection itself (FIN or RST) and says how the peer ended it."""
        deadline = self._deadline()
        while self._fill(deadline):
            pass
        while self.closed_by_peer == "close_notify":
            try:
                data = self._recv_socket(deadline, READ_SIZE)
            except ConnectionError:
                self.closed_by_peer = "close_notify+reset"
            else:
                if data:
                    raise AssertionError(f"{len(data)} octets after close_notify")
                self.closed_by_peer = "close_notify+fin"
        return self.closed_by_peer

    def consume(self, size: int, sink=None) -> int:
        """Reads `size` octets (fewer at the end) without keeping them here; sink(chunk) sees each piece."""
        taken = 0
        while taken < size:
            piece = self.recv(min(READ_SIZE, size - taken))
            if not piece:
                break
            taken += len(piece)
            if sink is not None:
                sink(piece)
        return taken

    def trickle(self, size: int) -> int:
        """Takes at most so many octets off the wire, be they a part of a record only."""
        data = self._recv_socket(self._deadline(), size)
        if self._tls is not None:
            with self._tls_lock:
                self._incoming.write(data)
        else:
            self.received.add(data)
            self._buffer += data
        return len(data)

    def _fill(self, deadline: float) -> bool:
        """Appends at least one octet to the buffer; False at the end of the stream."""
        while not self.closed_by_peer:
            data = self._decrypt() if self._tls is not None else None
            if data is None:
                data = self._read_socket(deadline)
            if data:
                self.received.add(data)
                self._buffer += data
                return True
        return False

    def _decrypt(self) -> bytes | None:
        """Payload; b"" at close_notify (noted) or truncation (noted); None where the socket must be read first."""
        try:
            with self._tls_lock:
                data = self._tls.read(READ_SIZE)
        except ssl.SSLWantReadError:
            self._flush()
            return None
        except ssl.SSLZeroReturnError:
            data = b""
        except ssl.SSLEOFError:
            self.closed_by_peer = "fin"
            return b""
        if not data:
            self.closed_by_peer = "close_notify"
        return data

    def _read_socket(self, deadline: float) -> bytes:
        """Plain payload, or b"" after feeding TLS or noting the end."""
        try:
            data = self._recv_socket(deadline, READ_SIZE)
        except ConnectionError:
            self.closed_by_peer = "reset"
            return b""
        if self._tls is None:
            if not data:
                self.closed_by_peer = "fin"
            return data
        with self._tls_lock:
            if data:
                self._incoming.write(data)
            else:
                self._incoming.write_eof()
        return b""

    # Closing

    def close_notify(self) -> None:
        """Ends our direction inside TLS; the other direction stays open, and so does TCP."""
        self._buffer_what_has_arrived()
        try:
            with self._tls_lock:
                self._tls.unwrap()
        except (ssl.SSLWantReadError, ssl.SSLSyscallError):
            pass
        self._flush()

    def taken(self) -> int:
        """Payload octets that the peer's kernel has taken (plain connections)."""
        return self._written - self.unacknowledged()

    def unacknowledged(self) -> int:
        """Octets on the wire that the peer's kernel has not taken."""
        return struct.unpack("i", fcntl.ioctl(self.socket, termios.TIOCOUTQ, bytes(4)))[0]

    def shutdown_write(self) -> None:
        """FIN, without close_notify where that was not sent before."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close_clean(self) -> str:
        """close_notify and FIN, then reads to the peer's end: no RST destroys what is under way."""
        if self._tls is not None:
            self.close_notify()
        try:
            self.shutdown_write()
        except OSError:
            pass
        try:
            return self.finish()
        finally:
            self.close()

    def close(self) -> None:
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _buffer_what_has_arrived(self) -> None:
        """OpenSSL refuses to shut down on top of unread payload."""
        while not self.closed_by_peer and (data := self._decrypt()):
            self.received.add(data)
            self._buffer += data

    # The socket

    def _deadline(self) -> float:
        return time.monotonic() + scaled(self.timeout)

    def _flush(self, ahead: bytes = b"") -> None:
        """What TLS itself wants to say; behind a thread that is writing, it goes with that thread's next record."""
        if self._outgoing.pending and self._send_lock.acquire(blocking=False):
            try:
                with self._tls_lock:
                    data = ahead + self._outgoing.read()
                self._send_socket(data)
            finally:
                self._send_lock.release()

    def _send_socket(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                written = self.socket.send(view)
                self._written += written
                view = view[written:]
            except BlockingIOError:
                if not self._ready(select.POLLOUT, self._deadline()):
                    raise WireTimeout("the peer does not read") from None

    def _recv_socket(self, deadline: float, size: int) -> bytes:
        while True:
            try:
                return self.socket.recv(size)
            except BlockingIOError:
                if not self._ready(select.POLLIN, deadline):
                    raise WireTimeout(f"nothing from the peer; {self.received.octets} octets before") from None

    def _ready(self, event: int, deadline: float) -> bool:
        poll = select.poll()
        poll.register(self.socket, event)
        return bool(poll.poll(max(0.0, deadline - time.monotonic()) * 1000))
