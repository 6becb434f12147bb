#!/usr/bin/env python3
"""Where clients from elsewhere go on to servers that are not told of them, imapmeter warns when it starts and in --check,
once for each listener; and nowhere else."""

import subprocess
import tempfile
import unittest
from pathlib import Path

from harness import FakeUpstream, Proxy, honest_server, scaled

WARNING = "its servers see every client as this machine"
TOLD = {"upstream": {"proxy_protocol": True}}
BEHIND_ANOTHER = {"listener": {"proxy_protocol": ["127.0.0.0/8"]}}


class WarnsWhereServersCannotSeeClients(unittest.TestCase):
    def setUp(self):
        self.directory = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="imapmeter-")))

    def warnings(self, listen: str, config: dict | None = None) -> tuple[list[str], list[str]]:
        """In the log of an imapmeter that has started, and of --check with the same arguments."""
        with FakeUpstream(honest_server) as upstream, Proxy(upstream, listen=listen, config=config) as proxy:
            check = subprocess.run([*proxy.child.args, "--check"], capture_output=True, text=True, timeout=scaled(10),
                                   check=True)
            self.assertEqual(check.stdout.splitlines()[-1], "ok")
            proxy.terminate()
            self.assertEqual(proxy.wait(), 0)
            return proxy.log_lines(WARNING), [line for line in check.stdout.splitlines() if WARNING in line]

    def test_clients_from_elsewhere(self):
        for listen, config in (("0.0.0.0:0", None), ("[::]:0", None), ("127.0.0.1:0", BEHIND_ANOTHER),
                               (f"unix:{self.directory}/imap", BEHIND_ANOTHER)):
            with self.subTest(listen):
                logged, checked = self.warnings(listen, config)
                self.assertEqual((len(logged), len(checked)), (1, 1))
                self.assertIn('"level":"warn"', logged[0])
                self.assertTrue(checked[0].startswith("warning: "), checked)
                for line in logged + checked:
                    self.assertIn("listeners[0].upstream: without proxy_protocol", line)

    def test_servers_that_are_told(self):
        for listen, config in (("0.0.0.0:0", TOLD), ("127.0.0.1:0", {**TOLD, **BEHIND_ANOTHER})):
            with self.subTest(listen):
                self.assertEqual(self.warnings(listen, config), ([], []))

    def test_clients_of_this_machine(self):
        for listen in ("127.0.0.1:0", "[::1]:0", f"unix:{self.directory}/imap"):
            with self.subTest(listen):
                self.assertEqual(self.warnings(listen), ([], []))


if __name__ == "__main__":
    unittest.main()
