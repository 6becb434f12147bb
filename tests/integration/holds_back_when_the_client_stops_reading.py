#!/usr/bin/env python3
"""B3: a client that stops reading stops its server too: memory stays, the others go on, and nothing is lost.

256 MiB by default, 4 GiB and a stall of 30 s with IMAPMETER_LONG=1. Most of what a stalled session holds is in the
kernel, which may take tcp_rmem + tcp_wmem. The test sets them in a network namespace of its own: that takes root.
"""

import hashlib
import os
import threading
import time
import unittest

from harness import FakeUpstream, IntegrationCase, honest_server, wait_until, well_behaved_session
from harness.namespace import enter_namespace, set_ipv4
from harness.process import tcp_queues

MIB = 1 << 20
LONG = bool(os.environ.get("IMAPMETER_LONG"))
SIZE = (4096 if LONG else 256) * MIB
STALL = 30 if LONG else 2
KERNEL_READ, KERNEL_WRITE = 4 * MIB, 2 * MIB
TAKEN = 8 * MIB  # from the upstream, by imapmeter and its kernel together
HELD = 400 * 1024  # by imapmeter itself
BLOCK = bytes(range(256)) * 1024
ANNOUNCE = b"* 1 FETCH (BODY[] {%d}\r\n" % SIZE
END = b")\r\na OK fetched\r\n"


class HoldsBackWhenTheClientStopsReading(IntegrationCase):
    @classmethod
    def setUpClass(cls):
        enter_namespace()
        set_ipv4("tcp_rmem", f"4096 131072 {KERNEL_READ}")
        set_ipv4("tcp_wmem", f"4096 16384 {KERNEL_WRITE}")

    def test_B3_tls_listener(self):
        self.stall(tls=True)

    def test_B3_plain_listener(self):
        self.stall(tls=False)

    def stall(self, tls: bool):
        # small buffers at both ends, so that what is held is imapmeter's own
        self.start(FakeUpstream(keep=False, send_buffer=65536, timeout=STALL + 60), tls=tls, workers=1)
        client, server = self.session(keep=False, receive_buffer=65536, timeout=60)
        self.relay_small(client, server, b"a FETCH 1 BODY[]\r\n")
        before = self.proxy.scrape()
        self.upstream.script = honest_server
        sending = threading.Thread(target=self.send_all, args=(server,))
        sending.start()

        accepted = self.wait_for_the_stall(server)
        self.assertLessEqual(accepted, TAKEN, "octets taken from the upstream while the client reads nothing")
        held = accepted - self.in_the_kernel(client, server)
        self.assertLessEqual(held, HELD, "octets that imapmeter itself holds")
        with self.neighbour():
            cpu = self.proxy.process.cpu_seconds()
            self.watch_the_stall(server, accepted)
            # the neighbour takes some
            self.assertLess(self.proxy.process.cpu_seconds() - cpu, 0.2 * STALL + 0.1, "CPU during the stall")
        grown = self.proxy.process.rss() - self.baseline.rss
        self.assertTrue(self.proxy.process.sanitized() or grown <= 4 * MIB, f"{grown} octets more resident memory")
        self.assertLess(well_behaved_session(self.proxy.address, tls), 1, "another session during the stall")
        blocked = self.proxy.scrape().by("imapmeter_blocked_sessions", "side")
        self.assertEqual(blocked, {"client": 1})

        self.assertEqual(client.consume(len(ANNOUNCE) + SIZE + len(END)), len(ANNOUNCE) + SIZE + len(END))
        sending.join()
        self.assertEqual(client.received.hexdigest(), server.sent.hexdigest())
        grown = self.proxy.process.rss() - self.baseline.rss
        self.assertTrue(self.proxy.process.sanitized() or grown <= 4 * MIB, f"{grown} octets more resident memory")
        self.assertEqual(self.change(before, "imapmeter_commands_total", command="FETCH", result="OK"), 2)
        after = self.proxy.scrape()
        self.assertGreaterEqual(after.by("imapmeter_blocked_seconds_total", "side")["client"], STALL)
        self.assertGreater(after.sum("imapmeter_relay_delay_seconds_count", direction="server_to_client"), 0)
        server.shutdown_write()
        self.assertEqual(client.close_clean(), "close_notify+fin" if tls else "fin")
        self.check_invariants()

    def in_the_kernel(self, client, server) -> int:
        """Of what the upstream has got off: read by no one here, or on its way to the client."""
        _, from_upstream = tcp_queues(server.peer[1], server.local[1])
        to_client, _ = tcp_queues(client.peer[1], client.local[1])
        _, at_client = tcp_queues(client.local[1], client.peer[1])
        return from_upstream + to_client + at_client + client.received.octets

    @staticmethod
    def send_all(server) -> None:
        server.send(ANNOUNCE)
        for _ in range(SIZE // len(BLOCK)):
            server.send(BLOCK)
        server.send(END)

    @staticmethod
    def relay_small(sender, receiver, data: bytes) -> None:
        sender.send(data)
        receiver.expect(data)

    @staticmethod
    def wait_for_the_stall(server) -> int:
        """Octets that left the upstream, once there are no more for half a second."""
        last, since = -1, time.monotonic()

        def still() -> bool:
            nonlocal last, since
            now = server.taken()
            if now != last:
                last, since = now, time.monotonic()
            return last > 0 and time.monotonic() - since > 0.5

        wait_until(still, 20, "the upstream is held back")
        return last

    def watch_the_stall(self, server, accepted: int) -> None:
        """The client reads nothing for the length of the stall, and the upstream gets nothing more off."""
        end = time.monotonic() + STALL
        wait_until(lambda: time.monotonic() > end, STALL + 5, "the stall")
        self.assertLessEqual(server.taken(), accepted + 65536)


if __name__ == "__main__":
    unittest.main()
