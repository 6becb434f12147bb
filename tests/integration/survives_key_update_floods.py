#!/usr/bin/env python3
"""B22: a client that asks for new TLS keys without end costs its neighbours little, and no memory when it does not read
the answers; whatever it then says arrives.

20,000 KeyUpdates by default, 1,000,000 with IMAPMETER_LONG=1. That what imapmeter can send soon ends is a setting of a
network namespace of the test's own: that takes root.
"""

import os
import subprocess
import time
import unittest
from pathlib import Path

from harness import FakeUpstream, IntegrationCase, honest_server, scaled
from harness.namespace import enter_namespace, set_ipv4

MIB = 1 << 20
COUNT = 1_000_000 if os.environ.get("IMAPMETER_LONG") else 20_000
STALL = 1.0
PATIENCE = 900 if COUNT > 20_000 else 60


class SurvivesKeyUpdateFloods(IntegrationCase):
    @classmethod
    def setUpClass(cls):
        enter_namespace()
        set_ipv4("tcp_wmem", "4096 16384 65536")
        set_ipv4("tcp_rmem", "4096 65536 65536")

    def test_B22(self):
        self.start(FakeUpstream(timeout=PATIENCE), workers=1)
        resident = self.proxy.process.rss()
        with self.neighbour():
            self.upstream.script = honest_server
            program = Path(os.environ["IMAPMETER_TRAFFIC_DIR"], "flood_key_updates")
            host, port = self.proxy.address
            flood = subprocess.Popen([program, host, str(port), str(COUNT)], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, text=True)
            self.addCleanup(flood.kill)
            word, sent = flood.stdout.readline().split()
            self.assertEqual(word, "stalled", "imapmeter has read on although its answers found no room")
            self.no_growth(resident)
            cpu = self.proxy.process.cpu_seconds()
            ends = time.monotonic() + STALL
            while (left := ends - time.monotonic()) > 0:
                time.sleep(left)  # the time in which nothing may be done is what is tested
            self.assertLess(self.proxy.process.cpu_seconds() - cpu, 0.2 * STALL, "CPU during the stall")
            told, _ = flood.communicate("go on\n", timeout=scaled(PATIENCE))
            self.no_growth(resident)
            print(f"figure: {COUNT} KeyUpdates, stalled after {sent}; resident memory "
                  f"{(self.proxy.process.rss() - resident) / 1024:+.0f} KiB", flush=True)
        self.assertEqual(flood.returncode, 0)
        self.assertIn("a OK", told)
        self.assertIn("z OK", told)
        self.check_invariants()

    def no_growth(self, resident: int) -> None:
        grown = self.proxy.process.rss() - resident
        self.assertTrue(self.proxy.process.sanitized() or grown <= MIB, f"{grown} octets more resident memory")


if __name__ == "__main__":
    unittest.main()
