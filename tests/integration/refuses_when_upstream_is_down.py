#!/usr/bin/env python3
"""A1: where the upstream refuses the connection, the client is told by one BYE, and recovery needs no restart."""

import re
import unittest

from harness import IntegrationCase

SESSIONS = 20
BYE = re.compile(rb"\* BYE \[UNAVAILABLE\] [^\r\n\[\]]+\r\n")


class RefusesWhenUpstreamIsDown(IntegrationCase):
    def test_A1_tls_listener(self):
        self.refused(tls=True, end="close_notify+fin")

    def test_A1_plain_listener(self):
        self.refused(tls=False, end="fin")

    def refused(self, tls: bool, end: str):
        self.start(tls=tls)
        before = self.proxy.scrape()
        lines_before = len(self.proxy.log)
        self.upstream.stop_listening()
        for _ in range(SESSIONS):
            with self.proxy.connect() as client:
                self.assertRegex(client.read_all(), BYE)
                self.assertEqual(client.finish(), end)
        self.proxy.wait_for("imapmeter_sessions_closed_total", SESSIONS, reason="upstream_refused", phase="connect")
        self.assertEqual(self.change(before, "imapmeter_authored_total", what="bye"), SESSIONS)
        self.assertEqual(self.change(before, "imapmeter_upstream_connects_total", result="refused"), SESSIONS)
        for family in ("bytes", "responses", "status_codes", "bye", "commands_started", "session_outcomes"):
            self.assertEqual(self.change(before, f"imapmeter_{family}_total"), 0, family)
        warnings = [line for line in self.proxy.log[lines_before:] if "warn" in line.lower()]
        self.assertEqual(len(warnings), 1, warnings)

        self.upstream.listen()
        self.check_invariants()


if __name__ == "__main__":
    unittest.main()
