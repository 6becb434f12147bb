#!/usr/bin/env python3
"""A2 with several servers: hosts that swallow every SYN have their shares of connect_timeout, and no more of it than is
there; the client is served, or told, within it.

The test makes a network namespace of its own. That takes root.
"""

import time
import unittest

from gives_up_on_a_silent_host import HOST, make_the_host_swallow
from harness import FACTOR, FakeUpstream, IntegrationCase, honest_server, well_behaved_session
from harness.namespace import enter_namespace
from refuses_when_upstream_is_down import BYE

CONNECT_TIMEOUT = 1.5
SILENT = [f"imap://{HOST}:143", f"imap://{HOST}:144"]


class FailsOverWithinTheBudget(IntegrationCase):
    @classmethod
    def setUpClass(cls):
        enter_namespace()
        make_the_host_swallow()

    def among(self, servers: list[str], upstream: FakeUpstream) -> None:
        self.upstream = self.enterContext(upstream)
        self.start(upstream, allow_plaintext_upstream=True, timeouts={"connect": f"{CONNECT_TIMEOUT * 1000:.0f}ms"},
                   config={"upstream": {"servers": servers, "balance": "failover", "any_server_serves_any_user": True}})

    def test_A2_the_third_server_serves(self):
        upstream = FakeUpstream(honest_server)
        self.among([*SILENT, upstream.url], upstream)
        before = self.proxy.scrape()
        seconds = well_behaved_session(self.proxy.address)
        self.assertGreaterEqual(seconds, CONNECT_TIMEOUT * 2 / 3 * 0.9)
        self.assertLessEqual(seconds, CONNECT_TIMEOUT + 0.3 * FACTOR)
        self.assertEqual(self.change(before, "imapmeter_upstream_connects_total", result="timeout"), 2)
        self.assertEqual(self.change(before, "imapmeter_upstream_connects_total", result="ok"), 1)

    def test_A2_all_are_silent(self):
        """What the refusing one leaves of its share is the others'."""
        upstream = FakeUpstream(honest_server)
        self.among([upstream.url, *SILENT], upstream)
        upstream.stop_listening()
        before = self.proxy.scrape()
        with self.proxy.connect() as client:
            start = time.monotonic()
            self.assertRegex(client.read_line(), BYE)
            seconds = time.monotonic() - start
        self.assertGreaterEqual(seconds, CONNECT_TIMEOUT * 0.9)
        self.assertLessEqual(seconds, CONNECT_TIMEOUT * (1 + 0.1 * FACTOR))
        self.proxy.wait_for("imapmeter_sessions_closed_total", 1, reason="upstream_connect_timeout", phase="connect")
        self.assertEqual(self.change(before, "imapmeter_upstream_connects_total", result="timeout"), 2)
        self.assertEqual(self.change(before, "imapmeter_upstream_connects_total", result="refused"), 1)


if __name__ == "__main__":
    unittest.main()
