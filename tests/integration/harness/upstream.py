"""FakeUpstream: a server whose connections are driven by a script or, without one, by the test itself."""

import os
import queue
import re
import socket
import ssl
import threading

from .proxy_header import ProxyHeader, take_proxy_header
from .timing import scaled
from .wire import Wire, family_of

MESSAGE = b"Subject: hello\r\n\r\na1 OK not a response\r\n* BYE nor this {5}\r\n"


STARTTLS_GREETING = b"* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] before TLS\r\n"


def serve_starttls(connection: Wire, context: ssl.SSLContext) -> None:
    """What an honest server says before TLS, and TLS."""
    connection.send(STARTTLS_GREETING)
    tag = connection.read_until(b"s")[-1].split(b" ")[0]
    connection.send(tag + b" OK begin TLS\r\n")
    connection.start_tls(context, server_side=True)
    connection.handshake()
    connection.greeted = True


class FakeUpstream:
    """script(connection) runs on a thread of its own for each connection, which is closed cleanly behind it. Without
    a script, accept() hands out the connections one by one. starttls=True: with `tls`, TLS comes after an honest dialogue. `script` may be changed at any time; it holds for the
    connections to come. What a script raises is raised again by close(), unless forgive_errors. proxy_headers=True: a PROXY header
    comes first in each connection, and is kept in a list of that name."""

    def __init__(self, script=None, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0,
                 path: str = "", receive_buffer: int = 0, send_buffer: int = 0, keep: bool = True,
                 timeout: float = 10.0, proxy_headers: bool = False, starttls: bool = False):
        self.script = script
        self.tls = tls
        self.starttls = starttls
        self._proxy_headers = proxy_headers
        self.proxy_headers: list[ProxyHeader] = []
        self.keep = keep
        self.timeout = timeout
        self.forgive_errors = False
        self.connections: list[Wire] = []
        self.errors: list[BaseException] = []
        self._queue: queue.Queue[Wire] = queue.Queue()
        self._buffers = (receive_buffer, send_buffer)
        self._listening = None
        self._threads: list[threading.Thread] = []
        self.address = path or (host, port)
        self.listen()

    @property
    def url(self) -> str:
        if isinstance(self.address, str):
            return f"imap://unix:{self.address}"
        host, port = self.address
        scheme = "imap+starttls" if self.starttls else "imaps" if self.tls else "imap"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"

    def listen(self) -> None:
        """Opens the port (again): the same number after stop_listening()."""
        listening = socket.socket(family_of(self.address), socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for option, size in zip((socket.SO_RCVBUF, socket.SO_SNDBUF), self._buffers):
            if size:
                listening.setsockopt(socket.SOL_SOCKET, option, size)
        listening.bind(self.address)
        listening.listen(4096)
        if not isinstance(self.address, str):
            self.address = listening.getsockname()[:2]
        self._listening = listening
        threading.Thread(target=self._accept_all, args=(listening,), daemon=True).start()

    def stop_listening(self) -> None:
        """From here on the port refuses."""
        if self._listening is not None:
            self._listening.shutdown(socket.SHUT_RDWR)  # wakes the accepting thread
            self._listening.close()
            self._listening = None
            if isinstance(self.address, str):
                os.unlink(self.address)

    def accept(self, timeout: float = 10.0) -> Wire:
        """The next connection; its TLS handshake, if any, is done."""
        try:
            connection = self._queue.get(timeout=scaled(timeout))
        except queue.Empty:
            raise AssertionError("imapmeter did not connect to the upstream") from None
        self._open(connection)
        return connection

    def never_connected(self) -> bool:
        return not self.connections

    def disconnect(self) -> None:
        """Closes every connection, in whatever state."""
        for connection in self.connections:
            connection.close()

    def close(self) -> None:
        self.stop_listening()
        self.disconnect()
        for thread in self._threads:
            thread.join(scaled(self.timeout))
        if self.errors and not self.forgive_errors:
            raise AssertionError(f"the upstream's script failed: {self.errors[0]!r}") from self.errors[0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _accept_all(self, listening: socket.socket) -> None:
        while True:
            try:
                sock, _ = listening.accept()
            except OSError:
                return
            connection = Wire(sock, keep=self.keep, timeout=self.timeout)
            self.connections.append(connection)
            if self.script is None:
                self._queue.put(connection)
                continue
            thread = threading.Thread(target=self._run, args=(self.script, connection), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _open(self, connection: Wire) -> None:
        """What comes before IMAP."""
        if self._proxy_headers:
            self.proxy_headers.append(take_proxy_header(connection))
        if self.starttls:
            if self.tls is not None:  # else the test is the server before TLS, too
                serve_starttls(connection, self.tls)
        elif self.tls is not None:
            connection.start_tls(self.tls, server_side=True)
            connection.handshake()

    def _run(self, script, connection: Wire) -> None:
        try:
            self._open(connection)
            script(connection)
            if connection.socket.fileno() >= 0:
                connection.close_clean()
        except Exception as error:  # the test's thread raises it
            if connection.socket.fileno() >= 0:
                self.errors.append(error)
                connection.close()


def honest_server(connection: Wire) -> None:
    """A small IMAP server that does everything right; it ends with the session."""
    if not connection.greeted:
        connection.send(b"* OK [CAPABILITY IMAP4rev1 IDLE LITERAL+] ready\r\n")
    while line := connection.read_line():
        line = line + _literals(connection, line)
        tag, _, rest = line.strip().partition(b" ")
        name = rest.split(b" ", 1)[0].upper()
        if name == b"IDLE":
            connection.send(b"+ idling\r\n")
            connection.read_line()
        connection.send(_ANSWERS.get(name, b"%(tag)s BAD unknown command\r\n") % {b"tag": tag})
        if name == b"LOGOUT":
            return


def _literals(connection: Wire, line: bytes) -> bytes:
    """What follows a line that ends in a literal marker."""
    more = b""
    while marker := re.search(rb"\{(\d+)(\+?)\}\r?\n$", line):
        if not marker[2]:
            connection.send(b"+ go on\r\n")
        more += connection.recv_exact(int(marker[1]))
        line = connection.read_line()
        more += line
    return more


_ANSWERS = {
    b"CAPABILITY": b"* CAPABILITY IMAP4rev1 IDLE LITERAL+\r\n%(tag)s OK done\r\n",
    b"LOGIN": b"%(tag)s OK [CAPABILITY IMAP4rev1 IDLE LITERAL+] logged in\r\n",
    b"SELECT": b"* 1 EXISTS\r\n* OK [UIDVALIDITY 1] ok\r\n* OK [UIDNEXT 2] ok\r\n%(tag)s OK [READ-WRITE] selected\r\n",
    b"FETCH": b"* 1 FETCH (BODY[] {%d}\r\n%s)\r\n%%(tag)s OK fetched\r\n" % (len(MESSAGE), MESSAGE),
    b"APPEND": b"%(tag)s OK [APPENDUID 1 2] appended\r\n",
    b"NOOP": b"%(tag)s OK done\r\n",
    b"IDLE": b"%(tag)s OK idled\r\n",
    b"LOGOUT": b"* BYE logging out\r\n%(tag)s OK bye\r\n",
}
