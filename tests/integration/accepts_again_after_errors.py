#!/usr/bin/env python3
"""C3: an accept that fails in passing costs nobody a session: the connection behind it is served."""

import errno
import time
import unittest

from harness import AcceptShim, IntegrationCase, honest_server, scaled, wait_until, well_behaved_session

AT_ONCE = (errno.EINTR, errno.ECONNABORTED, errno.EPROTO, errno.ENETDOWN)
AFTER_A_PAUSE = (errno.ENOBUFS, errno.ENOMEM, errno.EMFILE, errno.ENFILE)


class AcceptsAgainAfterErrors(IntegrationCase):
    def setUp(self):
        super().setUp()
        self.shim = self.enterContext(AcceptShim())
        self.start(environment=self.shim.environment)
        self.upstream.script = honest_server

    def serves(self, error: int, times: int) -> float:
        self.shim.fail(error, times)
        seconds = well_behaved_session(self.proxy.address)
        self.assertEqual(self.shim.left(), 0, "this test has not tested what it claims")
        return seconds

    def test_C3_accepts_again_at_once(self):
        for error in AT_ONCE:
            with self.subTest(errno.errorcode[error]):
                self.assertLess(self.serves(error, 5), scaled(0.25))
        self.check_invariants()

    def test_C3_accepts_again_after_a_pause(self):
        for error in AFTER_A_PAUSE:
            with self.subTest(errno.errorcode[error]):
                self.assertLess(self.serves(error, 1), scaled(2))
        self.assertEqual(len(self.proxy.log_lines("have to wait")), 1, "one line in 10 s")
        self.check_invariants()

    def test_C3_does_not_spin(self):
        """For as long as the system has no memory: a few tries a second, next to no CPU."""
        tries = 1000
        self.shim.fail(errno.ENOMEM, tries)
        waiting = self.enterContext(self.proxy.connect(tls=False))
        wait_until(lambda: self.shim.left() < tries, what="the first try")
        start, cpu, left = time.monotonic(), self.proxy.process.cpu_seconds(), self.shim.left()
        wait_until(lambda: time.monotonic() - start > 1, what="a second")
        seconds = time.monotonic() - start
        self.assertLess((left - self.shim.left()) / seconds, 20)
        self.assertLess(self.proxy.process.cpu_seconds() - cpu, scaled(0.1) * seconds)
        self.shim.fail(0, 0)
        waiting.close()
        self.check_invariants()


if __name__ == "__main__":
    unittest.main()
