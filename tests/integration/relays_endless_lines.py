#!/usr/bin/env python3
"""A7: a line of 1 GB without CRLF passes exactly, in constant memory and linear time, and reading goes on behind it.

64 MiB by default, 1 GiB with IMAPMETER_LONG=1.
"""

import os
import threading
import unittest

from harness import FakeUpstream, IntegrationCase

MIB = 1 << 20
SIZE = (1024 if os.environ.get("IMAPMETER_LONG") else 64) * MIB
BLOCK = (b"A line that goes on (and \"on {5} [ALERT] " + bytes(range(128, 256))) * 400
START = b"* 1 FETCH (X-ENDLESS "
WARM_UP = b"* 2 FETCH (BODY[] {1000}\r\n" + b"x" * 1000 + b")\r\n"


class RelaysEndlessLines(IntegrationCase):
    def test_A7(self):
        self.start(FakeUpstream(keep=False), workers=1)
        client, server = self.session(keep=False)
        for _ in range(4000):  # buffers that any traffic uses are in the baseline
            self.relay_block(server, client, WARM_UP)
        before = self.proxy.scrape()
        resident = self.proxy.process.rss()

        self.relay_block(server, client, START)
        with self.neighbour():
            first = self.cpu_for(server, client, SIZE // 2)
            second = self.cpu_for(server, client, SIZE // 2)
        grown = self.proxy.process.rss() - resident
        self.assertTrue(self.proxy.process.sanitized() or grown <= MIB, f"resident memory grew by {grown} octets")
        self.assertLess(second, 1.5 * first + 0.1, "the second half of the line costs more than the first")

        self.relay_block(client, server, b"a NOOP\r\n")
        self.relay_block(server, client, b"\r\n* NO [ALERT] read on\r\na NO done\r\n")
        self.assertEqual(client.received.hexdigest(), server.sent.hexdigest())
        self.assertEqual(self.change(before, "imapmeter_responses_total", kind="tagged", status="NO"), 1)
        self.assertEqual(self.change(before, "imapmeter_status_codes_total", status_code="ALERT"), 1)
        self.assertEqual(self.change(before, "imapmeter_opaque_sessions_total"), 0)
        server.shutdown_write()
        self.assertEqual(client.close_clean(), "close_notify+fin")
        self.check_invariants()

    def cpu_for(self, server, client, size: int) -> float:
        """Seconds of imapmeter's CPU for so much of the line."""
        start = self.proxy.process.cpu_seconds()
        sending = threading.Thread(target=lambda: [server.send(BLOCK) for _ in range(size // len(BLOCK))])
        sending.start()
        octets = size // len(BLOCK) * len(BLOCK)
        self.assertEqual(client.consume(octets), octets)
        sending.join()
        return self.proxy.process.cpu_seconds() - start

    @staticmethod
    def relay_block(sender, receiver, data: bytes) -> None:
        sender.send(data)
        receiver.expect(data)


if __name__ == "__main__":
    unittest.main()
