#!/usr/bin/env python3
"""A15, B11: a server that stops reading stops its client, and one that answers nothing is asked on: in fixed memory,
while the others go on.

64 MiB and 100,000 commands by default, 1 GiB and 1,000,000 with IMAPMETER_LONG=1. The test sets what the kernel may hold
for a connection in a network namespace of its own: that takes root.
"""

import os
import threading
import time
import unittest

from harness import FACTOR, FakeUpstream, IntegrationCase, wait_until
from harness.case import GREETING
from harness.namespace import enter_namespace, set_ipv4
from harness.wire import WireTimeout

MIB = 1 << 20
LONG = bool(os.environ.get("IMAPMETER_LONG"))
SIZE = (1024 if LONG else 64) * MIB
COMMANDS = 1_000_000 if LONG else 100_000
STALL = 2.0
KERNEL_READ, KERNEL_WRITE = MIB, MIB
TAKEN = KERNEL_READ + KERNEL_WRITE + MIB  # from the client, by imapmeter and the kernel together
BLOCK = bytes(range(256)) * 1024
APPEND = b"a APPEND INBOX {%d+}\r\n" % SIZE
TRACKED = 256  # commands outstanding: the next is counted as untracked
BATCH = 1000


class HoldsBackWhenTheUpstreamStops(IntegrationCase):
    @classmethod
    def setUpClass(cls):
        enter_namespace()
        set_ipv4("tcp_rmem", f"4096 131072 {KERNEL_READ}")
        set_ipv4("tcp_wmem", f"4096 16384 {KERNEL_WRITE}")

    def small(self, **options):
        """Small buffers at both ends, so that what is held is imapmeter's own."""
        self.start(FakeUpstream(keep=False, receive_buffer=65536, timeout=60), workers=1, **options)
        client = self.enterContext(self.proxy.connect(keep=False, send_buffer=65536, timeout=60))
        server = self.upstream.accept()
        server.send(GREETING)
        client.expect(GREETING)
        self.login(client, server)
        return client, server

    def test_A15_it_never_reads_again(self):
        client, server = self.small(timeouts={"stall": f"{STALL * FACTOR:g}s"})
        before, resident = self.proxy.scrape(), self.proxy.process.rss()
        with self.neighbour():
            client.timeout = STALL / 2
            with self.assertRaises(WireTimeout):
                self.append(client)
            self.assertLess(client.sent.octets, TAKEN, "octets taken from the client while the server reads nothing")
            self.no_growth(resident)
            cpu, began = self.proxy.process.cpu_seconds(), time.monotonic()
            self.proxy.wait_for("imapmeter_sessions_closed_total", 1, timeout=STALL + 1, reason="upstream_stall",
                                phase="authenticated")
            self.assertLess(self.proxy.process.cpu_seconds() - cpu, 0.1 + 0.25 * (time.monotonic() - began))
        client.timeout = 10
        self.assertIn(client.finish(), ("fin", "reset"))
        client.close()
        self.assertTrue((APPEND + BLOCK * (TAKEN // len(BLOCK))).startswith(server.read_all()), "an exact prefix")
        server.close()
        self.assertEqual(self.change(before, "imapmeter_commands_total", command="APPEND", result="aborted"), 1)
        self.check_invariants()

    def test_A15_it_reads_on_in_time(self):
        client, server = self.small()
        resident = self.proxy.process.rss()
        sending = threading.Thread(target=self.append, args=(client,))
        with self.neighbour():
            sending.start()
            self.wait_for_the_stall(client)
            self.no_growth(resident)
            self.assertEqual(server.consume(len(APPEND) + SIZE + 2), len(APPEND) + SIZE + 2)
            sending.join()
        self.assertEqual(server.received.hexdigest(), client.sent.hexdigest())
        self.relay(server, client, b"a OK done\r\n")
        self.no_growth(resident)
        server.shutdown_write()
        self.assertEqual(client.close_clean(), "close_notify+fin")
        self.check_invariants()

    def test_B11(self):
        client, server = self.small()
        before, resident = self.proxy.scrape(), self.proxy.process.rss()
        with self.neighbour():
            for first in range(0, COMMANDS, BATCH):
                batch = b"".join(b"t%d CHECK\r\n" % n for n in range(first, first + BATCH))
                client.send(batch)
                server.expect(batch)
            self.no_growth(resident)
        untracked = self.change(before, "imapmeter_commands_total", command="CHECK", result="untracked")
        self.assertEqual(untracked, COMMANDS - TRACKED)
        self.assertEqual(self.change(before, "imapmeter_commands_total", command="CHECK"), untracked)
        self.assertEqual(self.proxy.scrape().sum("imapmeter_commands_in_flight"), TRACKED)
        for first in range(0, COMMANDS, BATCH):
            batch = b"".join(b"t%d OK done\r\n" % n for n in range(first, first + BATCH))
            server.send(batch)
            client.expect(batch)
        self.assertEqual(self.change(before, "imapmeter_commands_total", command="CHECK", result="OK"), TRACKED)
        self.assertEqual(self.change(before, "imapmeter_responses_total", kind="tagged", status="OK") -
                         self.change(before, "imapmeter_commands_total", command="NOOP") -
                         self.change(before, "imapmeter_commands_total", command="LOGIN") -
                         self.change(before, "imapmeter_commands_total", command="LOGOUT"), COMMANDS)
        self.assertEqual(self.change(before, "imapmeter_opaque_sessions_total"), 0)
        server.shutdown_write()
        self.assertEqual(client.close_clean(), "close_notify+fin")
        self.check_invariants()

    @staticmethod
    def append(client) -> None:
        client.send(APPEND)
        for _ in range(SIZE // len(BLOCK)):
            client.send(BLOCK)
        client.send(b"\r\n")

    @staticmethod
    def wait_for_the_stall(client) -> None:
        """The client gets nothing more off for half a second."""
        last, since = -1, time.monotonic()

        def still() -> bool:
            nonlocal last, since
            if client.sent.octets != last:
                last, since = client.sent.octets, time.monotonic()
            return time.monotonic() - since > 0.5

        wait_until(still, 20, "the client is held back")

    def no_growth(self, resident: int) -> None:
        grown = self.proxy.process.rss() - resident
        self.assertTrue(self.proxy.process.sanitized() or grown <= MIB, f"{grown} octets more resident memory")


if __name__ == "__main__":
    unittest.main()
