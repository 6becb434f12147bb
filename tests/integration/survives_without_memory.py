#!/usr/bin/env python3
"""C13: where memory is refused, the connections that asked for it end, those that are there go on, and all is well
again when there is some.

Each allocation of a session and of a scrape fails once, alone and with all that follow; a sample of them by default,
every one with IMAPMETER_LONG=1.
"""

import os
import random
import unittest

from harness import FakeClient, FakeUpstream, IntegrationCase, MallocShim, honest_server, seed, wait_until
from harness import well_behaved_session

LONG = bool(os.environ.get("IMAPMETER_LONG"))
SAMPLE = 40
FOREVER = 1 << 40


class SurvivesWithoutMemory(IntegrationCase):
    def start_with_a_session(self, environment: dict[str, str]) -> None:
        self.start(FakeUpstream(keep=False, timeout=30), environment=environment)
        self.client, self.server = self.session()
        self.login(self.client, self.server)

    def roundtrip(self) -> None:
        self.relay(self.client, self.server, b"n NOOP\r\n")
        self.relay(self.server, self.client, b"n OK done\r\n")

    def end(self) -> None:
        """All is well again."""
        self.upstream.script = honest_server
        wait_until(self.serves, 5, "a session once there is memory")
        self.roundtrip()
        self.server.shutdown_write()
        self.client.close_clean()
        self.upstream.disconnect()
        self.check_invariants()

    def serves(self) -> bool:
        try:
            return well_behaved_session(self.proxy.address) < 10
        except (AssertionError, OSError, EOFError):
            return False

    def try_session(self) -> None:
        try:
            with FakeClient(self.proxy.address, timeout=0.5) as client:
                client.read_until(b"* OK ")
                client.command(b"a LOGIN user secret")
                client.command(b"b LOGOUT")
        except (AssertionError, OSError, EOFError):
            pass

    def try_scrape(self) -> None:
        try:
            self.proxy.get("/metrics", timeout=0.5)
        except OSError:
            pass
        except Exception as error:  # half an answer
            self.assertIn("http.client", type(error).__module__)

    def each_allocation_of(self, what, sessions: int) -> None:
        """`sessions`: that `what` begins and ends. Their ends are seen in the log: a scrape would be counted too."""
        self.proxy.wait_for("imapmeter_sessions", 1)  # the others, of what was tried before, have ended
        before, ended = self.shim.calls(), len(self.proxy.records("session"))
        what()
        wait_until(lambda: len(self.proxy.records("session")) >= ended + sessions)
        allocations = range(self.shim.calls() - before)
        which = allocations if LONG else random.Random(seed()).sample(allocations, min(SAMPLE, len(allocations)))
        failed = 0
        for number in which:
            for times in (1, FOREVER):
                self.shim.fail(number, times)
                what()
                failed += self.shim.relent()
                self.assertIsNone(self.proxy.child.poll(), f"allocation {number}, {times} (IMAPMETER_SEED={seed()})")
            self.roundtrip()
        self.assertGreater(failed, len(which), "this test has not tested what it claims")

    def test_C13_each_allocation(self):
        self.shim = self.enterContext(MallocShim())
        self.start_with_a_session(self.shim.environment)
        self.upstream.script, self.upstream.forgive_errors = honest_server, True
        self.each_allocation_of(self.try_session, 1)
        self.each_allocation_of(self.try_scrape, 0)
        self.end()


if __name__ == "__main__":
    unittest.main()
