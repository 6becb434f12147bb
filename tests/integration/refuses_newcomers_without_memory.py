#!/usr/bin/env python3
"""C13: above 95 % of limits.memory new connections are refused with a word; the sessions that exist go on, and newcomers
are welcome again below 90 %. The kernel's buffers are set so that imapmeter has to keep much: that takes root."""

import time
import unittest

from harness import FakeUpstream, IntegrationCase, at_rest, scaled, wait_until
from keeps_within_its_relay_buffers import limit_kernel_buffers, send_until_all_are_full
from refuses_beyond_its_limits import BYE

MIB = 1 << 20
LIMIT = 32 * MIB  # the least that the settings allow
MOST = 600  # sessions


class RefusesNewcomersWithoutMemory(IntegrationCase):
    @classmethod
    def setUpClass(cls):
        limit_kernel_buffers(MIB // 2)

    def test_C13_overload(self):
        self.start(FakeUpstream(keep=False), tls=False, config={"limits": {"memory": "32MiB"}})
        held = self.session(receive_buffer=4096)
        full = []
        while self.proxy.process.rss() < 0.95 * LIMIT:  # from there on nobody more may be let in
            self.assertLess(len(full), MOST, "this test has not tested what it claims")
            more = [self.session(keep=False, receive_buffer=4096) for _ in range(25)]
            send_until_all_are_full([server for _, server in more])
            full += more
        wait_until(self.is_refused, 5, "a newcomer is refused")
        began = time.monotonic()
        self.assertTrue(self.is_refused())
        self.assertLess(time.monotonic() - began, scaled(1), "refused at once")
        wait_until(lambda: self.proxy.log_lines("refused: limit_memory"))
        self.assertEqual(len(self.proxy.log_lines("refused: limit_memory")), 1, "one line in 10 s")
        self.roundtrip(*held)
        self.assertEqual(self.proxy.scrape().sum("imapmeter_blocked_sessions"), len(full), "nobody was ended")
        for client, server in full:
            client.reset()
            server.close()
        wait_until(lambda: not self.is_refused(), 10, "newcomers are welcome again")
        self.roundtrip(*held)
        held[1].shutdown_write()
        held[0].close_clean()
        self.upstream.disconnect()
        at_rest(self.proxy)
        self.check_invariants()

    def is_refused(self) -> bool:
        """Whoever is not is greeted by an upstream that says nothing: silence."""
        with self.proxy.connect(timeout=0.3) as client:
            try:
                return client.read_all() == BYE
            except AssertionError:
                return False

    def roundtrip(self, client, server) -> None:
        self.relay(client, server, b"n NOOP\r\n")
        self.relay(server, client, b"n OK done\r\n")


if __name__ == "__main__":
    unittest.main()
