#!/usr/bin/env python3
"""D4: ten scrapes a second while the relay is busy: each is quick and a valid exposition whose counters rise, and the
octets all arrive.

By default for the time that 96 MiB take; with IMAPMETER_LONG=1 for that of 8 GiB, and what scrapes cost the relay is
measured too, in runs with and without them in turn.
"""

import os
import statistics
import threading
import time
import unittest

from harness import Proxy, Traffic, check_counted, scaled

MIB = 1 << 20
LONG = bool(os.environ.get("IMAPMETER_LONG"))
OCTETS = (2048 if LONG else 96) * MIB
ROUNDS = 4
INTERVAL = 0.1
P99 = 0.25
LOSS = 0.05


class Scraper:
    """Scrapes until stop(), which returns the seconds that each took."""

    def __init__(self, proxy: Proxy):
        self._proxy = proxy
        self._stop = threading.Event()
        self._seconds: list[float] = []
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> list[float]:
        self._stop.set()
        self._thread.join()
        if self._error:
            raise self._error
        return self._seconds

    def _run(self) -> None:
        try:
            while not self._stop.wait(INTERVAL):
                began = time.monotonic()
                self._proxy.get("/metrics")
                self._seconds.append(time.monotonic() - began)
                if len(self._seconds) % 10 == 0:
                    self._proxy.scrape()
        except Exception as error:  # the test's thread raises it
            self._error = error


class ScrapesUnderLoad(unittest.TestCase):
    def relay(self, octets: int, scraped: bool) -> tuple[float, list[float]]:
        """Octets per second, and the seconds of each scrape."""
        with Traffic("relay_octets", bytes=octets) as traffic, Proxy(f"imap://127.0.0.1:{traffic.port}") as proxy:
            scraper = Scraper(proxy) if scraped else None
            cpu, began = proxy.process.cpu_seconds(), time.monotonic()
            try:
                expected = traffic.run(proxy, 60 + octets / (8 * MIB))
            finally:
                scrapes = scraper.stop() if scraper else []
            seconds, cpu = time.monotonic() - began, proxy.process.cpu_seconds() - cpu
            check_counted(proxy, expected)
            print(f"figure: {octets / MIB / seconds:.0f} MiB/s, {cpu:.2f} s of CPU, {len(scrapes)} scrapes", flush=True)
            return octets / seconds, scrapes

    def check_scrapes(self, scrapes: list[float]) -> None:
        p99 = sorted(scrapes)[int(len(scrapes) * 0.99)]
        print(f"figure: {len(scrapes)} scrapes: median {statistics.median(scrapes) * 1000:.1f} ms, "
              f"p99 {p99 * 1000:.1f} ms",
              flush=True)
        self.assertLess(p99, scaled(P99))

    def test_D4(self):
        rates: dict[bool, list[float]] = {True: [], False: []}
        scrapes: list[float] = []
        for scraped in (True, False) * ROUNDS if LONG else (True,):
            rate, seconds = self.relay(OCTETS, scraped)
            rates[scraped].append(rate)
            scrapes += seconds
        self.check_scrapes(scrapes)
        if LONG:  # it wants a quiet machine
            loss = 1 - statistics.median(rates[True]) / statistics.median(rates[False])
            print(f"figure: relay throughput lost to scrapes: {loss * 100:+.1f} %", flush=True)
            self.assertLess(loss, LOSS)


if __name__ == "__main__":
    unittest.main()
