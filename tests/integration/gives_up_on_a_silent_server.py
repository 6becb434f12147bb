#!/usr/bin/env python3
"""A5: a server that accepts and does not greet is left at greeting_timeout, its client told by one BYE, unless a part of
a greeting has gone to it already."""

import time
import unittest

from harness import FACTOR, Certificates, FakeUpstream, IntegrationCase
from refuses_when_upstream_is_down import BYE

GREETING_TIMEOUT = 1.0
HALF = b"* OK [CAPABILITY IMAP4rev1 IDLE] hel"


class GivesUpOnASilentServer(IntegrationCase):
    def test_A5_plain(self):
        self.silent()

    def test_A5_behind_tls(self):
        certificates = self.enterContext(Certificates())
        self.silent(tls=certificates.server_context(), ca=certificates.ca)

    def silent(self, tls=None, ca=None):
        self.start(FakeUpstream(tls=tls), upstream_ca=ca, timeouts={"greeting": f"{GREETING_TIMEOUT:g}s"})
        before = self.proxy.scrape()
        log_before = len(self.proxy.log)
        began = time.monotonic()
        silent, server = self.session(greeting=b"")
        half, half_server = self.session(greeting=b"")
        talks_first, third_server = self.session(greeting=b"")
        self.relay(half_server, half, HALF)
        self.relay(talks_first, third_server, b"a NOOP\r\n")

        for client in (silent, talks_first):
            self.assertRegex(client.read_all(), BYE)
            self.in_time(began)
            self.assertEqual(client.finish(), "close_notify+fin")
            client.close()
        self.assertEqual(half.read_all(), b"")  # a BYE here would be a part of that line
        self.in_time(began)
        for connection in (server, half_server, third_server):
            connection.read_all()
            connection.close()
        half.close()
        self.proxy.wait_for("imapmeter_sessions_closed_total", 3, reason="upstream_greeting_timeout", phase="greeting")
        self.assertEqual(self.change(before, "imapmeter_authored_total", what="bye"), 2)
        self.assertEqual(self.change(before, "imapmeter_upstream_connects_total", result="greeting"), 3)
        self.assertEqual(self.change(before, "imapmeter_responses_total"), 0)
        self.assertEqual(len([line for line in self.proxy.log[log_before:] if "warn" in line]), 1)
        self.check_invariants()

    def in_time(self, began: float) -> None:
        self.assertGreaterEqual(time.monotonic() - began, GREETING_TIMEOUT * 0.9)
        self.assertLessEqual(time.monotonic() - began, GREETING_TIMEOUT + FACTOR)


if __name__ == "__main__":
    unittest.main()
