#!/usr/bin/env python3
"""C19, D5: a second process on a port that is taken says so and does not start; the first goes on."""

import subprocess
import unittest

from harness import IntegrationCase, scaled
from harness.proxy import binary


class RefusesASecondProcess(IntegrationCase):
    def setUp(self):
        super().setUp()
        self.start()

    def test_C19_same_listener(self):
        self.second_process_fails(listen=self.proxy.address, admin=("127.0.0.1", 0), names=self.proxy.address)

    def test_D5_same_admin(self):
        self.second_process_fails(listen=("127.0.0.1", 0), admin=self.proxy.admin, names=self.proxy.admin)

    def second_process_fails(self, listen, admin, names) -> None:
        done = subprocess.run(
            [binary(), "--listen", "imaps://{}:{}".format(*listen), "--self-signed", "--upstream", self.upstream.url,
             "--admin", "{}:{}".format(*admin)],
            capture_output=True, text=True, timeout=scaled(10), check=False)
        self.assertGreater(done.returncode, 0, "a signal or success")
        self.assertNotIn("ready", done.stdout)
        self.assertIn("{}:{}".format(*names), done.stderr)
        client, server = self.session()
        self.login(client, server)
        server.shutdown_write()
        self.assertEqual(client.close_clean(), "close_notify+fin")
        self.check_invariants()


if __name__ == "__main__":
    unittest.main()
