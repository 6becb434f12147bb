#!/usr/bin/env python3
"""B18: a TLS client that names protocols by ALPN must name IMAP among them; one that names none may come in."""

import ssl
import unittest

from harness import FakeClient, IntegrationCase, honest_server
from harness.certificates import trusting_nothing


def naming(*protocols: str, version=ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    context = trusting_nothing()
    context.maximum_version = version
    if protocols:
        context.set_alpn_protocols(protocols)
    return context


class RefusesOtherProtocolsByAlpn(IntegrationCase):
    def test_B18(self):
        self.start()
        self.upstream.script = honest_server
        dialled = len(self.upstream.connections)
        others = (("h2",), ("h2", "http/1.1"), ("imap4",), ("IMAP",), ("ima",))
        versions = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
        for version in versions:
            for protocols in others:
                with self.subTest(protocols, version=version.name):
                    with self.assertRaisesRegex(ssl.SSLError, "no application protocol"):
                        FakeClient(self.proxy.address, naming(*protocols, version=version))
        refused = len(versions) * len(others)
        self.proxy.wait_for("imapmeter_sessions_closed_total", refused, reason="client_alpn", phase="handshake")
        self.proxy.wait_for("imapmeter_tls_handshakes_total", refused, side="client", result="alpn")
        self.assertEqual(len(self.upstream.connections), dialled, "dialled the upstream")
        for version in versions:
            for protocols, chosen in ((("imap",), "imap"), (("h2", "imap"), "imap"), ((), None)):
                with self.subTest(protocols, version=version.name):
                    with FakeClient(self.proxy.address, naming(*protocols, version=version)) as client:
                        self.assertEqual(client.tls.selected_alpn_protocol(), chosen)
                        client.read_until(b"* OK ")
                        client.command(b"a LOGOUT")
                        client.finish()
        self.check_invariants()


if __name__ == "__main__":
    unittest.main()
