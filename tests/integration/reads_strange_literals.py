#!/usr/bin/env python3
"""A9: literal markers of every size and shape are framed or taken for text as the protocol says, octets exact.

Each row is what the server sends while `t` is outstanding. A literal's octets end in CRLF and the tag, so that a reader
that misses the literal (or invents one) counts a wrong number of tagged responses.
"""

import unittest

from harness import CHUNKINGS, IntegrationCase

FAKE = b" OK fake)\r\n"  # the rest of the response behind a literal that ended in CRLF and the tag


def framed(marker: bytes, literal: bytes) -> bytes:
    return b"* 1 FETCH (BODY[] " + marker + b"\r\n" + literal + FAKE


def text(line: bytes) -> bytes:
    return b"* 1 FETCH (X " + line + b"\r\n"


# what: (octets, anomaly or "")
READ_ON = {
    "{0}": (b"* 1 FETCH (BODY[] {0}\r\n)\r\n", ""),
    "{007}": (framed(b"{007}", b"abcd\r\nt"), ""),
    "{5}": (framed(b"{5}", b"ab\r\nt"), ""),
    "no space before it": (b"* 1 FETCH (BODY[]{5}\r\nab\r\nt" + FAKE, ""),
    "~{5}": (framed(b"~{5}", b"\0\0\r\nt"), ""),
    "{5+} from the server": (framed(b"{5+}", b"ab\r\nt"), "literal_plus_from_server"),
    "behind an open quote": (b'* 1 FETCH (X "HTML"" NIL {5}\r\nab\r\nt' + FAKE, "quote_open_at_literal"),
    "{}": (text(b"{}"), ""),
    "{a}": (text(b"{a}"), ""),
    "{ 1}": (text(b"{ 1}"), ""),
    "{1 }": (text(b"{1 }"), ""),
    "{-1}": (text(b"{-1}"), ""),
    "closed by a quote": (text(b'"a {5}"'), ""),
    "} missing": (text(b"{5"), ""),
    "not at the end of the line": (text(b"{5} "), ""),
    "in human text": (b"* OK saved {5}\r\n", ""),
    "in a continuation": (b"+ go {5}\r\n", ""),
    "bare LF": (b"* 1 FETCH (FLAGS ())\n", "bare_lf"),
}
TOO_LARGE = {
    "2^63": b"{9223372036854775808}",
    "2^64": b"{18446744073709551616}",
    "1,000 digits": b"{" + b"9" * 1000 + b"}",
}
LARGEST = b"{9223372036854775807}"


class ReadsStrangeLiterals(IntegrationCase):
    def setUp(self):
        super().setUp()
        self.start()

    def test_A9_reading_goes_on(self):
        for what, (octets, anomaly) in READ_ON.items():
            for chunking in CHUNKINGS:
                with self.subTest(what, chunking=chunking):
                    self.read_on(octets, anomaly, chunking)
        self.check_invariants()

    def read_on(self, octets: bytes, anomaly: str, chunking: str) -> None:
        client, server = self.session()
        self.login(client, server)
        before = self.proxy.scrape()
        self.relay(client, server, b"t NOOP\r\n")
        self.relay(server, client, octets, chunking)
        self.assertEqual(self.change(before, "imapmeter_responses_total", kind="tagged"), 0)
        self.relay(server, client, b"t OK done\r\n", chunking)
        self.assertEqual(self.change(before, "imapmeter_responses_total", kind="tagged", status="OK"), 1)
        after = self.proxy.scrape()
        seen = {kind: count - before.sum("imapmeter_anomalies_total", kind=kind)
                for kind, count in after.by("imapmeter_anomalies_total", "kind").items()}
        self.assertEqual({kind for kind, count in seen.items() if count}, {anomaly} - {""})
        self.assertEqual(self.change(before, "imapmeter_opaque_sessions_total"), 0)
        self.end(client, server)

    def test_A9_above_the_largest_size_is_opaque(self):
        for what, marker in TOO_LARGE.items():
            for chunking in CHUNKINGS:
                with self.subTest(what, chunking=chunking):
                    client, server = self.session()
                    before = self.proxy.scrape()
                    self.relay(client, server, b"t NOOP\r\n")
                    self.relay(server, client, framed(marker, b"ab\r\nt"), chunking)
                    self.relay(server, client, b"t OK done\r\n", chunking)
                    self.assertEqual(self.change(before, "imapmeter_opaque_sessions_total", reason="parser"), 1)
                    self.assertEqual(self.change(before, "imapmeter_responses_total"), 0)
                    self.end(client, server)
        self.check_invariants()

    def test_A9_the_largest_size_is_counted_down(self):
        for chunking in CHUNKINGS:
            with self.subTest(chunking):
                client, server = self.session()
                before = self.proxy.scrape()
                self.relay(client, server, b"t NOOP\r\n")
                self.relay(server, client, framed(LARGEST, b"ab\r\nt") + b"t OK inside\r\n" * 100, chunking)
                self.assertEqual(self.change(before, "imapmeter_opaque_sessions_total"), 0)
                self.assertEqual(self.change(before, "imapmeter_responses_total"), 0)
                self.end(client, server)
        self.check_invariants()

    def end(self, client, server) -> None:
        self.assertEqual(bytes(client.received.data), bytes(server.sent.data))
        self.assertEqual(bytes(server.received.data), bytes(client.sent.data))
        server.shutdown_write()
        self.assertEqual(client.close_clean(), "close_notify+fin")


if __name__ == "__main__":
    unittest.main()
