#!/usr/bin/env python3
"""With proxy_protocol each connection to a server begins with a PROXY header, ahead of TLS: the client's address, the one
it has dialled and its TLS, as the header that was accepted has them or else the socket; also for a second server."""

import tempfile
import unittest
from pathlib import Path

from harness import Certificates, FakeUpstream, IntegrationCase, ProxyHeader, binary_header, honest_server

CLIENT, DIALLED = ("192.0.2.7", 50123), ("198.51.100.2", 993)
CLIENT6, DIALLED6 = ("2001:db8:7::7", 50123), ("2001:db8::2", 993)
TRUST = {"proxy_protocol": ["127.0.0.0/8"]}


class OverPlainServers(IntegrationCase):
    tls = None
    ca = None

    def server(self, path: str = "") -> FakeUpstream:
        return FakeUpstream(honest_server, tls=self.tls, path=path, proxy_headers=True)

    def begin(self, config: dict | None = None, path: str = "", **options) -> None:
        settings = {"upstream": {"proxy_protocol": True}, **(config or {})}
        self.start(self.server(path), upstream_ca=self.ca, config=settings, **options)
        self.before = self.proxy.scrape()
        self.upstream.proxy_headers.clear()

    def serve(self, **options) -> ProxyHeader:
        """The header of a whole session: it says what the client's own socket and TLS say."""
        with self.proxy.connect(**options) as client:
            client.read_until(b"* OK ")
            ends = None if isinstance(self.proxy.address, str) else (client.local, client.peer)
            tls = client.tls and (client.tls.version(), client.tls.cipher()[0])
            client.command(b"a LOGOUT")
            client.close_clean()
        header = self.upstream.proxy_headers.pop()
        self.assertEqual(self.upstream.proxy_headers, [])
        if not header.local:
            self.assertEqual((header.tls, header.certificate, header.others), (tls, False, set()))
            if not self.proxy.prelude:
                self.assertEqual((header.source, header.destination), ends)
        return header

    def headers_counted(self) -> int:
        return self.change(self.before, "imapmeter_authored_total", what="proxy_header")

    def test_the_clients_address_and_tls(self):
        self.begin()
        for source in ("127.0.0.1", "127.0.0.77"):
            self.assertEqual(self.serve(source=source).source[0], source)
        self.assertEqual(self.headers_counted(), 2)
        self.check_invariants()

    def test_a_client_without_tls(self):
        self.begin(tls=False)
        self.assertIsNone(self.serve().tls)
        self.assertEqual(self.headers_counted(), 1)
        self.check_invariants()

    def test_a_client_over_ipv6(self):
        self.begin(listen="[::1]:0")
        self.assertEqual(self.serve().source[0], "::1")
        self.check_invariants()

    def test_a_client_of_a_unix_socket_has_no_address(self):
        directory = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="imapmeter-")))
        self.begin(listen=f"unix:{directory}/imap")
        self.assertEqual(self.serve(), ProxyHeader(local=True))
        self.assertEqual(self.headers_counted(), 1)
        self.check_invariants()

    def test_a_server_on_a_unix_socket(self):
        """Which has no other way to know an address."""
        if self.tls:
            return  # a unix socket is plain
        directory = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="imapmeter-")))
        self.begin(path=f"{directory}/server")
        self.assertEqual(self.serve(source="127.0.0.77").source[0], "127.0.0.77")
        self.check_invariants()

    def test_what_an_accepted_header_says(self):
        """Its addresses; the TLS is the one that ends here."""
        self.begin({"listener": TRUST}, prelude=binary_header(CLIENT, DIALLED))
        header = self.serve()
        self.assertEqual((header.source, header.destination), (CLIENT, DIALLED))
        header = self.serve(prelude=binary_header(CLIENT6, DIALLED6))
        self.assertEqual((header.source, header.destination), (CLIENT6, DIALLED6))
        self.check_invariants()

    # Two servers

    def two(self, config: dict | None = None, **options) -> None:
        """The first fails once it has read a header; the second is honest."""
        self.second = self.enterContext(self.server())
        first = self.server()
        self.start(first, upstream_ca=self.ca, config={
            "upstream": {"servers": [first.url, self.second.url], "balance": "failover", "proxy_protocol": True,
                         "any_server_serves_any_user": True}, **(config or {})}, **options)
        self.before = self.proxy.scrape()
        first.proxy_headers.clear()
        first.forgive_errors = True

    def told(self) -> ProxyHeader:
        """What the second has been told."""
        with self.proxy.connect() as client:
            client.read_until(b"* OK ")
            self.ends = (client.local, client.peer)
            client.command(b"a LOGOUT")
            client.close_clean()
        return self.second.proxy_headers.pop()

    def both_told(self) -> ProxyHeader:
        header = self.told()
        self.assertEqual(self.upstream.proxy_headers.pop(), header)
        return header

    def failures(self):
        """Before and after the connection to the first server is the relay's."""
        self.upstream.script = lambda connection: None
        yield "it ends instead of a greeting"
        self.upstream.script = lambda connection: connection.reset()
        yield "it resets"

    def test_after_a_failover_the_second_server_is_told_the_same(self):
        self.two({"listener": TRUST}, prelude=binary_header(CLIENT, DIALLED))
        tried = 0
        for tried, how in enumerate(self.failures(), 1):
            with self.subTest(how):
                header = self.both_told()
                self.assertEqual((header.source, header.destination), (CLIENT, DIALLED))
        self.assertEqual(self.headers_counted(), 2 * tried)
        self.check_invariants()

    def test_after_a_failover_the_second_server_is_told_of_the_socket(self):
        self.two()
        for how in self.failures():
            with self.subTest(how):
                header = self.both_told()
                self.assertEqual((header.source, header.destination), self.ends)
        self.check_invariants()

    def test_a_server_that_cannot_be_reached_is_told_nothing(self):
        self.two({"listener": TRUST}, prelude=binary_header(CLIENT, DIALLED))
        self.upstream.stop_listening()
        self.assertEqual(self.told().destination, DIALLED)
        self.assertEqual(self.headers_counted(), 1)
        self.upstream.listen()
        self.check_invariants()


class OverTlsServers(OverPlainServers):
    def setUp(self):
        super().setUp()
        self.certificates = self.enterContext(Certificates())
        self.tls, self.ca = self.certificates.server_context(), self.certificates.ca

    def failures(self):
        yield from super().failures()
        self.upstream.tls = None
        self.upstream.script = lambda connection: connection.send(b"* OK ready\r\n")
        yield "it speaks no TLS"
        self.upstream.tls = self.tls


if __name__ == "__main__":
    unittest.main()
