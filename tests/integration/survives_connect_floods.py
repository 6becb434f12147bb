#!/usr/bin/env python3
"""B14: clients that connect and reset, 1,000 in a second, are counted to the last one, leave nothing behind, and nobody
else notices.

Two seconds by default, 30 with IMAPMETER_LONG=1.
"""

import os
import time
import unittest

from ends_slow_handshakes import client_hello
from harness import FakeClient, IntegrationCase, honest_server, scaled, well_behaved_session

RATE = 1000  # a second
FLOOD = RATE * (30 if os.environ.get("IMAPMETER_LONG") else 2)
PORTION = 100


class SurvivesConnectFloods(IntegrationCase):
    def test_B14_tls_listener(self):
        """A third connects only, a third begins a handshake, a third is not TLS."""
        hello = client_hello()
        self.flood((b"", hello, b"a LOGIN "))
        closed = self.after.by("imapmeter_sessions_closed_total", "reason")
        # RST may overtake what came before it: then that is not read
        self.assertGreaterEqual(closed["client_reset"], FLOOD // 3)
        self.assertLessEqual(set(closed), {"client_reset", "client_tls_error", "not_tls", "logout"}, closed)
        self.assertEqual(self.dialled, 0, "dialled for a client whose TLS never stood")
        self.check_invariants()

    def test_B14_plain_listener(self):
        """Here the server is dialled at once."""
        self.flood((b"", b"a LOGIN "), tls=False)
        self.assertLessEqual(self.dialled, FLOOD)
        self.check_invariants()

    def flood(self, first_words: tuple[bytes, ...], **options) -> None:
        self.start(workers=1, **options)
        self.upstream.forgive_errors = True
        before = self.proxy.scrape()
        served = []
        with self.neighbour():
            self.upstream.script = honest_server
            connections = len(self.upstream.connections)
            began = time.monotonic()
            for first in range(0, FLOOD, PORTION):
                self.wait_for_the_clock(began + first / RATE)
                for number in range(first, first + PORTION):
                    self.connect_and_reset(first_words[number % len(first_words)])
                if first % (5 * PORTION) == 0:
                    served.append(well_behaved_session(self.proxy.address, self.proxy.tls))
        self.assertLess(max(served), scaled(1), "a well-behaved session during the flood")
        accepted = before.sum("imapmeter_sessions_accepted_total") + FLOOD + len(served) + 1  # the neighbour
        self.after = self.proxy.wait_for("imapmeter_sessions_closed_total", accepted)
        self.assertEqual(self.after.sum("imapmeter_sessions_accepted_total"), accepted)
        self.dialled = len(self.upstream.connections) - connections - len(served)

    def connect_and_reset(self, first_words: bytes) -> None:
        client = FakeClient(self.proxy.address, tls=False, keep=False)
        if first_words:
            client.send(first_words)
        client.reset()

    @staticmethod
    def wait_for_the_clock(until: float) -> None:
        while (left := until - time.monotonic()) > 0:
            time.sleep(left)  # a flood has a rate


if __name__ == "__main__":
    unittest.main()
