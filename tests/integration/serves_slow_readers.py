#!/usr/bin/env python3
"""B4, I1, I3: a client that reads slowly gets all that the server sent before it ended, however long that takes, and one
that reads an octet a second costs no CPU; and while an unfinished capability word waits for a client that does not read,
its neighbours are served. B4 is watched for 3 seconds, with IMAPMETER_LONG=1 for 30 and without TLS too."""

import os
import threading
import time
import unittest

from harness import IntegrationCase, scaled, wait_until
from harness.process import tcp_queues

MAIL = b"".join(b"* %d FETCH (FLAGS (\\Seen) UID %d)\r\n" % (n, n) for n in range(1, 200001))  # 8 MiB
LONG = bool(os.environ.get("IMAPMETER_LONG"))
WATCHED = 30 if LONG else 3  # seconds
PIECE = 1 << 20
CPU_SHARE = 0.01
HELD = 4 << 20  # more resident memory, in the worst case
ENOUGH = 16 << 20  # more than the system's buffers take for a client that does not read


class ServesSlowReaders(IntegrationCase):
    def test_everything_arrives_after_the_servers_end(self):
        self.start(timeouts={"half_close": "1s"})
        client, server = self.session(receive_buffer=16384)
        self.login(client, server)
        sending = threading.Thread(target=self.send_and_end, args=(server,))
        sending.start()
        started, got = time.monotonic(), b""
        while len(got) < len(MAIL):
            got += client.recv_exact(min(len(MAIL) - len(got), 150_000))
            if len(MAIL) - len(got) < 1_000_000:
                client.send(b"late NOOP\r\n")  # a closed socket would answer with RST, which destroys the rest
            time.sleep(0.1)  # the slowness is what is tested
        self.assertEqual(got, MAIL)
        self.assertGreater(time.monotonic() - started, 2.0)
        self.assertEqual(client.finish(), "close_notify+fin")
        sending.join()
        client.close_clean()
        server.finish()
        self.check_invariants()

    def test_B4_an_octet_a_second(self):
        for tls in (True, False) if LONG else (True,):
            with self.subTest(tls=tls):
                self.start(tls=tls)
                client, server = self.session(receive_buffer=65536)
                sending = threading.Thread(target=self.send_and_end, args=(server,))
                sending.start()
                self.read_an_octet_a_second(client)
                for at in range(0, len(MAIL), PIECE):  # each in its own time: the machine may be busy
                    piece = MAIL[at:at + PIECE]
                    self.assertEqual(client.recv_exact(len(piece)), piece)
                sending.join()
                self.assertEqual(client.finish(), "close_notify+fin" if tls else "fin")
                client.close_clean()
                server.finish()
                self.check_invariants()

    def read_an_octet_a_second(self, client):
        process = self.proxy.process
        self.proxy.wait_for("imapmeter_blocked_sessions", 1, side="client")
        used, began = process.cpu_seconds(), time.monotonic()
        for second in range(1, WATCHED + 1):
            self.assertEqual(client.trickle(1), 1)
            time.sleep(max(0.0, began + second - time.monotonic()))  # the slowness is what is tested
        share = (process.cpu_seconds() - used) / (time.monotonic() - began)
        print(f"figure: an octet a second: {share * 100:.2f} % of a processor", flush=True)
        self.assertLess(share, CPU_SHARE)
        grown = process.rss() - self.baseline.rss
        self.assertTrue(process.sanitized() or grown <= HELD, f"{grown} octets more resident memory")

    @staticmethod
    def send_and_end(server):
        server.send(MAIL)
        server.shutdown_write()

    def test_a_held_word_and_a_full_client_do_not_stop_the_others(self):
        self.start(tls=False, workers=1)
        client, server = self.session(receive_buffer=4096)
        neighbour, its_server = self.session()
        self.login(neighbour, its_server)
        self.block_in_a_capability_list(server)
        used, until = self.proxy.process.cpu_seconds(), time.monotonic() + 2.5  # the word may be held for 1 s
        while time.monotonic() < until:
            asked = time.monotonic()
            neighbour.send(b"n NOOP\r\n")
            its_server.expect(b"n NOOP\r\n")
            self.relay(its_server, neighbour, b"n OK done\r\n")
            self.assertLess(time.monotonic() - asked, scaled(0.5))
        self.assertLess(self.proxy.process.cpu_seconds() - used, 2.0)

    def block_in_a_capability_list(self, server):
        """Fills the way to the client, in steps that each end in a word that the filter holds back."""
        block = b"* OK filler\r\n" * 5000 + b"* CAPABILITY IMAP4rev1 A"
        for _ in range(ENOUGH // len(block)):
            server.send(block)
            self.read_soon(server)
            server.send(b"UTH=X\r\n")
            if not self.read_soon(server):
                return
        self.fail("the way to the client is not full")

    @staticmethod
    def read_soon(server) -> bool:
        """Whether imapmeter reads all that the server has sent."""
        try:
            wait_until(lambda: not (tcp_queues(server.peer[1], server.local[1])[1] or server.unacknowledged()), 0.3)
        except AssertionError:
            return False
        return True


if __name__ == "__main__":
    unittest.main()
