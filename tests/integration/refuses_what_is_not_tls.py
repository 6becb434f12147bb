#!/usr/bin/env python3
"""B6: what is not TLS on a TLS port is closed, neither answered with its own octets nor written to the log."""

import random
import unittest

from harness import CHUNKINGS, IntegrationCase, wait_until

SECRET = b"hunter2-of-the-plaintext-client"
SSLV2_HELLO = bytes.fromhex("802e0100020015000000100100800200800300800400800500800600400700c0") + bytes(16)
ALERT = 0x15
NOT_TLS = {
    "plaintext IMAP": b"a LOGIN user " + SECRET + b"\r\n",
    "HTTP": b"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic " + SECRET + b"\r\n\r\n",
    "SSLv2 hello": SSLV2_HELLO,
    "garbage": b"\x00" + random.Random(66).randbytes(300),
    "a TLS record of nonsense": b"\x16\x03\x01\x00\x40" + random.Random(67).randbytes(64),
    "an alert first": b"\x15\x03\x01\x00\x02\x02\x28" + SECRET,
}


class RefusesWhatIsNotTls(IntegrationCase):
    def test_B6(self):
        self.start()
        before = self.proxy.scrape()
        lines_before = len(self.proxy.log)
        dialled = len(self.upstream.connections)
        for what, octets in NOT_TLS.items():
            for chunking in CHUNKINGS:
                with self.subTest(what, chunking=chunking):
                    self.refused(octets, chunking)
        attempts = len(NOT_TLS) * len(CHUNKINGS)
        seen = {}

        def counted():
            metrics = self.proxy.scrape()
            for reason in ("not_tls", "client_tls_error"):
                seen[reason] = metrics.sum("imapmeter_sessions_closed_total", reason=reason, phase="handshake")
            return sum(seen.values()) == attempts

        try:
            wait_until(counted, 5, "every attempt counted as not_tls or client_tls_error")
        except AssertionError as error:
            self.fail(f"{error}: {seen} for {attempts}")
        self.assertGreaterEqual(seen["not_tls"], 2 * len(CHUNKINGS), "IMAP and HTTP are not TLS")
        self.assertEqual(self.change(before, "imapmeter_tls_handshakes_total", side="client", result="ok"), 0)
        self.assertEqual(len(self.upstream.connections), dialled, "dialled the upstream")
        lines = self.proxy.log[lines_before:]
        self.assertFalse([line for line in lines if SECRET.decode() in line or "user" in line])
        warnings = [line for line in lines if "warn" in line.lower()]
        self.assertLessEqual(len(warnings), 2, "one rate-limited line per reason")
        self.check_invariants()

    def refused(self, octets: bytes, chunking: str) -> None:
        with self.proxy.connect(tls=False) as client:
            try:
                client.send(octets, chunking)
            except ConnectionError:
                pass  # closed before the last chunk
            answer = client.read_all()
            self.assertIn(client.closed_by_peer, ("fin", "reset"))
            self.assertLessEqual(len(answer), 7)
            if answer:
                self.assertEqual(answer[0], ALERT)


if __name__ == "__main__":
    unittest.main()
