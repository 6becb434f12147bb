#!/usr/bin/env python3
"""C1, C2: with its descriptors used up imapmeter neither spins nor forgets the sessions it has, and recovers at
once."""

import resource
import time
import unittest

from harness import AcceptShim, FACTOR, IntegrationCase, honest_server, scaled, wait_until, well_behaved_session
from refuses_when_upstream_is_down import BYE

NOFILE = 64
HELD = 100
WATCHED = 3.0  # seconds
ACCEPT_ERRORS_PER_SECOND = 20
CPU_SHARE = 0.05


class SurvivesFdExhaustion(IntegrationCase):
    def test_C1_by_its_own_reckoning(self):
        """The limit is there at the start: imapmeter knows how many sessions it can hold."""
        self.exhaust(nofile=NOFILE)

    def test_C1_accept_fails(self):
        """The limit falls below what is in use: accept itself fails, again and again."""
        self.exhaust()
        self.assertGreater(self.shim.out_of_descriptors(), 0, "this test has not tested what it claims")

    def test_C2_no_descriptor_for_the_upstream(self):
        """The client's connection got the last one: it alone ends, with a word."""
        self.start()
        client, server = self.session()
        self.login(client, server)
        limits = resource.prlimit(self.proxy.pid, resource.RLIMIT_NOFILE)
        # the lowest free number is the client's, and the limit is the one above
        free = min(set(range(1024)) - self.proxy.process.fd_numbers())
        resource.prlimit(self.proxy.pid, resource.RLIMIT_NOFILE, (free + 1, limits[1]))
        for number in range(1, 4):
            with self.proxy.connect() as refused:
                self.assertRegex(refused.read_all(), BYE)
                self.assertEqual(refused.close_clean(), "close_notify+fin")
            self.proxy.wait_for("imapmeter_sessions_closed_total", number, reason="fd_exhausted", phase="connect")
            self.roundtrip(client, server)
        told = self.proxy.log_lines("no descriptor is left") + self.proxy.log_lines("have to wait")
        self.assertEqual(len(told), 1, told)
        resource.prlimit(self.proxy.pid, resource.RLIMIT_NOFILE, limits)
        client.close_notify()
        client.shutdown_write()
        server.close_clean()
        self.check_invariants()

    def exhaust(self, nofile: int = 0) -> None:
        self.shim = self.enterContext(AcceptShim())
        self.start(nofile=nofile, environment=self.shim.environment)
        client, server = self.session()
        self.login(client, server)
        self.upstream.script = honest_server
        log_before = len(self.proxy.log)
        limits = resource.prlimit(self.proxy.pid, resource.RLIMIT_NOFILE)
        if not nofile:
            resource.prlimit(self.proxy.pid, resource.RLIMIT_NOFILE, (self.proxy.process.fds(), limits[1]))

        held = [self.enterContext(self.proxy.connect(tls=False)) for _ in range(HELD)]
        wait_until(lambda: self.exhausted(log_before), what="the limit is reached")
        self.watch(client, server)
        self.assertEqual(len(self.exhausted(log_before)), 1, self.exhausted(log_before))

        for connection in held:
            connection.close()
        resource.prlimit(self.proxy.pid, resource.RLIMIT_NOFILE, limits)
        released = time.monotonic()
        wait_until(self.serves, 5, "a session after the descriptors are free")
        self.assertLess(time.monotonic() - released, scaled(2), "recovery")
        self.roundtrip(client, server)
        client.close_notify()
        client.shutdown_write()
        server.close_clean()
        self.check_invariants()

    def exhausted(self, log_before: int) -> list[str]:
        return [line for line in self.proxy.log[log_before:] if "new connections have to wait" in line]

    def watch(self, client, server) -> None:
        """While the descriptors are used up: bytes move, metrics answer, nothing spins."""
        start, cpu, errors = time.monotonic(), self.proxy.process.cpu_seconds(), self.shim.out_of_descriptors()
        slowest = 0.0
        while time.monotonic() - start < WATCHED:
            slowest = max(slowest, self.roundtrip(client, server))
            client.expect_silence(0.3)
        seconds = time.monotonic() - start
        cpu = self.proxy.process.cpu_seconds() - cpu
        self.assertLess((self.shim.out_of_descriptors() - errors) / seconds, ACCEPT_ERRORS_PER_SECOND)
        self.assertLess(cpu / seconds, CPU_SHARE * FACTOR)
        self.assertLess(slowest, scaled(1), "a command of the session that was there before")
        self.assertLess(self.scrape_seconds(), scaled(1), "a scrape without descriptors")

    def roundtrip(self, client, server) -> float:
        start = time.monotonic()
        self.relay(client, server, b"n NOOP\r\n")
        self.relay(server, client, b"n OK done\r\n")
        return time.monotonic() - start

    def scrape_seconds(self) -> float:
        start = time.monotonic()
        self.assertEqual(self.proxy.get("/metrics")[0], 200)
        return time.monotonic() - start

    def serves(self) -> bool:
        try:
            return well_behaved_session(self.proxy.address) < scaled(1)
        except (AssertionError, OSError, EOFError):
            return False


if __name__ == "__main__":
    unittest.main()
