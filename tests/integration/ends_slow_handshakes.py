#!/usr/bin/env python3
"""B5: a handshake that does not get on is ended at handshake_timeout, counted from accept and not from the last octet;
meanwhile others are served.

300 slow clients by default, 2,000 with IMAPMETER_LONG=1.
"""

import os
import selectors
import socket
import ssl
import time
import unittest

from harness import FACTOR, IntegrationCase, honest_server, scaled, well_behaved_session
from harness.certificates import trusting_nothing

CLIENTS = 2000 if os.environ.get("IMAPMETER_LONG") else 300
TIMEOUT = 2.0
DRIP = 0.1  # seconds between two octets of a ClientHello


def client_hello() -> bytes:
    outgoing = ssl.MemoryBIO()
    tls = trusting_nothing().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise AssertionError("a handshake without a server")


class Slow:
    """One client. say: what it sends at once; drip: what it sends octet by octet."""

    def __init__(self, address, say: bytes, drip: bytes):
        self.started = time.monotonic()
        self.socket = socket.create_connection(address, timeout=scaled(10))
        self.socket.setblocking(False)
        self.closed_after = 0.0
        self.drip = drip
        self.dripped = 0
        if say:
            self.socket.send(say)

    def read(self) -> bool:
        """True once the connection is closed by the other side."""
        try:
            while self.socket.recv(65536):
                pass
        except BlockingIOError:
            return False
        except ConnectionError:
            pass
        self.closed_after = time.monotonic() - self.started
        return True

    def write(self) -> None:
        due = int((time.monotonic() - self.started) / DRIP)
        if self.dripped < min(due, len(self.drip)):
            try:
                self.dripped += self.socket.send(self.drip[self.dripped:due])
            except (BlockingIOError, ConnectionError):
                pass


class EndsSlowHandshakes(IntegrationCase):
    def test_B5(self):
        self.start(timeouts={"handshake": f"{TIMEOUT:g}s"}, workers=1)
        before = self.proxy.scrape()
        hello = client_hello()
        kinds = ((b"", b""), (b"", hello), (hello, b""))  # connects only; a slow ClientHello; stops after ServerHello
        with self.neighbour():
            dialled = len(self.upstream.connections)
            clients = [Slow(self.proxy.address, *kinds[i % 3]) for i in range(CLIENTS)]
            self.upstream.script = honest_server
            served = self.drive(clients)

        for client in clients:
            self.assertGreaterEqual(client.closed_after, TIMEOUT * 0.9)
            self.assertLessEqual(client.closed_after, TIMEOUT * 1.1 + 0.5 * FACTOR + self.own_lag)
            client.socket.close()
        self.assertGreaterEqual(len(served), 5)
        self.assertLess(max(served), scaled(1), "a well-behaved session during the flood")
        self.proxy.wait_for("imapmeter_sessions_closed_total", CLIENTS, reason="client_handshake_timeout",
                            phase="handshake")
        timed_out = self.change(before, "imapmeter_tls_handshakes_total", side="client", result="timeout")
        self.assertEqual(timed_out, CLIENTS)
        self.assertEqual(len(self.upstream.connections) - dialled, len(served), "dialled for a slow client")
        self.check_invariants()

    def drive(self, clients: list[Slow]) -> list[float]:
        """Until all are closed; the seconds of the well-behaved sessions meanwhile."""
        selector = selectors.DefaultSelector()
        for client in clients:
            selector.register(client.socket, selectors.EVENT_READ, client)
        served = []
        self.own_lag = 0.0  # how late this test itself may be to see a close
        deadline = time.monotonic() + scaled(TIMEOUT * 3 + 10)
        next_session = time.monotonic()
        while selector.get_map():
            round_began = time.monotonic()
            self.assertLess(time.monotonic(), deadline, f"{len(selector.get_map())} slow clients still open")
            for key, _ in selector.select(0.02):
                if key.data.read():
                    selector.unregister(key.data.socket)
            for key in list(selector.get_map().values()):
                key.data.write()
            if time.monotonic() >= next_session:
                served.append(well_behaved_session(self.proxy.address))
                next_session = time.monotonic() + 0.25
            self.own_lag = max(self.own_lag, time.monotonic() - round_began)
        return served


if __name__ == "__main__":
    unittest.main()
