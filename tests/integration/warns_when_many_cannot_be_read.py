#!/usr/bin/env python3
"""When more than a tenth of a listener's sessions can no longer be read for one reason, imapmeter says so once, and what
helps; of another reason it says the same."""

import re
import time
import unittest
from collections.abc import Callable

from harness import IntegrationCase, Wire, scaled
from harness.timing import FAKETIME

# imapmeter looks every ten seconds: its clock runs ten times as fast.
FAST = {"LD_PRELOAD": FAKETIME, "FAKETIME": "+0 x10"}
WARNING = r"listener \S+: (\d+) of (\d+) sessions can no longer be read \(%s\): .*%s"
LEAST, SHARE = 20, 10


class WarnsWhenManyCannotBeRead(IntegrationCase):
    def setUp(self):
        super().setUp()
        self.start(tls=False, environment=FAST)

    def warnings(self, reason: str, remedy: str) -> list[re.Match]:
        found = (re.search(WARNING % (reason, remedy), line) for line in self.proxy.log_lines('"level":"warn"'))
        return [each for each in found if each]

    def multiplex(self) -> None:
        client, server = self.session()
        self.relay(client, server, b'i ID ("x-multiplex" "0")\r\n')
        self.relay(server, client, b"* MULTIPLEX 0\r\n")
        self.end(client, server)

    def garble(self) -> None:
        client, server = self.session()
        self.relay(client, server, b"a COMPRESS DEFLATE\r\n")
        self.relay(server, client, b"a OK go\r\n* NO deflate\r\n")
        self.end(client, server)

    @staticmethod
    def end(client: Wire, server: Wire) -> None:
        server.shutdown_write()
        client.close_clean()
        server.close_clean()

    def until_warned(self, session: Callable[[], None], reason: str, remedy: str) -> None:
        deadline = time.monotonic() + scaled(30)
        while not (found := self.warnings(reason, remedy)):
            self.assertLess(time.monotonic(), deadline, f"no warning of {reason}")
            session()
        opaque, accepted = map(int, found[0].groups())
        self.assertGreaterEqual(opaque, LEAST)
        self.assertGreater(opaque * SHARE, accepted)
        self.assertLessEqual(opaque, self.proxy.scrape().sum("imapmeter_opaque_sessions_total", reason=reason))

    def test_each_reason_once(self):
        self.until_warned(self.multiplex, "multiplex", "trusted_networks")
        self.until_warned(self.garble, "compress_error", "RFC 4978")
        self.assertEqual(len(self.warnings("multiplex", "")), 1)
        self.assertEqual(len(self.warnings("compress_error", "")), 1)
        self.check_invariants()


if __name__ == "__main__":
    unittest.main()
