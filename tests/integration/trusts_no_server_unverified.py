#!/usr/bin/env python3
"""A17, A18: a server whose certificate does not hold, or that speaks before its TLS stands, gets no octet of the client
and gives it none."""

import ssl
import unittest

from harness import CHUNKINGS, Certificates, FakeUpstream, IntegrationCase
from refuses_when_upstream_is_down import BYE

SAN = "DNS:localhost,IP:127.0.0.1"
EARLY = b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] do not trust me\r\n"


def context_of(cert, key) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context


class TrustsNoServerUnverified(IntegrationCase):
    def setUp(self):
        super().setUp()
        self.certificates = self.enterContext(Certificates())
        self.good = self.certificates.server_context()
        self.start(FakeUpstream(tls=self.good), upstream_ca=self.certificates.ca)
        self.upstream.forgive_errors = True

    def test_A17(self):
        other_ca = self.enterContext(Certificates())
        cases = {
            "expired": (self.certificates.issue("expired", SAN, days=-1), "certificate_expired"),
            "wrong name": (self.certificates.issue("wrong", "DNS:mail.example,IP:127.0.0.2"), "certificate_name"),
            "self-signed": (self.certificates.self_signed("alone", SAN), "certificate_untrusted"),
            "wrong CA": ((other_ca.cert, other_ca.key), "certificate_untrusted"),
        }
        for what, ((cert, key), result) in cases.items():
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                with self.subTest(what, version=version.name):
                    context = context_of(cert, key)
                    context.maximum_version = version
                    self.refused(context, result)
        attempts = 2 * len(cases)
        self.proxy.wait_for("imapmeter_sessions_closed_total", attempts, reason="upstream_cert_invalid", phase="connect")
        self.upstream.tls = self.good
        self.check_invariants()

    def refused(self, context: ssl.SSLContext, result: str) -> None:
        before = self.proxy.scrape()
        heard = []
        dialled = len(self.upstream.connections)
        self.upstream.tls, self.upstream.script = context, lambda connection: heard.append(connection.read_all())
        with self.proxy.connect() as client:
            client.send(b"a LOGIN user secret\r\n")
            self.assertRegex(client.read_all(), BYE)
            self.assertEqual(client.finish(), "close_notify+fin")
        self.assertEqual(b"".join(heard), b"", "what the server was told")
        self.assertEqual(len(self.upstream.connections) - dialled, 1, "no second attempt, less careful")
        self.assertEqual(self.change(before, "imapmeter_tls_handshakes_total", side="upstream", result=result), 1)
        self.assertEqual(self.change(before, "imapmeter_upstream_connects_total", result="certificate"), 1)
        self.assertEqual(self.change(before, "imapmeter_bytes_total"), 0)

    def test_A18(self):
        """The class of CVE-2026-1642: plaintext at once, behind the ClientHello, and before a handshake that is whole."""
        self.upstream.tls = None  # the test speaks TLS itself where it does
        attempts = 0
        for after_hello in (False, True):
            for chunking in CHUNKINGS:
                with self.subTest(after_hello=after_hello, chunking=chunking):
                    self.speaks_early(after_hello, chunking)
                    attempts += 1
        self.shakes_hands_after_it()
        self.proxy.wait_for("imapmeter_sessions_closed_total", attempts + 1, reason="upstream_tls_error",
                            phase="connect")
        self.upstream.tls = self.good
        self.check_invariants()

    def speaks_early(self, after_hello: bool, chunking: str) -> None:
        with self.proxy.connect() as client, self.upstream.accept() as server:
            if after_hello:
                server.recv()
            try:
                server.send(EARLY, chunking)
            except ConnectionError:
                pass  # closed behind the first octets
            self.told_by_bye(client)

    def shakes_hands_after_it(self) -> None:
        with self.proxy.connect() as client, self.upstream.accept() as server:
            server.send(EARLY)
            server.start_tls(self.good, server_side=True)
            with self.assertRaises((ssl.SSLError, OSError, EOFError)):
                server.handshake()
                server.send(b"* OK inside\r\n")
                server.recv_exact(1)
            self.told_by_bye(client)

    def told_by_bye(self, client) -> None:
        before = self.proxy.scrape()
        self.assertRegex(client.read_all(), BYE)  # of ours alone, nothing of the server's
        self.assertEqual(client.finish(), "close_notify+fin")
        self.assertEqual(self.change(before, "imapmeter_bytes_total"), 0)


if __name__ == "__main__":
    unittest.main()
