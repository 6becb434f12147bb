#!/usr/bin/env python3
"""B2: a peer that vanishes without a word is given up by TCP's keepalive, or by its retransmissions where octets are under
way; the other side is closed, and the session counted. A peer that is only silent stays.

In a network namespace of the test's own, whose packet filter drops what the vanished send and are sent: that takes root.
"""

import time
import unittest

from harness import FACTOR, IntegrationCase, wait_until
from harness.namespace import drop_packets, enter_namespace, set_ipv4, unacknowledged

KEEPALIVE = 1  # seconds until TCP asks, then as many between four questions
GIVEN_UP_AFTER = 5 * KEEPALIVE


class EndsSessionsOfVanishedPeers(IntegrationCase):
    def test_B2(self):
        enter_namespace()
        set_ipv4("tcp_retries2", "3")  # by default it takes a quarter of an hour
        self.start(timeouts={"keepalive": f"{KEEPALIVE}s"})
        before = self.proxy.scrape()
        idle, lost_server, busy, silent = (self.session() for _ in range(4))
        for client, server in (idle, lost_server, busy, silent):
            self.login(client, server)
        # What is on its way would be given up as such, and keepalive never asked.
        for wire in (idle[0], lost_server[1]):
            wait_until(lambda: unacknowledged(wire.peer[1], wire.local[1]) == 0, what="all is acknowledged")
        drop_packets(idle[0].local[1], lost_server[1].peer[1], busy[0].local[1])
        began = time.monotonic()
        busy[1].send(b"* 1 EXISTS\r\n")

        # what is still there of each session is told
        self.assertEqual(lost_server[0].finish(), "reset")
        for _, server in (idle, busy):
            self.assertEqual(server.finish(), "reset")
        self.assertLess(time.monotonic() - began, GIVEN_UP_AFTER + 2 * FACTOR)
        self.assertGreaterEqual(time.monotonic() - began, GIVEN_UP_AFTER - 1)
        self.proxy.wait_for("imapmeter_sessions_closed_total", 2, reason="client_timeout", phase="authenticated")
        self.proxy.wait_for("imapmeter_sessions_closed_total", 1, reason="upstream_timeout", phase="authenticated")

        client, server = silent
        self.relay(client, server, b"a CHECK\r\n")
        self.relay(server, client, b"a OK done\r\n")
        self.assertEqual(self.change(before, "imapmeter_commands_total", command="CHECK", result="OK"), 1)
        server.shutdown_write()
        self.assertEqual(client.close_clean(), "close_notify+fin")
        self.check_invariants()


if __name__ == "__main__":
    unittest.main()
