#!/usr/bin/env python3
"""C7: SIGTERM ends each session where it hurts nobody, delivers what is under way, and keeps to the deadline.

What each session sees:
  idle, quiet         * BYE [UNAVAILABLE] at once (within half the drain), close_notify, FIN
  a transfer, paused  everything up to the tagged response, then as above
  in mid-literal      the same, when the server has completed it
  pipelined           the same, behind the last answer
  in mid-line         the same, behind the line
  opaque, compressed  nothing of ours: their bytes flow until the deadline cuts them
  never completed     cut at the deadline, in a way that a client can tell from a clean end
"""

import hashlib
import threading
import time
import unittest

from harness import FACTOR, FakeUpstream, IntegrationCase, wait_until
from refuses_when_upstream_is_down import BYE

TRANSFERS = 5
SIZE = 8 << 20
LITERAL = bytes(range(256)) * (SIZE // 256)
FETCHED = b"* 1 FETCH (BODY[] {%d}\r\n" % SIZE + LITERAL + b")\r\nf OK fetched\r\n"
HALF = b"* 1 FETCH (BODY[] {1000}\r\n" + b"x" * 500
REST = b"y" * 500 + b")\r\n"


class DrainsOnSigterm(IntegrationCase):
    def logged_in(self, command: bytes = b"", answer: bytes = b"", **options):
        client, server = self.session(**options)
        self.login(client, server)
        if command:
            self.relay(client, server, command)
        if answer:
            self.relay(server, client, answer)
        return client, server

    def expect_bye(self, client, server) -> None:
        """The last words, the clean end on both legs, and not an octet more."""
        self.assertRegex(client.read_all(), BYE)
        self.assertEqual(client.finish(), "close_notify+fin")
        self.assertEqual(server.finish(), "fin")
        client.close()
        server.close()

    def test_C7_everything_is_delivered_and_the_exit_status_is_0(self):
        self.start(FakeUpstream(timeout=30), timeouts={"drain": "10s"})
        transfers = [self.start_transfer() for _ in range(TRANSFERS)]
        idle = self.logged_in(b"i IDLE\r\n", b"+ idling\r\n")
        quiet = self.logged_in()
        pipelined = self.logged_in(b"p1 NOOP\r\np2 NOOP\r\np3 NOOP\r\n")
        mid_literal = self.logged_in(b"m FETCH 1 BODY[]\r\n", HALF)
        mid_line = self.logged_in(b"", b"* OK half a li")
        before = self.proxy.scrape()

        signalled = time.monotonic()
        self.proxy.terminate()
        self.expect_bye(*idle)
        self.expect_bye(*quiet)
        self.assertLess(time.monotonic() - signalled, 5 + FACTOR, "sessions at rest are closed in half the drain")
        self.expect_not_accepting()

        for client, server in (mid_literal, mid_line, pipelined):
            client.expect_silence(0.1)
        self.relay(mid_line[1], mid_line[0], b"ne\r\n")
        self.expect_bye(*mid_line)
        for answer in (b"p2 NO not now\r\n", b"p1 OK done\r\n"):
            self.relay(pipelined[1], pipelined[0], answer)
            pipelined[0].expect_silence(0.1)
        self.relay(pipelined[1], pipelined[0], b"p3 OK done\r\n")
        self.expect_bye(*pipelined)
        for client, server, sending in transfers:
            self.finish_transfer(client, server, sending)
        self.proxy.wait_for("imapmeter_sessions_closed_total", TRANSFERS + 4, reason="drain", phase="authenticated")
        self.assertEqual(self.change(before, "imapmeter_authored_total", what="bye"), TRANSFERS + 4)
        self.assertEqual(self.change(before, "imapmeter_bye_total"), 0, "our own BYE is not the server's")

        self.relay(mid_literal[1], mid_literal[0], REST)
        mid_literal[0].expect_silence(0.1)
        self.relay(mid_literal[1], mid_literal[0], b"m OK fetched\r\n")
        self.expect_bye(*mid_literal)
        self.assertEqual(self.proxy.wait(), 0)
        self.assertLess(time.monotonic() - signalled, 11)

    def start_transfer(self):
        """A client that has read the start of a large message and then paused."""
        client, server = self.logged_in(b"f FETCH 1 BODY[]\r\n", keep=False, receive_buffer=65536, timeout=30)
        sending = threading.Thread(target=server.send, args=(FETCHED,))
        sending.start()
        client.expect(FETCHED[:65536])
        return client, server, sending

    def finish_transfer(self, client, server, sending) -> None:
        digest = hashlib.sha256(FETCHED[:65536])
        self.assertEqual(client.consume(len(FETCHED) - 65536, digest.update), len(FETCHED) - 65536)
        sending.join()
        self.assertEqual(digest.hexdigest(), hashlib.sha256(FETCHED).hexdigest())
        self.expect_bye(client, server)

    def expect_not_accepting(self) -> None:
        self.assertEqual(self.proxy.get("/readyz")[0], 503)
        self.assertEqual(self.proxy.get("/livez")[0], 200)
        dialled = len(self.upstream.connections)
        try:
            with self.proxy.connect(tls=False, timeout=0.3) as late:
                self.assertEqual(late.recv(), b"")
        except (OSError, AssertionError):
            pass  # refused, or left in the queue of a socket that nobody reads
        self.assertEqual(len(self.upstream.connections), dialled, "a new session during the drain")

    def test_C7_the_deadline_cuts_what_is_left_and_the_exit_status_is_1(self):
        self.start(timeouts={"drain": "2s"})
        sessions = {
            "in mid-literal": self.logged_in(b"m FETCH 1 BODY[]\r\n", HALF),
            "compressed": self.logged_in(b"c COMPRESS DEFLATE\r\n", b"c OK DEFLATE active\r\n"),
            "opaque": self.session(greeting=b"* OK \0\r\n"),
        }
        before = self.proxy.scrape()
        signalled = time.monotonic()
        self.proxy.terminate()
        wait_until(lambda: self.proxy.get("/readyz")[0] == 503, what="draining")
        for what in ("compressed", "opaque"):
            client, server = sessions[what]
            self.relay(server, client, b"\1\2\3 flows on\r\n")
            self.relay(client, server, b"\3\2\1 both ways\r\n")
        self.assertEqual(self.change(before, "imapmeter_authored_total", what="bye"), 0)
        for what, (client, server) in sessions.items():
            with self.subTest(what):
                self.assertEqual(client.read_all(), b"")
                self.assertIn(client.finish(), ("fin", "reset"), "a cut session must not look complete")
                self.assertEqual(bytes(client.received.data), bytes(server.sent.data))
                self.assertIn(server.finish(), ("fin", "reset"))
        self.assertEqual(self.proxy.wait(), 1)
        self.assertGreaterEqual(time.monotonic() - signalled, 1.5)
        self.assertLess(time.monotonic() - signalled, 3 * FACTOR)


if __name__ == "__main__":
    unittest.main()
