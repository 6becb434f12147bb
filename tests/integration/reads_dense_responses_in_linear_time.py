#!/usr/bin/env python3
"""A13: responses made to be expensive cost imapmeter at most five times the CPU of ordinary ones of as many octets, no
more memory and no new series (the shapes of CVE-2026-27857 and CVE-2026-42245).

Ordinary is what passes when a client opens a mailbox, TLS on both sides. IMAPMETER_LONG=1: everything ten times.
"""

import os
import threading
import unittest

from harness import Certificates, FakeUpstream, IntegrationCase

MIB = 1 << 20
REPEAT = 10 if os.environ.get("IMAPMETER_LONG") else 1
MILLION = 1_000_000
TIMES = 5  # the CPU of ordinary traffic, octet for octet
ORDINARY = [b"".join(b"* %d FETCH (UID %d FLAGS (\\Seen))\r\n" % (n, n + 4000) for n in range(1, 2001))] * 200  # 16 MB
SHAPES = {
    "untagged responses": [b"* 1 EXISTS\r\n" * MILLION],
    "unknown names": [b"".join(b"* XNAME%06d\r\n" % n for n in range(1000))] * (MILLION // 1000),
    "nested parentheses": [b"* 1 FETCH (BODYSTRUCTURE " + b"(" * 100_000 + b")" * 100_000 + b")\r\n"] * 40,
    "literals in one response": [b"* 1 FETCH (X " + b"{1}\r\nx " * MILLION + b")\r\n"],
    "empty literals in one response": [b"* 1 FETCH (X " + b"{0}\r\n " * MILLION + b")\r\n"],
    "quoted strings": [b"* 1 FETCH (X " + b'"" ' * MILLION + b")\r\n"],
}


class ReadsDenseResponsesInLinearTime(IntegrationCase):
    def test_A13(self):
        certificates = self.enterContext(Certificates())
        self.start(FakeUpstream(tls=certificates.server_context(), keep=False), upstream_ca=certificates.ca, workers=1)
        client, server = self.session(keep=False)
        self.login(client, server)
        self.relay(client, server, b"n NOOP\r\n")
        self.relay(server, client, b"n OK done\r\n")  # the neighbour's series
        self.relay(server, client, b"* 1 EXISTS\r\n* XNAME\r\n")  # those of the shapes
        self.cost(client, server, ORDINARY)
        resident, series = self.proxy.process.rss(), self.proxy.scrape().series
        wrong = []
        with self.neighbour():
            for what, blocks in SHAPES.items():
                cost, normal = self.least(client, server, blocks)
                print(f"figure: {what}: {cost:.1f} ns an octet, ordinary traffic {normal:.1f}: "
                      f"{cost / normal:.1f} times")
                if cost > TIMES * normal and not self.proxy.process.sanitized():
                    wrong.append(what)
        self.assertFalse(wrong, f"cost more than {TIMES} times ordinary traffic")
        grown = self.proxy.process.rss() - resident
        self.assertTrue(self.proxy.process.sanitized() or grown <= MIB, f"{grown} octets more resident memory")
        self.assertEqual(self.proxy.scrape().series, series)

        before = self.proxy.scrape()
        self.relay(client, server, b"a CHECK\r\n")
        self.relay(server, client, b"a OK done\r\n")
        self.assertEqual(self.change(before, "imapmeter_commands_total", command="CHECK", result="OK"), 1)
        self.assertEqual(self.change(before, "imapmeter_opaque_sessions_total"), 0)
        self.assertEqual(client.received.hexdigest(), server.sent.hexdigest())
        server.close_notify()
        server.shutdown_write()
        self.assertEqual(client.close_clean(), "close_notify+fin")
        self.check_invariants()

    def least(self, client, server, blocks: list[bytes]) -> tuple[float, float]:
        """The costs of these blocks and of ordinary traffic: the least of several in turn, since other tests and
        other machines' work only ever add to them."""
        costs, ordinary = [], []
        while len(costs) < 2 or (len(costs) < 6 and min(costs) > TIMES * min(ordinary)):
            ordinary.append(self.cost(client, server, ORDINARY))
            costs.append(self.cost(client, server, blocks))
        return min(costs), min(ordinary)

    def cost(self, client, server, blocks: list[bytes]) -> float:
        """Nanoseconds of imapmeter's CPU for each octet."""
        blocks = blocks * REPEAT
        octets = sum(map(len, blocks))
        start = self.proxy.process.cpu_seconds()
        sending = threading.Thread(target=lambda: [server.send(block) for block in blocks])
        sending.start()
        self.assertEqual(client.consume(octets), octets)
        sending.join()
        return (self.proxy.process.cpu_seconds() - start) * 1e9 / octets


if __name__ == "__main__":
    unittest.main()
