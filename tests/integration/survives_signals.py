#!/usr/bin/env python3
"""C8: signals of every kind, in any number and at any time: no crash, and an end when one was asked for."""

import os
import signal
import time
import unittest

from harness import IntegrationCase, scaled, wait_until

HUPS = 100  # a second


class SurvivesSignals(IntegrationCase):
    def logged_in(self):
        client, server = self.session()
        self.login(client, server)
        return client, server

    def roundtrip(self, client, server) -> None:
        self.relay(client, server, b"n NOOP\r\n")
        self.relay(server, client, b"n OK done\r\n")

    def mid_literal(self):
        client, server = self.logged_in()
        self.relay(client, server, b"f FETCH 1 BODY[]\r\n")
        self.relay(server, client, b"* 1 FETCH (BODY[] {4}\r\nab")
        return client, server

    def start_drain(self) -> None:
        self.proxy.terminate()
        wait_until(lambda: self.proxy.get("/readyz")[0] == 503, what="draining")

    def test_C8_a_second_sigterm_ends_the_drain(self):
        self.start()
        client, server = self.mid_literal()
        self.start_drain()
        asked = time.monotonic()
        self.proxy.terminate()
        self.assertEqual(self.proxy.wait(), 1)
        self.assertLess(time.monotonic() - asked, scaled(2))
        self.assertIn(client.finish(), ("fin", "reset"), "a cut session must not look complete")
        self.assertIn(server.finish(), ("fin", "reset"))

    def test_C8_others_do_not_disturb_the_drain(self):
        self.start()
        client, server = self.mid_literal()
        self.start_drain()
        for number in (signal.SIGHUP, signal.SIGPIPE, signal.SIGHUP):
            os.kill(self.proxy.pid, number)
        self.relay(server, client, b"cd)\r\n")
        self.roundtrip(client, server)
        self.relay(server, client, b"f OK fetched\r\n")
        self.assertIn(b"BYE [UNAVAILABLE]", client.read_all())
        self.assertEqual(client.close_clean(), "close_notify+fin")
        self.assertEqual(self.proxy.wait(), 0)

    def test_C8_a_storm(self):
        """100 SIGHUP and as many SIGPIPE in a second, between octets that move; the log stays readable."""
        self.start()
        client, server = self.logged_in()
        began = time.monotonic()
        for number in range(HUPS):
            os.kill(self.proxy.pid, signal.SIGHUP)
            os.kill(self.proxy.pid, signal.SIGPIPE)
            self.roundtrip(client, server)
            wait_until(lambda: time.monotonic() - began > number / HUPS, what="the next hundredth of a second")
        wait_until(lambda: self.proxy.log_lines("SIGHUP"), what="a word about SIGHUP")
        self.assertLessEqual(len(self.proxy.log_lines("SIGHUP")), 1 + (time.monotonic() - began) / 10)
        client.close_notify()
        client.shutdown_write()
        server.close_clean()
        self.check_invariants()


if __name__ == "__main__":
    unittest.main()
