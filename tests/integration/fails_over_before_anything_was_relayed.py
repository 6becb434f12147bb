#!/usr/bin/env python3
"""A1, A5, A17, A18 with a second server: whatever fails before the first octet of a greeting costs the client nothing
but time. What has been relayed cannot be taken back: then the session ends as it does with one server."""

import ssl
import unittest

from harness import FACTOR, Certificates, FakeUpstream, IntegrationCase, honest_server, well_behaved_session
from refuses_when_upstream_is_down import BYE

SESSIONS = 2
GREETING_TIMEOUT = f"{300 * FACTOR:.0f}ms"


def drop(connection) -> None:
    """FIN, and close_notify where there is TLS."""


class FailsOver(IntegrationCase):
    tls = None
    ca = None

    def two(self, **options) -> None:
        """`upstream` comes first as long as it is up, `second` is honest."""
        self.second = self.enterContext(FakeUpstream(honest_server, tls=self.tls))
        first = FakeUpstream(tls=self.tls)
        self.start(first, upstream_ca=self.ca, timeouts={"greeting": GREETING_TIMEOUT},
                   config={"upstream": {"servers": [first.url, self.second.url], "balance": "failover",
                                        "any_server_serves_any_user": True}}, **options)
        self.assertTrue(self.second.never_connected())
        first.forgive_errors = True

    def connects(self, before, server: FakeUpstream, result: str) -> int:
        return self.change(before, "imapmeter_upstream_connects_total", server=f"127.0.0.1:{server.address[1]}",
                           result=result)

    def served_by_the_second(self, result: str) -> None:
        """The first gives `result`."""
        before = self.proxy.scrape()
        for _ in range(SESSIONS):
            well_behaved_session(self.proxy.address)
        self.proxy.wait_for("imapmeter_upstream_sessions", 0)
        self.assertEqual(self.connects(before, self.upstream, result), SESSIONS)
        self.assertEqual(self.connects(before, self.second, "ok"), SESSIONS)
        self.assertEqual(self.change(before, "imapmeter_upstream_connects_total"), 2 * SESSIONS)
        self.assertEqual(self.change(before, "imapmeter_sessions_closed_total", reason="logout"), SESSIONS)
        self.assertEqual(self.change(before, "imapmeter_authored_total", what="bye"), 0)

    def given_up(self, reason: str, phase: str) -> None:
        """By the last server's failure."""
        before = self.proxy.scrape()
        with self.proxy.connect() as client:
            self.assertRegex(client.read_all(), BYE)
            self.assertEqual(client.finish(), "close_notify+fin")
        self.proxy.wait_for("imapmeter_sessions", 0)
        self.assertEqual(self.change(before, "imapmeter_sessions_closed_total", reason=reason, phase=phase), 1)
        self.assertEqual(self.change(before, "imapmeter_sessions_closed_total"), 1)
        self.assertEqual(self.change(before, "imapmeter_upstream_connects_total"), 2)
        self.assertEqual(self.change(before, "imapmeter_authored_total", what="bye"), 1)


class PlainServers(FailsOver):
    def test_what_fails_is_followed_by_the_next(self):
        self.two()
        for what, script, result in (("ends", drop, "greeting"), ("resets", lambda c: c.reset(), "reset"),
                                     ("is silent", lambda c: c.read_all(), "greeting")):
            with self.subTest(what):
                self.upstream.script = script
                self.served_by_the_second(result)
        with self.subTest("refuses"):
            self.upstream.stop_listening()
            self.served_by_the_second("refused")
            self.upstream.listen()
        self.check_invariants()

    def test_the_last_failure_is_the_reason(self):
        self.two()
        self.upstream.script = drop
        self.second.stop_listening()
        self.given_up("upstream_refused", "connect")
        self.second.listen()
        self.upstream.stop_listening()
        self.second.script = drop
        self.given_up("upstream_eof", "greeting")
        self.second.script = lambda connection: connection.read_all()
        self.given_up("upstream_greeting_timeout", "greeting")
        self.upstream.listen()
        self.check_invariants()

    def test_what_was_relayed_is_not_said_twice(self):
        """A greeting, BYE included, is the client's. Nor does a second server get what the client told the first."""
        self.two()
        before = self.proxy.scrape()
        self.upstream.script = lambda connection: connection.send(b"* BYE full\r\n")
        with self.proxy.connect() as client:
            self.assertEqual(client.read_all(), b"* BYE full\r\n")
        self.upstream.script = lambda connection: connection.send(b"* OK [CAPABI")
        with self.proxy.connect() as client:
            self.assertEqual(client.read_all(), b"* OK [CAPABI")
        self.upstream.script = lambda connection: (connection.send(b"* OK unfin"), connection.read_all())
        with self.proxy.connect() as client:
            self.assertEqual(client.read_all(), b"* OK unfin")
        self.upstream.script = None
        with self.proxy.connect() as client, self.upstream.accept() as server:
            client.send(b"a LOGIN user secret\r\n")
            server.expect(b"a LOGIN user secret\r\n")
            server.close_clean()
            self.assertRegex(client.read_all(), BYE)
        self.proxy.wait_for("imapmeter_sessions", 0)
        self.assertTrue(self.second.never_connected())
        self.assertEqual(self.change(before, "imapmeter_upstream_connects_total", result="greeting"), 4)
        self.check_invariants()


class TlsServers(FailsOver):
    def setUp(self):
        super().setUp()
        self.certificates = self.enterContext(Certificates())
        self.tls, self.ca = self.certificates.server_context(), self.certificates.ca

    def test_what_fails_is_followed_by_the_next(self):
        self.two()
        expired = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        expired.load_cert_chain(*self.certificates.issue("expired", "DNS:localhost,IP:127.0.0.1", days=-1))
        for what, context, script, result in (
                ("ends before the greeting", self.tls, drop, "greeting"),
                ("has a bad certificate", expired, lambda c: c.read_all(), "certificate"),
                ("speaks no TLS", None, lambda c: c.send(b"* OK ready\r\n"), "tls"),
                ("ends instead of a handshake", None, drop, "tls")):
            with self.subTest(what):
                self.upstream.tls, self.upstream.script = context, script
                self.served_by_the_second(result)
        self.upstream.tls = self.tls
        self.check_invariants()

    def test_the_last_failure_is_the_reason(self):
        self.two()
        self.upstream.stop_listening()
        self.second.tls, self.second.script, self.second.forgive_errors = None, drop, True
        self.given_up("upstream_tls_error", "connect")
        self.upstream.listen()
        self.check_invariants()


if __name__ == "__main__":
    unittest.main()
