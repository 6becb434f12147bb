#!/usr/bin/env python3
"""A2: a host that answers no SYN costs the client connect_timeout, within a tenth, and then one BYE.

The test makes a network namespace of its own, in which a veth pair with a static neighbour swallows what is sent to
the host. That takes root.
"""

import time
import unittest
from concurrent.futures import ThreadPoolExecutor

from harness import FACTOR, FakeUpstream, IntegrationCase
from harness.namespace import enter_namespace, ip
from refuses_when_upstream_is_down import BYE

HOST = "10.99.0.2"
CONNECT_TIMEOUT = 2.0
SESSIONS = 10


def make_the_host_swallow() -> None:
    ip("link", "add", "outside", "type", "veth", "peer", "name", "nowhere")
    ip("address", "add", "10.99.0.1/24", "dev", "outside")
    ip("link", "set", "outside", "up")
    ip("link", "set", "nowhere", "up")
    ip("neighbour", "add", HOST, "lladdr", "02:00:00:00:00:99", "dev", "outside")


def host_is_here(here: bool) -> None:
    """While the address is our own, the upstream answers; otherwise the host is absent."""
    ip("address", "add" if here else "del", f"{HOST}/32", "dev", "lo")


class GivesUpOnASilentHost(IntegrationCase):
    def test_A2(self):
        enter_namespace()
        make_the_host_swallow()
        host_is_here(True)
        self.start(FakeUpstream(host=HOST), allow_plaintext_upstream=True,
                   timeouts={"connect": f"{CONNECT_TIMEOUT:g}s"})
        before, log_before = self.proxy.scrape(), len(self.proxy.log)
        host_is_here(False)
        with ThreadPoolExecutor(SESSIONS) as pool:
            for seconds in pool.map(lambda _: self.seconds_to_bye(), range(SESSIONS)):
                self.assertGreaterEqual(seconds, CONNECT_TIMEOUT * 0.9)
                self.assertLessEqual(seconds, CONNECT_TIMEOUT * (1 + 0.1 * FACTOR))
        self.proxy.wait_for("imapmeter_sessions_closed_total", SESSIONS, reason="upstream_connect_timeout",
                            phase="connect")
        self.assertEqual(self.change(before, "imapmeter_upstream_connects_total", result="timeout"), SESSIONS)
        self.assertEqual(self.change(before, "imapmeter_authored_total", what="bye"), SESSIONS)
        self.assertEqual(self.change(before, "imapmeter_bytes_total"), 0)
        self.assertEqual(len([line for line in self.proxy.log[log_before:] if "warn" in line]), 1)

        host_is_here(True)
        self.check_invariants()

    def seconds_to_bye(self) -> float:
        with self.proxy.connect() as client:
            start = time.monotonic()
            self.assertRegex(client.read_line(), BYE)
            seconds = time.monotonic() - start
            self.assertEqual(client.finish(), "close_notify+fin")
        return seconds


if __name__ == "__main__":
    unittest.main()
