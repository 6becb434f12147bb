#!/usr/bin/env python3
"""Whatever a client says to a real Dovecot and hears from it is counted, command by command, as the client's own journal
has it: logins good and bad, every common command, IDLE, a kick by the administrator, an idle time-out, LOGOUT."""

import unittest

from harness.dovecot import IMPATIENT, RealDovecot
from harness.real_server import RealServerCase


class CountsDovecotExactly(RealServerCase, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = RealDovecot()
        cls.addClassCleanup(cls.server.close)

    @staticmethod
    def impatient_server() -> RealDovecot:
        return RealDovecot(IMPATIENT)


if __name__ == "__main__":
    unittest.main(verbosity=2)
