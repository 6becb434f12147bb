#!/usr/bin/env python3
"""B1: a client that ends its direction behind its last command still gets the replies, for half_close_timeout."""

import time
import unittest

from harness import CHUNKINGS, FACTOR, IntegrationCase

LAST = b"x NOOP\r\nz LOGOUT\r\n"
LATE = b"x OK done\r\n* BYE later\r\nz OK bye\r\n"
WAITS = 2.0  # seconds until the server answers, the default half_close_timeout being 10


def by_close_notify(client):
    client.close_notify()


def by_close_notify_and_fin(client):
    client.close_notify()
    client.shutdown_write()


def by_fin(client):
    client.shutdown_write()


class DeliversLateRepliesAfterHalfClose(IntegrationCase):
    def test_B1_one_sided_close_notify(self):
        self.late_replies(by_close_notify, by_close_notify_and_fin, by_fin)

    def test_B1_plain_listener(self):
        self.late_replies(by_fin, tls=False)

    def late_replies(self, *ways, tls: bool = True):
        self.start(tls=tls)
        before = self.proxy.scrape()
        sessions = []
        for half_close in ways:
            for chunking in CHUNKINGS:
                client, server = self.session()
                self.login(client, server)
                client.send(LAST, chunking)
                half_close(client)
                self.assertEqual(server.read_all(), LAST)  # all of it, then the end
                self.assertEqual(server.closed_by_peer, "fin")
                sessions.append((client, server, chunking))
        sessions[0][0].expect_silence(WAITS)
        for client, server, chunking in sessions:
            server.send(LATE, chunking)
            server.shutdown_write()
            self.assertEqual(client.read_all(), LATE)
            self.assertEqual(client.finish(), "close_notify+fin" if tls else "fin")
            client.close()
        self.proxy.wait_for("imapmeter_sessions_closed_total",
                            before.sum("imapmeter_sessions_closed_total", reason="logout") + len(sessions),
                            reason="logout")
        self.assertEqual(self.change(before, "imapmeter_responses_total", kind="tagged", status="OK"),
                         3 * len(sessions))
        self.check_invariants()

    def test_B1_fin_without_close_notify_loses_no_command(self):
        """The client's truncation: what it had sent reaches the server all the same."""
        self.start()
        for chunking in CHUNKINGS:
            client, server = self.session()
            self.login(client, server)
            client.send(LAST, chunking)
            client.shutdown_write()
            self.assertEqual(server.read_all(), LAST)
            server.close()
            client.close()
        self.proxy.wait_for("imapmeter_sessions_closed_total", len(CHUNKINGS), reason="client_eof")
        self.check_invariants()

    def test_B1_a_server_that_never_ends_is_left_after_half_close_timeout(self):
        self.start(timeouts={"half_close": "1s"})
        client, server = self.session()
        self.login(client, server)
        client.send(b"x NOOP\r\n")
        client.close_notify()
        start = time.monotonic()
        self.assertEqual(server.read_all(), b"x NOOP\r\n")
        self.assertEqual(client.read_all(), b"")
        seconds = time.monotonic() - start
        self.assertGreaterEqual(seconds, 0.9)
        self.assertLessEqual(seconds, 1 + 0.5 * FACTOR)
        client.close()
        self.proxy.wait_for("imapmeter_sessions_closed_total", 1, reason="client_eof", phase="authenticated")
        server.close()
        self.check_invariants()


if __name__ == "__main__":
    unittest.main()
