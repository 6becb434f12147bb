#!/usr/bin/env python3
"""C14, C15: what thousands of sessions have used is given back when they are gone, held for long or one after the
other, with TLS on both sides.

By default 200 held and 2,000 short ones; with IMAPMETER_LONG=1 9,500 and 200,000. IMAPMETER_HELD and IMAPMETER_CHURNED
set the numbers.
"""

import os
import time
import unittest

from harness import Certificates, FACTOR, Proxy, at_rest, check_with_promtool, wait_until
from harness.crowd import Crowd, CrowdServer
from harness.invariants import Baseline, check_conservation

MIB = 1 << 20
KIB = 1 << 10
LONG = bool(os.environ.get("IMAPMETER_LONG"))
HELD = int(os.environ.get("IMAPMETER_HELD", 9500 if LONG else 200))
CHURNED = int(os.environ.get("IMAPMETER_CHURNED", 200_000 if LONG else 2000))
WARM_UP = 64
SILENT = 64  # as many legs as keep OpenSSL's buffers while they speak
WATCHED = 20.0 if LONG else 1.0  # seconds of idling
CPU_SHARE = 0.02
HELD_BOUND = 40 * KIB  # octets per idle session: two legs of TLS
ALLOWANCE = 16 * MIB
CONCURRENCY = 32
SAMPLES = 40
CHURN_LIMIT = 360.0  # seconds for 200,000
SLOPE = MIB  # per 100,000 sessions, over the last half


class GivesMemoryBack(unittest.TestCase):
    def setUp(self):
        super().setUp()
        certificates = self.enterContext(Certificates())
        server = self.enterContext(CrowdServer(certificates))
        self.proxy = self.enterContext(Proxy(server.url, upstream_ca=certificates.ca))
        with Crowd(self.proxy) as crowd:
            crowd.churn(WARM_UP, CONCURRENCY)
        self.baseline = Baseline.of(self.proxy)

    def rss(self) -> int:
        return self.proxy.process.rss()

    def test_C14_idle_sessions(self):
        process = self.proxy.process
        began = time.monotonic()
        crowds = [self.enterContext(Crowd(self.proxy)) for _ in range(2)]  # two processes: descriptors
        for crowd in crowds:
            crowd.open(HELD // 2)
        opened = time.monotonic() - began
        self.proxy.wait_for("imapmeter_sessions", HELD)
        held = (self.rss() - self.baseline.rss) / HELD
        cpu, began = process.cpu_seconds(), time.monotonic()
        wait_until(lambda: time.monotonic() - began > WATCHED, WATCHED * 2, "idling")
        share = (process.cpu_seconds() - cpu) / (time.monotonic() - began)
        self.assertEqual(self.proxy.scrape().sum("imapmeter_sessions"), HELD, "all stay")
        began = time.monotonic()
        self.assertEqual(sum(crowd.close_all() for crowd in crowds), HELD)
        closed = time.monotonic() - began
        print(f"figure: {HELD} sessions: opened in {opened:.1f} s, {held / KIB:.1f} KiB each, "
              f"{share * 100:.2f} % of a core idle, closed in {closed:.1f} s", flush=True)
        self.check_given_back(HELD)
        self.assertLess(share, CPU_SHARE * FACTOR)
        self.assertTrue(process.sanitized() or held < HELD_BOUND, f"{held} octets per idle session")

    def test_C14_silent_sessions(self):
        crowd = self.enterContext(Crowd(self.proxy))
        crowd.open(SILENT)
        spoken, began = self.rss(), time.monotonic()
        wait_until(lambda: self.proxy.process.sanitized() or self.rss() < spoken - MIB, 20,
                   f"{SILENT} sessions that have fallen silent give back 1 of {spoken / MIB:.1f} MiB")
        print(f"figure: {SILENT} sessions: {spoken / MIB:.1f} MiB resident, {self.rss() / MIB:.1f} "
              f"{time.monotonic() - began:.1f} s after the last word", flush=True)
        crowd.close_all()

    def test_C15_short_sessions(self):
        crowd = self.enterContext(Crowd(self.proxy))
        began, resumed, resident = time.monotonic(), 0, []
        for _ in range(SAMPLES):
            resumed += crowd.churn(CHURNED // SAMPLES, CONCURRENCY)
            resident.append(self.rss())
        seconds = time.monotonic() - began
        slope = slope_of(resident[SAMPLES // 2:]) / (CHURNED / SAMPLES) * 100_000
        print(f"figure: {CHURNED} sessions in {seconds:.0f} s, {resumed} resumed; resident {resident[0] / MIB:.1f}, "
              f"at half {resident[SAMPLES // 2] / MIB:.1f}, at the end {resident[-1] / MIB:.1f} MiB; over the last half "
              f"{slope / MIB:+.3f} MiB per 100,000", flush=True)
        self.assertGreaterEqual(resumed, CHURNED - CONCURRENCY)
        self.assertLess(seconds, CHURN_LIMIT * max(1, CHURNED / 200_000) * FACTOR)
        if not self.proxy.process.sanitized() and CHURNED >= 100_000:  # fewer say nothing about a slope
            self.assertLess(slope, SLOPE)
        self.check_given_back(CHURNED)

    def check_given_back(self, sessions: int) -> None:
        """I4 to I6."""
        metrics = at_rest(self.proxy)
        check_conservation(metrics)
        check_with_promtool(self.proxy.get("/metrics")[2].decode())
        self.assertEqual(metrics.sum("imapmeter_sessions_closed_total", reason="logout"), WARM_UP + sessions)
        self.assertEqual(metrics.sum("imapmeter_sessions_accepted_total"), WARM_UP + sessions)
        wait_until(lambda: self.proxy.process.fds() <= self.baseline.fds, 5, "descriptors given back")
        self.assertLessEqual(self.proxy.process.threads(), self.baseline.threads)
        wait_until(lambda: self.proxy.process.sanitized() or self.rss() < self.baseline.rss + ALLOWANCE, 5,
                   f"memory given back: {self.baseline.rss / MIB:.1f} MiB before")
        print(f"figure: descriptors {self.baseline.fds} before, {self.proxy.process.fds()} behind; resident "
              f"{self.baseline.rss / MIB:.1f} and {self.rss() / MIB:.1f} MiB", flush=True)


def slope_of(values: list[float]) -> float:
    """Of the line through them, by least squares."""
    middle = (len(values) - 1) / 2
    return (sum((at - middle) * value for at, value in enumerate(values))
            / sum((at - middle) ** 2 for at in range(len(values))))


if __name__ == "__main__":
    unittest.main()
