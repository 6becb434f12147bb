#!/usr/bin/env python3
"""A6: whatever an upstream says first goes to the client as it is; text is read on, binary and endless is not."""

import random
import unittest

from harness import CHUNKINGS, IntegrationCase

TEXT = {
    "HTTP": b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\n\r\n<h1>Bad Request</h1>\r\n",
    "SMTP 421": b"421 Server is busy\r\n",
    "POP3": b"+OK ready\r\n",
    "no star": b" NO LOGOUT Intrusion prevention active\r\n",
}
MALFORMED_STATUS = {"untagged NO": b"* NO go away\r\n", "untagged BAD": b"* BAD what\r\n"}


def binary(size: int) -> bytes:
    """Random octets, a NUL before the first LF."""
    return b"\x15\x03\x01\x00\x02\x02\x28" + random.Random(6).randbytes(size)


def endless(size: int) -> bytes:
    """One line that does not end."""
    return b"* OK " + random.Random(7).randbytes(size).replace(b"\n", b"n").replace(b"\0", b"0")


class RelaysGarbageGreetings(IntegrationCase):
    def setUp(self):
        super().setUp()
        self.start()

    def test_A6_text_is_counted_and_reading_goes_on(self):
        for what, garbage in TEXT.items():
            for chunking in CHUNKINGS:
                with self.subTest(what, chunking=chunking):
                    before = self.proxy.scrape()
                    self.garbage_then_noop(garbage, chunking)
                    self.assertEqual(self.change(before, "imapmeter_status_codes_total", status_code="NOT_DEFINED"), 1)
                    self.assertEqual(self.change(before, "imapmeter_anomalies_total", kind="greeting_malformed"), 1)
                    self.assertEqual(self.change(before, "imapmeter_responses_total", kind="greeting"), 0)
                    self.assertEqual(self.change(before, "imapmeter_responses_total", kind="tagged", status="OK"), 1)
                    self.assertEqual(self.change(before, "imapmeter_opaque_sessions_total"), 0)
        self.check_invariants()

    def test_A6_no_and_bad_are_malformed_greetings(self):
        for what, garbage in MALFORMED_STATUS.items():
            for chunking in CHUNKINGS:
                with self.subTest(what, chunking=chunking):
                    before = self.proxy.scrape()
                    self.garbage_then_noop(garbage, chunking)
                    status = garbage.split()[1].decode()
                    greeted = self.change(before, "imapmeter_responses_total", kind="greeting", status=status)
                    self.assertEqual(greeted, 1)
                    self.assertEqual(self.change(before, "imapmeter_anomalies_total", kind="greeting_malformed"), 1)
                    self.assertEqual(self.change(before, "imapmeter_responses_total", kind="tagged", status="OK"), 1)
        self.check_invariants()

    def test_A6_binary_and_endless_go_opaque(self):
        for what, garbage in (("binary", binary), ("endless", endless)):
            for chunking in CHUNKINGS:
                with self.subTest(what, chunking=chunking):
                    before = self.proxy.scrape()
                    self.garbage_then_noop(garbage(16_000 if chunking == "octets" else 1_000_000), chunking)
                    self.assertEqual(self.change(before, "imapmeter_opaque_sessions_total", reason="parser"), 1)
                    self.assertEqual(self.change(before, "imapmeter_responses_total"), 0)
        self.check_invariants()

    def garbage_then_noop(self, garbage: bytes, chunking: str) -> None:
        """The bytes flow on in both directions, and the end of a plaintext upstream is a clean one."""
        before = self.proxy.scrape()
        client, server = self.session(greeting=b"")
        self.relay(server, client, garbage, chunking)
        self.relay(client, server, b"a NOOP\r\n", chunking)
        self.relay(server, client, b"a OK done\r\n", chunking)
        server.shutdown_write()
        self.assertEqual(client.finish(), "close_notify+fin")
        client.close_clean()
        closed = before.sum("imapmeter_sessions_closed_total", reason="upstream_eof") + 1
        self.proxy.wait_for("imapmeter_sessions_closed_total", closed, reason="upstream_eof")
        self.assertEqual(self.change(before, "imapmeter_bytes_total", direction="server_to_client"),
                         len(garbage + b"a OK done\r\n"))


if __name__ == "__main__":
    unittest.main()
