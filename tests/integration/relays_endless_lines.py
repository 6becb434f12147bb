#!/usr/bin/env python3
"""A7, A8: a line of 1 GB without CRLF and a literal of 4 GiB + 1 pass exactly, in constant memory and linear time, and
reading goes on behind them.

64 MiB each by default, full size with IMAPMETER_LONG=1.
"""

import os
import threading
import unittest

from harness import FakeUpstream, IntegrationCase

MIB = 1 << 20
LONG = bool(os.environ.get("IMAPMETER_LONG"))
SIZE = (1024 if LONG else 64) * MIB
LITERAL = (4096 if LONG else 64) * MIB + 1  # 2^32 + 1, of which 32 bits would see 1
BLOCK = (b"A line that goes on (and \"on {5} [ALERT] " + bytes(range(128, 256))) * 400
START = b"* 1 FETCH (X-ENDLESS "
WARM_UP = b"* 2 FETCH (BODY[] {1000}\r\n" + b"x" * 1000 + b")\r\n"


class RelaysEndlessLines(IntegrationCase):
    def test_A7(self):
        client, server, before, resident = self.warm()
        self.relay_block(server, client, START)
        with self.neighbour():
            first = self.cpu_for(server, client, SIZE // 2)
            second = self.cpu_for(server, client, SIZE // 2)
        self.no_growth(resident)
        self.assertLess(second, 1.5 * first + 0.1, "the second half of the line costs more than the first")
        self.read_on(client, server, before)

    def test_A8(self):
        client, server, before, resident = self.warm()
        self.relay_block(server, client, b"* 1 FETCH (BODY[] {%d}\r\n" % LITERAL)
        with self.neighbour():
            self.cpu_for(server, client, LITERAL)
        self.no_growth(resident)
        self.relay_block(server, client, b")")
        self.assertEqual(self.change(before, "imapmeter_literal_bytes_total", direction="server_to_client"), LITERAL)
        self.read_on(client, server, before)

    def warm(self):
        """Buffers that any traffic uses are in the figure that is then compared."""
        self.start(FakeUpstream(keep=False), workers=1)
        client, server = self.session(keep=False)
        for _ in range(4000):
            self.relay_block(server, client, WARM_UP)
        return client, server, self.proxy.scrape(), self.proxy.process.rss()

    def no_growth(self, resident: int) -> None:
        grown = self.proxy.process.rss() - resident
        print(f"figure: {self._testMethodName}: resident memory {grown / 1024:+.0f} KiB", flush=True)
        self.assertTrue(self.proxy.process.sanitized() or grown <= MIB, f"resident memory grew by {grown} octets")

    def read_on(self, client, server, before) -> None:
        self.relay_block(client, server, b"a CHECK\r\n")
        self.relay_block(server, client, b"\r\n* NO [ALERT] read on\r\na OK done\r\n")
        self.assertEqual(client.received.hexdigest(), server.sent.hexdigest())
        self.assertEqual(self.change(before, "imapmeter_commands_total", command="CHECK", result="OK"), 1)
        self.assertEqual(self.change(before, "imapmeter_status_codes_total", status_code="ALERT"), 1)
        self.assertEqual(self.change(before, "imapmeter_opaque_sessions_total"), 0)
        server.shutdown_write()
        self.assertEqual(client.close_clean(), "close_notify+fin")
        self.check_invariants()

    def cpu_for(self, server, client, size: int) -> float:
        """Seconds of imapmeter's CPU for so much of the line or literal."""
        start = self.proxy.process.cpu_seconds()
        sending = threading.Thread(target=self.send_blocks, args=(server, size))
        sending.start()
        self.assertEqual(client.consume(size), size)
        sending.join()
        return self.proxy.process.cpu_seconds() - start

    @staticmethod
    def send_blocks(server, size: int) -> None:
        for _ in range(size // len(BLOCK)):
            server.send(BLOCK)
        server.send(BLOCK[:size % len(BLOCK)])

    @staticmethod
    def relay_block(sender, receiver, data: bytes) -> None:
        sender.send(data)
        receiver.expect(data)


if __name__ == "__main__":
    unittest.main()
