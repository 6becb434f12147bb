#!/usr/bin/env python3
"""G8: clients stop reading all at once while their server sends. What imapmeter keeps for them stays within
limits.relay_buffers, nobody is ended for it, a new session is served at once, and nothing is lost.

100 clients and 16 MiB by default; 2,000 and 64 MiB, then 256 MiB with IMAPMETER_LONG=1. The kernel's buffers take
enough that the reads grow, and no more, so that imapmeter has to keep much: in a network namespace of the test's own,
which takes root.
"""

import os
import resource
import time
import unittest

from harness import FakeUpstream, IntegrationCase, at_rest, honest_server, scaled, wait_until, well_behaved_session
from harness.namespace import enter_namespace, set_ipv4

MIB = 1 << 20
LONG = bool(os.environ.get("IMAPMETER_LONG"))
CLIENTS = 2000 if LONG else 100
BUDGETS = (64, 256) if LONG else (16,)  # MiB
BLOCK = bytes(range(256)) * 1024
KERNEL = MIB // 4 if LONG else MIB // 2  # octets, each way: 2,000 times as much is what a machine has
CHECKED = 10  # clients that read on in the end


def limit_kernel_buffers(octets: int) -> None:
    """In a new network namespace."""
    enter_namespace()
    set_ipv4("tcp_rmem", f"4096 {octets} {octets}")
    set_ipv4("tcp_wmem", f"4096 {octets} {octets}")


def send_until_all_are_full(servers) -> None:
    """Until none of them has got anything off for half a second."""
    last = time.monotonic()

    def full() -> bool:
        nonlocal last
        for server in servers:
            try:
                sent = server.socket.send(BLOCK)
                server.sent.add(BLOCK[:sent])
                last = time.monotonic()
            except BlockingIOError:
                pass
        return time.monotonic() - last > 0.5

    wait_until(full, 60, "every client is full")


class KeepsWithinItsRelayBuffers(IntegrationCase):
    @classmethod
    def setUpClass(cls):
        limit_kernel_buffers(KERNEL)
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    def test_G8_everyone_stops_reading(self):
        for budget in BUDGETS:
            with self.subTest(budget=budget):
                self.stop_reading(budget)

    def stop_reading(self, budget: int) -> None:
        self.start(FakeUpstream(keep=False), config={"limits": {"relay_buffers": f"{budget}MiB"}})
        pairs = [self.session(keep=False, receive_buffer=4096) for _ in range(CLIENTS)]
        servers = [server for _, server in pairs]
        resident = self.proxy.process.rss()
        with self.neighbour():
            self.upstream.script = honest_server
            began = time.monotonic()
            send_until_all_are_full(servers)
            filled = time.monotonic() - began
            served = well_behaved_session(self.proxy.address)
            full = self.proxy.scrape()
        lent = full.sum("imapmeter_relay_buffer_bytes")
        peak = self.proxy.process.peak_rss()
        print(f"figure: {CLIENTS} clients, budget {budget} MiB: resident {resident / MIB:.1f} MiB before, "
              f"{peak / MIB:.1f} MiB at the most, {lent / MIB:.1f} MiB lent, a new session in {served:.3f} s, full after {filled:.1f} s")
        self.assertLess(served, scaled(1), "a new session while everyone is full")
        self.assertLessEqual(lent, budget * MIB)
        self.assertGreater(lent, budget * MIB * 0.3, "this test has not tested what it claims")
        self.assertTrue(self.proxy.process.sanitized() or peak <= 1.1 * (resident + budget * MIB), "resident memory")
        self.assertEqual(full.by("imapmeter_blocked_sessions", "side"), {"client": CLIENTS})
        self.assertEqual(full.sum("imapmeter_sessions_closed_total", reason="limit_memory"), 0)

        for client, server in pairs[:CHECKED]:
            client.consume(server.sent.octets - client.received.octets)
            self.assertEqual(client.received.hexdigest(), server.sent.hexdigest())
        for client, _ in pairs:
            client.reset()
        self.assertEqual(at_rest(self.proxy, 20).sum("imapmeter_relay_buffer_bytes"), 0)
        for server in servers:
            server.close()
        self.check_invariants()
        self.proxy.close()


if __name__ == "__main__":
    unittest.main()
