#!/usr/bin/env python3
"""Whatever a client says to a real Courier and hears from it is counted, command by command, as the client's own
journal has it: logins good and bad, every common command, IDLE, a kick by the administrator, an idle time-out,
LOGOUT."""

import unittest

from harness.courier import RealCourier
from harness.real_server import RealServerCase


class CountsCourierExactly(RealServerCase, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = RealCourier()
        cls.addClassCleanup(cls.server.close)

    @staticmethod
    def impatient_server() -> RealCourier:
        return RealCourier()

    def test_fatal_error_of_the_server(self):
        """Courier does not survive renaming what is not there."""
        session = self.logged_in()
        session.begin(b"RENAME INBOX.Nowhere INBOX.Somewhere")
        session.close()
        self.assertEqual(self.journal.samples()["imapmeter_bye_total"], {(("reason", "shutdown"),): 1})
        self.check()


if __name__ == "__main__":
    unittest.main(verbosity=2)
