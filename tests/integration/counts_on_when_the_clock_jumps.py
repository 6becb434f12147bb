#!/usr/bin/env python3
"""C10: the wall clock jumps by hours and years, forwards and backwards: deadlines, sessions and counters do not
notice."""

import json
import os
import signal
import tempfile
import time
import unittest
from pathlib import Path

from harness import IntegrationCase, scaled, wait_until
from harness.timing import FAKETIME

JUMPS = ("+1h", "-1h", "+1y", "-1y", "+0")
HANDSHAKE, GREETING, HALF_CLOSE = 1.0, 1.0, 1.0  # seconds


class CountsOnWhenTheClockJumps(IntegrationCase):
    def setUp(self):
        super().setUp()
        self.assertTrue(Path(FAKETIME).exists(), f"{FAKETIME} is not installed")
        self.offset = Path(self.enterContext(tempfile.TemporaryDirectory()), "offset")
        self.jump("+0")
        self.start(timeouts={"handshake": f"{HANDSHAKE:g}s", "greeting": f"{GREETING:g}s",
                             "half_close": f"{HALF_CLOSE:g}s"},
                   environment={"LD_PRELOAD": FAKETIME, "FAKETIME_TIMESTAMP_FILE": str(self.offset),
                                "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"})

    def jump(self, offset: str) -> None:
        """Never a moment without a whole file."""
        fresh = self.offset.with_suffix(".new")
        fresh.write_text(offset + "\n", encoding="ascii")
        os.replace(fresh, self.offset)

    def durations_are_positive(self) -> None:
        """scrape() itself requires that no counter falls."""
        for (name, labels), value in self.proxy.scrape().samples.items():
            self.assertGreaterEqual(value, 0, (name, labels))

    def logged_year(self) -> int:
        """Of a line that is logged now."""
        os.kill(self.proxy.pid, signal.SIGHUP)
        wait_until(lambda: self.proxy.log_lines("SIGHUP"), what="a line in the log")
        return int(json.loads(self.proxy.log_lines("SIGHUP")[-1])["time"][:4])

    def test_C10_sessions_and_counters(self):
        client, server = self.session()
        self.login(client, server)
        self.relay(client, server, b"i IDLE\r\n")
        self.relay(server, client, b"+ idling\r\n")
        year = time.gmtime().tm_year
        for offset in JUMPS:
            with self.subTest(offset):
                self.durations_are_positive()
                self.jump(offset)
                if offset == "+1y":
                    self.assertGreater(self.logged_year(), year, "the clock did not jump")
                self.relay(server, client, b"* 1 EXISTS\r\n")
                other, other_server = self.session()
                self.login(other, other_server)
                other_server.shutdown_write()
                self.assertEqual(other.close_clean(), "close_notify+fin")
                self.durations_are_positive()
        self.relay(client, server, b"DONE\r\n")
        self.relay(server, client, b"i OK idled\r\n")
        server.shutdown_write()
        self.assertEqual(client.close_clean(), "close_notify+fin")
        self.check_invariants()

    def test_C10_deadlines(self):
        """Neither early nor late, whichever way the clock has gone meanwhile."""
        for offset in ("+1y", "-1y"):
            with self.subTest(offset):
                self.jump("+0")
                began = time.monotonic()
                silent = self.enterContext(self.proxy.connect(tls=False))
                greeted_late = self.enterContext(self.proxy.connect())
                self.upstream.accept()
                self.jump(offset)
                for client, limit in ((silent, HANDSHAKE), (greeted_late, GREETING)):
                    client.finish()
                    self.assertGreater(time.monotonic() - began, limit * 0.9)
                    self.assertLess(time.monotonic() - began, limit + scaled(1))
        self.proxy.wait_for("imapmeter_sessions_closed_total", 2, reason="client_handshake_timeout")
        self.proxy.wait_for("imapmeter_sessions_closed_total", 2, reason="upstream_greeting_timeout")
        self.upstream.disconnect()
        self.check_invariants()


if __name__ == "__main__":
    unittest.main()
