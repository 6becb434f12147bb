#!/usr/bin/env python3
"""A client that has a greeting and does not log in is closed after timeouts.preauth, without a word in the middle of a
session; who has logged in stays."""

import unittest

from harness import IntegrationCase


class ClosesWhoDoesNotLogIn(IntegrationCase):
    def test_preauth_timeout(self):
        self.start(timeouts={"preauth": "1s"})
        client, server = self.session()
        stays, its_server = self.session()
        self.login(stays, its_server)
        self.relay(client, server, b"a CAPABILITY\r\n")
        self.relay(server, client, b"* CAPABILITY IMAP4rev1\r\na OK done\r\n")
        self.assertEqual(client.read_all(), b"")
        self.assertEqual(server.read_all(), b"")
        self.proxy.wait_for("imapmeter_sessions_closed_total", 1, reason="preauth_timeout", phase="login")
        self.relay(stays, its_server, b"n NOOP\r\n")
        self.relay(its_server, stays, b"n OK done\r\n")
        stays.close_notify()
        stays.shutdown_write()
        its_server.close_clean()
        self.check_invariants()


if __name__ == "__main__":
    unittest.main()
