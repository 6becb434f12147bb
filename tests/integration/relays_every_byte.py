#!/usr/bin/env python3
"""Every octet arrives, in order, once, and every session closes clean: random IMAP-like traffic on 64 connections, both
directions at once, in chunks of 1 octet to 64 KiB, over TLS 1.2 and 1.3.

IMAPMETER_BYTES sets how many octets in all (256 MiB); IMAPMETER_LONG=1 makes it 20 GiB.
"""

import os
import time
import unittest

from harness import Certificates, Proxy, Traffic, check_counted

MIB = 1 << 20
LONG = os.environ.get("IMAPMETER_LONG") == "1"
OCTETS = int(os.environ.get("IMAPMETER_BYTES", 20480 * MIB if LONG else 256 * MIB))


class RelaysEveryByte(unittest.TestCase):
    def relay(self, octets: int, capabilities: str, certificates: Certificates | None = None, tls: bool = True,
              **options) -> Proxy:
        if certificates:
            options |= {"cert": certificates.cert, "key": certificates.key}
        traffic = self.enterContext(
            Traffic("relay_octets", bytes=octets, client_tls="both" if tls else "none", **options))
        proxy = self.enterContext(
            Proxy(f"{'imaps' if certificates else 'imap'}://127.0.0.1:{traffic.port}", tls=tls,
                  upstream_ca=certificates.ca if certificates else None, capabilities=capabilities))
        start = time.monotonic()
        expected = traffic.run(proxy, 60 + octets / (8 * MIB))
        seconds = time.monotonic() - start
        relayed = sum(expected["imapmeter_bytes_total"].values())
        print(f"figure: {relayed / MIB:.0f} MiB in {seconds:.1f} s, {relayed / MIB / seconds:.0f} MiB/s", flush=True)
        check_counted(proxy, expected)
        if not options.get("capability_words"):
            self.assertGreaterEqual(relayed, octets * 0.99)
            self.assertEqual(proxy.scrape().sum("imapmeter_authored_total"), 0)
        return proxy

    def test_tls_to_plaintext(self):
        self.relay(OCTETS * 5 // 8, "pass")

    def test_tls_to_tls(self):
        with Certificates() as certificates:
            self.relay(OCTETS * 2 // 8, "pass", certificates)

    def test_plaintext_to_plaintext(self):
        self.relay(OCTETS // 16, "pass", tls=False)

    def test_nothing_but_capability_words_is_taken_out(self):
        proxy = self.relay(OCTETS // 16, "auto", capability_words=1)
        self.assertGreater(proxy.scrape().sum("imapmeter_authored_total", what="capability_words"), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
