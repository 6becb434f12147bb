"""FakeClient: a Wire that dials imapmeter, and the well-behaved session that must always succeed."""

import socket
import ssl
import time

from .certificates import trusting_nothing
from .timing import scaled
from .wire import Wire, family_of

PASSWORD = "canary-2f6a1c"  # never in a log, a metric or an argument


class FakeClient(Wire):
    """address: host and port, or the path of a unix socket. tls: True for imaps, False for plain, "starttls", or an
    SSLContext.
    handshake=False leaves the socket bare, to be driven octet by octet. source: the address to connect from. prelude:
    octets that go before TLS."""

    def __init__(self, address: tuple[str, int] | str, tls: bool | str | ssl.SSLContext = True, *, handshake: bool = True,
                 receive_buffer: int = 0, send_buffer: int = 0, source: str = "", prelude: bytes = b"", **options):
        timeout = options.get("timeout", 10.0)
        sock = socket.socket(family_of(address), socket.SOCK_STREAM)
        if source:
            sock.bind((source, 0))
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if send_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        sock.settimeout(scaled(timeout))
        try:
            sock.connect(address)
            sock.sendall(prelude)
            context = tls if isinstance(tls, ssl.SSLContext) else trusting_nothing() if tls else None
            starttls = tls == "starttls"
            super().__init__(sock, None if starttls else context, hostname="localhost", **options)
            if starttls and handshake:
                self.starttls(context)
            elif context is not None and handshake:
                self.handshake()
        except BaseException:
            sock.close()
            raise

    def starttls(self, context: ssl.SSLContext) -> None:
        """From the greeting to TLS."""
        self.read_until(b"* OK ")
        self.send(b"starttls STARTTLS\r\n")
        self.read_until(b"starttls OK ")
        self.start_tls(context, server_side=False, hostname="localhost")
        self.handshake()
        self.greeted = True

    def command(self, line: bytes) -> list[bytes]:
        """Sends a command, returns the lines up to its tagged response."""
        self.send(line + b"\r\n")
        return self.read_until(line.split(b" ", 1)[0] + b" ")


def well_behaved_session(address: tuple[str, int] | str, tls: bool | str | ssl.SSLContext = True, **options) -> float:
    """LOGIN, SELECT, FETCH, LOGOUT against honest_server; returns its seconds, raises if anything is amiss. options:
    FakeClient's."""
    start = time.monotonic()
    with FakeClient(address, tls, **options) as client:
        if not client.greeted:
            client.read_until(b"* OK ")
        for line in (b"w1 LOGIN user " + PASSWORD.encode(), b"w2 SELECT INBOX", b"w3 FETCH 1 BODY[]", b"w4 LOGOUT"):
            answer = client.command(line)[-1]
            if b" OK" not in answer:
                raise AssertionError(f"well-behaved session: {answer!r}")
        end = client.finish()
        if end != ("close_notify+fin" if tls else "fin"):
            raise AssertionError(f"well-behaved session ended by {end}")
    return time.monotonic() - start
