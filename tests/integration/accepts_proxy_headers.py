#!/usr/bin/env python3
"""A listener with proxy_protocol believes PROXY headers of trusted networks, both versions and however they are cut up;
the address in them is the client's for the log and for the limits. Whatever else comes first ends the connection as
proxy_protocol, before TLS and before any server hears of it."""

import ssl
import tempfile
import time
import unittest
from collections import Counter
from pathlib import Path

from ends_slow_handshakes import client_hello
from harness import FakeClient, FakeUpstream, IntegrationCase, binary_header, honest_server, scaled, text_header, wait_until
from harness.proxy_header import LOCAL, SIGNATURE, UNKNOWN, extension

TRUSTED, STRANGER = "127.0.0.1", "127.0.0.2"
CLIENT, CLIENT6 = ("192.0.2.7", 50123), ("2001:db8:7::7", 50123)
DIALLED, DIALLED6 = ("198.51.100.2", 993), ("2001:db8::2", 993)
LONG = extension(0xe0, bytes(range(256)) * 4)
TLS = extension(0x20, b"\1\0\0\0\0" + extension(0x21, b"TLSv1.3")) + extension(0x02, b"mail.example.org")

# What may stand there, and the client's address in the log.
HEADERS = {
    "text": (text_header(CLIENT, DIALLED), CLIENT[0]),
    "text, IPv6": (text_header(CLIENT6, DIALLED6), CLIENT6[0]),
    "text, UNKNOWN": (UNKNOWN, TRUSTED),
    "text, UNKNOWN with more": (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", TRUSTED),
    "binary": (binary_header(CLIENT, DIALLED), CLIENT[0]),
    "binary, IPv6": (binary_header(CLIENT6, DIALLED6), CLIENT6[0]),
    "binary, LOCAL": (LOCAL, TRUSTED),
    "binary, with TLS": (binary_header(CLIENT, DIALLED, TLS), CLIENT[0]),
    "binary, long": (binary_header(CLIENT, DIALLED, LONG), CLIENT[0]),
}
# What may not, of which the first octets decide.
OTHERS = {
    "TLS": client_hello(),
    "IMAP": b"a LOGIN user secret\r\n",
    "HTTP": b"GET / HTTP/1.1\r\n\r\n",
    "a line end": b"\r\n\r\n\r\n",
    "a NUL": b"\0",
    "a wrong word": b"PROXY TCP9 192.0.2.7 198.51.100.2 50123 993\r\n",
    "a wrong address": b"PROXY TCP4 192.0.2.777 198.51.100.2 50123 993\r\n",
    "an endless line": b"PROXY TCP4 " + 100 * b"1",
    "a later version": SIGNATURE + b"\x31\x11\0\x0c",
    "addresses cut short": SIGNATURE + b"\x21\x11\0\x0b" + bytes(11),
    "a header that is too long": SIGNATURE + b"\x21\x11\xff\xff",
}


class AcceptsProxyHeaders(IntegrationCase):
    def begin(self, prelude: bytes = HEADERS["binary"][0], config: dict | None = None, **options) -> None:
        whole = {"listener": {"proxy_protocol": [TRUSTED + "/32"]}, "log": {"client_address": "clear"}, **(config or {})}
        self.start(FakeUpstream(honest_server), config=whole, prelude=prelude, **options)
        self.upstream.forgive_errors = True
        self.seen = Counter(logout=1)

    def end_of_next(self, reason: str) -> dict:
        """The record of the session that ends so next."""
        ends = []

        def there():
            ends[:] = [record for record in self.proxy.records("session") if record["reason"] == reason]
            return len(ends) > self.seen[reason]

        wait_until(there, what=f"the line of a session that ends as {reason}")
        self.seen[reason] += 1
        self.assertEqual(len(ends), self.seen[reason])
        return ends[-1]

    def serve(self, client: FakeClient) -> dict:
        """A whole session; its record."""
        with client:
            client.read_until(b"* OK ")
            for line in (b"a LOGIN user secret", b"b LOGOUT"):
                self.assertIn(b" OK", client.command(line)[-1])
            client.finish()
        return self.end_of_next("logout")

    def bare(self, **options) -> FakeClient:
        """A connection that has said nothing."""
        return self.enterContext(FakeClient(self.proxy.address, tls=False, **options))

    def until_all_is_read(self) -> None:
        """With workers=1: whoever connects now is heard after all that has been sent."""
        with self.bare() as later:
            later.send_raw(b"?")
            self.assertEqual(later.read_all(), b"")

    # What is believed

    def test_every_header_before_tls(self):
        self.begin()
        for name, (header, address) in HEADERS.items():
            with self.subTest(name):
                self.assertEqual(self.serve(self.proxy.connect(prelude=header))["client"], address)
            with self.subTest(name, glued="to the ClientHello"):
                client = self.proxy.connect(prelude=b"", handshake=False)
                client.handshake(ahead=header)
                self.assertEqual(self.serve(client)["client"], address)
        self.check_invariants()

    def test_every_header_before_imap(self):
        self.begin(tls=False)
        for name, (header, address) in HEADERS.items():
            with self.subTest(name):
                self.assertEqual(self.serve(self.proxy.connect(prelude=header))["client"], address)
            with self.subTest(name, glued="to commands"):
                client = self.proxy.connect(prelude=header + b"a LOGIN user secret\r\nb LOGOUT\r\n")
                self.assertIn(b"b OK bye\r\n", client.read_all())
                client.close()
                self.assertEqual(self.end_of_next("logout")["client"], address)
        self.check_invariants()

    def test_every_header_cut_up(self):
        """Each octet is read before the next is sent."""
        self.begin(workers=1)
        for name, (header, address) in HEADERS.items():
            if len(header) > 200:
                continue
            with self.subTest(name):
                client = self.proxy.connect(prelude=b"", handshake=False)
                for octet in header:
                    client.send_raw(bytes((octet,)))
                    self.until_all_is_read()
                client.handshake()
                self.assertEqual(self.serve(client)["client"], address)
        self.check_invariants()

    def test_the_log_shows_of_the_address_what_it_may(self):
        for mode, pattern in (("off", None), ("truncated", r"^192\.0\.2\.0/24$"), ("hashed", r"^[0-9a-f]{16}$")):
            with self.subTest(mode):
                self.begin(config={"log": {"client_address": mode}})
                client = self.serve(self.proxy.connect())["client"]
                self.assertIsNone(client) if pattern is None else self.assertRegex(client, pattern)
                self.assertFalse(self.proxy.log_lines(CLIENT[0]))

    def test_who_may_open_a_unix_socket_is_trusted(self):
        directory = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="imapmeter-")))
        self.begin(listen=f"unix:{directory}/imap")
        for name, (header, address) in HEADERS.items():
            with self.subTest(name):
                record = self.serve(self.proxy.connect(prelude=header))
                self.assertEqual(record["client"], "unix" if address == TRUSTED else address)
        self.check_invariants()

    def test_limits_are_those_of_the_address(self):
        """Not of the proxy in front, from which all of them come."""
        self.begin(config={"limits": {"sessions_per_network": 2}})
        held = []
        for address in ("192.0.2.1", "192.0.2.2", "198.51.100.1", "198.51.100.2"):
            held.append(self.enterContext(self.proxy.connect(prelude=text_header((address, 1), DIALLED))))
            held[-1].read_until(b"* OK ")
        for header in (text_header(("192.0.2.3", 1), DIALLED), binary_header(("198.51.100.3", 1), DIALLED)):
            refused = self.bare(prelude=header)
            self.assertEqual(refused.read_all(), b"")
        wait_until(lambda: self.closed("limit_per_ip", "handshake") == 2, what="two refused")
        leaving = held.pop(0)
        leaving.command(b"a LOGOUT")
        leaving.close_clean()
        self.proxy.wait_for("imapmeter_sessions_closed_total", 4)
        with self.proxy.connect(prelude=text_header(("192.0.2.3", 1), DIALLED)) as client:
            client.read_until(b"* OK ")
        for client in held:
            client.close()
        self.check_invariants()

    def test_client_tls_begins_with_the_end_of_the_header(self):
        self.begin()
        began, header = time.monotonic(), HEADERS["binary"][0]
        client = self.proxy.connect(prelude=header[:20], handshake=False)
        wait_until(lambda: time.monotonic() - began > 0.5, what="a pause within the header")
        client.handshake(ahead=header[20:])
        record = self.serve(client)
        steps = sum(record[f"{step}_ms"] or 0 for step in ("client_tls", "connect", "greeting", "login"))
        self.assertGreater(record["duration_ms"] - steps, 400)
        self.check_invariants()

    # What is not

    def refused(self, before, **labels) -> None:
        """As proxy_protocol and nothing else, and nobody else has heard of it."""
        record = self.end_of_next("proxy_protocol")
        self.assertEqual((record["phase"], record["client"]), ("handshake", TRUSTED))
        self.assertEqual(self.change(before, "imapmeter_sessions_closed_total", reason="proxy_protocol", **labels), 1)
        self.assertEqual(self.change(before, "imapmeter_sessions_closed_total"), 1)
        for unmoved in ("imapmeter_tls_handshakes_total", "imapmeter_upstream_connects_total", "imapmeter_authored_total",
                        "imapmeter_bytes_total"):
            self.assertEqual(self.change(before, unmoved), 0, unmoved)

    def test_whatever_else_comes_first_is_refused(self):
        for tls in (True, False):
            self.begin(tls=tls)
            for name, octets in OTHERS.items():
                with self.subTest(name, tls=tls):
                    before = self.proxy.scrape()
                    client = self.bare()
                    client.send_raw(octets)
                    self.assertEqual(client.read_all(), b"")
                    self.refused(before)
            self.assertFalse(self.proxy.log_lines("secret"))
            self.check_invariants()

    def test_a_client_that_speaks_tls_at_once_is_refused(self):
        self.begin()
        before = self.proxy.scrape()
        with self.assertRaises((EOFError, ConnectionError, ssl.SSLError)):
            self.proxy.connect(prelude=b"")
        self.refused(before)
        self.check_invariants()

    def test_other_networks_are_not_trusted(self):
        """Whatever they say."""
        self.begin()
        before = self.proxy.scrape()
        for header in (HEADERS["binary"][0], HEADERS["text"][0], LOCAL, b""):
            client = self.bare(source=STRANGER, prelude=header)
            self.assertEqual(client.read_all(), b"")
            self.assertEqual(self.end_of_next("proxy_protocol")["client"], STRANGER)
        self.assertEqual(self.change(before, "imapmeter_sessions_closed_total", reason="proxy_protocol"), 4)
        self.assertEqual(self.change(before, "imapmeter_tls_handshakes_total"), 0)
        self.check_invariants()

    def test_a_header_has_the_time_of_a_handshake(self):
        self.begin(timeouts={"handshake": f"{300 * scaled(1):.0f}ms"})
        for octets in (b"", HEADERS["text"][0][:-1], HEADERS["binary"][0][:20]):
            before = self.proxy.scrape()
            client = self.bare(prelude=octets)
            self.assertEqual(client.read_all(), b"")
            self.refused(before)
        self.check_invariants()

    def test_an_end_within_the_header_is_client_eof(self):
        self.begin()
        for octets in (b"", HEADERS["text"][0][:10], HEADERS["binary"][0][:20]):
            client = self.bare(prelude=octets)
            client.shutdown_write()
            self.assertEqual(client.read_all(), b"")
            self.end_of_next("client_eof")
        self.check_invariants()

    def test_a_reset_within_the_header_is_client_reset(self):
        self.begin(workers=1)
        for octets in (b"", HEADERS["text"][0][:10], HEADERS["binary"][0][:20]):
            with self.subTest(octets, read_before=False):
                self.bare(prelude=octets).reset()
                self.end_of_next("client_reset")
            with self.subTest(octets, read_before=True):
                client = self.bare(prelude=octets)
                self.until_all_is_read()
                client.reset()
                self.end_of_next("client_reset")
        self.check_invariants()

    def test_a_drain_does_not_wait_for_headers(self):
        self.begin(workers=1)
        client = self.bare(prelude=HEADERS["binary"][0][:20])
        self.until_all_is_read()
        self.proxy.terminate()
        self.assertEqual(client.read_all(), b"")
        self.assertEqual(self.proxy.wait(), 0)
        self.assertEqual(self.proxy.records("session")[-1]["reason"], "drain")


if __name__ == "__main__":
    unittest.main()
