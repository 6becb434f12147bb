#!/usr/bin/env python3
"""C9: what a killed process leaves behind, connections in every state and a socket file, does not keep the next one
from starting at once on the same addresses."""

import socket
import tempfile
import time
import unittest
from pathlib import Path

from harness import FakeUpstream, Proxy, honest_server, scaled, well_behaved_session

SESSIONS = 20


class StartsAgainAfterKill(unittest.TestCase):
    def setUp(self):
        super().setUp()
        self.upstream = self.enterContext(FakeUpstream())

    def killed_with_sessions(self, proxy: Proxy) -> None:
        """Half of its sessions are open, half were closed by it just now."""
        self.upstream.script = None
        open_ones = []
        for number in range(SESSIONS):
            client = self.enterContext(proxy.connect())
            server = self.upstream.accept()
            server.send(b"* OK ready\r\n")
            client.expect(b"* OK ready\r\n")
            if number % 2:
                server.shutdown_write()
                client.close_clean()
            else:
                open_ones.append((client, server))
        proxy.kill()
        for client, server in open_ones:
            self.assertIn(client.finish(), ("fin", "reset"), "a cut session must not look complete")
            self.assertIn(server.finish(), ("fin", "reset"))

    def start_again(self, listen: str, admin: str) -> Proxy:
        began = time.monotonic()
        proxy = self.enterContext(Proxy(self.upstream, listen=listen, admin=admin))
        self.upstream.script = honest_server
        well_behaved_session(proxy.address)
        self.assertLess(time.monotonic() - began, scaled(3))
        return proxy

    def test_C9_same_ports(self):
        proxy = Proxy(self.upstream)
        listen, admin = ("{}:{}".format(*address) for address in (proxy.address, proxy.admin))
        for _ in range(2):
            self.killed_with_sessions(proxy)
            proxy = self.start_again(listen, admin)
            self.assertEqual(proxy.scrape().sum("imapmeter_sessions_accepted_total"), 1)

    def test_C9_stale_unix_socket(self):
        path = Path(self.enterContext(tempfile.TemporaryDirectory()), "admin.sock")
        proxy = Proxy(self.upstream, admin=f"unix:{path}")
        listen = "{}:{}".format(*proxy.address)
        self.assertIn(b"200 OK", self.ask(path))
        proxy.kill()
        self.assertTrue(path.is_socket(), "this test has not tested what it claims")
        proxy = self.start_again(listen, f"unix:{path}")
        self.assertIn(b"200 OK", self.ask(path))
        proxy.close()
        self.assertFalse(path.exists(), "left behind by a proper end")

    @staticmethod
    def ask(path: Path) -> bytes:
        with socket.socket(socket.AF_UNIX) as admin:
            admin.settimeout(scaled(5))
            admin.connect(str(path))
            admin.send(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            return admin.recv(65536)


if __name__ == "__main__":
    unittest.main()
