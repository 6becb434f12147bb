#!/usr/bin/env python3
"""D1: clients that dawdle on the HTTP listeners hold few connections for a short time, and scrapes go on."""

import socket
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

from harness import FACTOR, IntegrationCase, scaled, wait_until

LORIS = 200
CONNECTIONS = 16
REQUEST_TIMEOUT = 5.0
WRITE_TIMEOUT = 10.0
DRIP = 0.5  # seconds between two octets
GET = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"


def dial(address, segment: int = 0, receive_buffer: int = 0) -> socket.socket:
    """A small segment and a small receive buffer keep the kernel from taking a whole answer."""
    sock = socket.socket()
    if segment:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, segment)
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.settimeout(scaled(10))
    sock.connect(address)
    return sock


class AdminSurvivesSlowClients(IntegrationCase):
    def setUp(self):
        super().setUp()
        self.start(arguments=("--metrics", "127.0.0.1:0"))
        self.at_rest = self.proxy.process.fds()

    def test_D1_scrapes_go_on_while_200_loris_are_held(self):
        for address in (self.proxy.admin, self.proxy.metrics):
            held = [self.enterContext(dial(address)) for _ in range(LORIS)]
            for sock in held:
                self.drip(sock, b"GET /metrics HTTP/1.1\r\nX-Slow: ")
            slowest = 0.0
            for _ in range(10):
                for sock in held:
                    self.drip(sock)
                start = time.monotonic()
                self.assertEqual(self.proxy.get("/metrics", address=address)[0], 200)
                slowest = max(slowest, time.monotonic() - start)
                self.assertLessEqual(self.proxy.process.fds(), self.at_rest + CONNECTIONS + 2, "connections held")
                self.upstream_is_served()
            self.assertLess(slowest, scaled(1), "a scrape while loris are held")
            for sock in held:
                sock.close()
        self.check_invariants()

    def test_D1_deadlines(self):
        """Each from the start of the connection, however steadily octets trickle."""
        cases = (self.slow_header, self.silent, self.slow_body, self.slow_reader)
        with ThreadPoolExecutor(len(cases)) as pool:
            for done in [pool.submit(case) for case in cases]:
                done.result()
        wait_until(lambda: self.proxy.process.fds() <= self.at_rest, what="the connections are given back")
        self.check_invariants()

    def slow_header(self) -> None:
        self.expect_end(b"GET /metrics HTTP/1.1\r\nX-Slow: ", REQUEST_TIMEOUT * 0.9, REQUEST_TIMEOUT * 1.1)

    def silent(self) -> None:
        self.expect_end(b"", REQUEST_TIMEOUT * 0.9, REQUEST_TIMEOUT * 1.1, drip=False)

    def slow_body(self) -> None:
        """A body is refused, or waited for no longer than a header."""
        self.expect_end(b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n", 0,
                        REQUEST_TIMEOUT * 1.1)

    def expect_end(self, start: bytes, least: float, most: float, drip: bool = True) -> None:
        with dial(self.proxy.admin) as sock:
            began = time.monotonic()
            sock.send(start)
            sock.settimeout(DRIP)
            while True:
                try:
                    if not sock.recv(65536):
                        break
                except TimeoutError:
                    if drip:
                        self.drip(sock)
                except ConnectionError:
                    break
                self.assertLess(time.monotonic() - began, most + FACTOR, start)
            self.assertGreaterEqual(time.monotonic() - began, least, start)

    def slow_reader(self) -> None:
        """Asks, and reads nothing of the answer."""
        with dial(self.proxy.admin, segment=536, receive_buffer=2048) as sock:
            sock.send(GET)
            began = time.monotonic()
            port = sock.getsockname()[1]
            wait_until(lambda: self.holds(port), what="the connection")
            wait_until(lambda: not self.holds(port), WRITE_TIMEOUT * 1.5, "write time-out")
            self.assertGreaterEqual(time.monotonic() - began, WRITE_TIMEOUT * 0.9)
            self.assertLess(time.monotonic() - began, WRITE_TIMEOUT * 1.1 + FACTOR)

    def holds(self, remote_port: int) -> bool:
        """imapmeter has a descriptor for its connection with this port; the kernel may go on sending without one."""
        with open(f"/proc/{self.proxy.pid}/net/tcp", encoding="ascii") as table:
            return any(fields[2].endswith(f":{remote_port:04X}") and fields[9] != "0"
                       for fields in (line.split() for line in table))

    @staticmethod
    def drip(sock: socket.socket, octets: bytes = b"x") -> None:
        try:
            sock.send(octets)
        except OSError:
            pass  # dropped in favour of a newer one

    def upstream_is_served(self) -> None:
        client, server = self.session()
        self.login(client, server)
        server.shutdown_write()
        client.close_clean()
        server.close()


if __name__ == "__main__":
    unittest.main()
