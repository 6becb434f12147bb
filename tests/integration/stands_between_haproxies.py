#!/usr/bin/env python3
"""Real HAProxys in front of imapmeter and behind it agree with it about the PROXY header: each side learns the address of
the client, and where it has dialled to."""

import unittest

from harness import FakeClient, FakeUpstream, IntegrationCase, honest_server, text_header, wait_until
from harness.haproxy import HAProxy

SOURCE = "127.0.0.77"
TRUST = {"listener": {"proxy_protocol": ["127.0.0.0/8"]}, "log": {"client_address": "clear"}}
TELL = {"upstream": {"proxy_protocol": True}}
ITSELF = text_header(("127.0.0.1", 1), ("127.0.0.1", 993))


class StandsBetweenHAProxies(IntegrationCase):
    def serve(self, address: tuple[str, int]) -> tuple[tuple[str, int], tuple[str, int]]:
        """A session from SOURCE; its two ends as the client knows them."""
        with FakeClient(address, source=SOURCE) as client:
            ends = client.local, client.peer
            client.read_until(b"* OK ")
            for line in (b"a LOGIN user secret", b"b LOGOUT"):
                self.assertIn(b" OK", client.command(line)[-1])
            self.assertEqual(client.finish(), "close_notify+fin")
        return ends

    def logged(self, haproxy: HAProxy, ends) -> None:
        expected = "from {}:{} to {}:{}".format(*ends[0], *ends[1])
        wait_until(lambda: expected in haproxy.lines, what=f"{expected!r} among {haproxy.lines}")

    def test_in_front_it_is_believed(self):
        """Through imapmeter, the server learns what HAProxy has seen."""
        self.start(FakeUpstream(honest_server, proxy_headers=True), config={**TRUST, **TELL}, prelude=ITSELF)
        for words in ("send-proxy", "send-proxy-v2", "send-proxy-v2-ssl"):
            with self.subTest(words), HAProxy(self.proxy.address, server=words) as front:
                sessions = len(self.proxy.records("session"))
                ends = self.serve(front.address)
                header = self.upstream.proxy_headers[-1]
                self.assertEqual((header.source, header.destination), ends)
                self.assertEqual(header.tls[0], "TLSv1.3", "the TLS that ends here")
                wait_until(lambda: len(self.proxy.records("session")) > sessions, what="the line of the session")
                self.assertEqual(self.proxy.records("session")[-1]["client"], SOURCE)
        self.check_invariants()

    def test_its_health_checks_are_no_trouble(self):
        """They say PROXY LOCAL, and end."""
        self.start(FakeUpstream(honest_server), config=TRUST, prelude=ITSELF)
        before = self.proxy.scrape()
        with HAProxy(self.proxy.address, server="send-proxy-v2 check inter 50ms") as front:
            wait_until(lambda: self.change(before, "imapmeter_sessions_closed_total") >= 5, what="five checks")
            self.serve(front.address)
            self.assertFalse([line for line in front.lines if "DOWN" in line])
        self.assertEqual(self.change(before, "imapmeter_sessions_closed_total", reason="proxy_protocol"), 0)
        self.check_invariants()

    def test_without_a_header_it_is_refused(self):
        self.start(FakeUpstream(honest_server), config=TRUST, prelude=ITSELF)
        with HAProxy(self.proxy.address) as front:
            with self.assertRaises((EOFError, OSError)):
                FakeClient(front.address)
        self.assertEqual(self.closed("proxy_protocol", "handshake"), 1)
        self.check_invariants()

    def test_behind_it_believes(self):
        """Its log has the client's address and the one that the client dialled."""
        server = self.enterContext(FakeUpstream(honest_server))
        with HAProxy(server.address, bind="accept-proxy") as behind:
            self.start(FakeUpstream(honest_server), config={
                "upstream": {"proxy_protocol": True, "servers": ["imap://{}:{}".format(*behind.address)]}})
            ends = self.serve(self.proxy.address)
            self.assertEqual(ends[1], self.proxy.address)
            self.logged(behind, ends)
            self.check_invariants()

    def test_between_two_of_them(self):
        server = self.enterContext(FakeUpstream(honest_server))
        with HAProxy(server.address, bind="accept-proxy") as behind:
            self.start(FakeUpstream(honest_server), prelude=ITSELF, config={
                **TRUST, "upstream": {"proxy_protocol": True, "servers": ["imap://{}:{}".format(*behind.address)]}})
            for words in ("send-proxy", "send-proxy-v2"):
                with self.subTest(words), HAProxy(self.proxy.address, server=words) as front:
                    self.logged(behind, self.serve(front.address))
            self.check_invariants()


if __name__ == "__main__":
    unittest.main()
