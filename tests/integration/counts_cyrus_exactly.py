#!/usr/bin/env python3
"""Whatever a client says to a real Cyrus and hears from it is counted, command by command, as the client's own journal
has it: logins good and bad, every common command, IDLE, a kick by the administrator, an idle time-out, LOGOUT."""

import unittest

from harness.cyrus import IMPATIENT, RealCyrus
from harness.real_server import RealServerCase


class CountsCyrusExactly(RealServerCase, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = RealCyrus()
        cls.addClassCleanup(cls.server.close)

    @staticmethod
    def impatient_server() -> RealCyrus:
        return RealCyrus(IMPATIENT)


if __name__ == "__main__":
    unittest.main(verbosity=2)
