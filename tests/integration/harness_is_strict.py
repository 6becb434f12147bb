#!/usr/bin/env python3
"""The harness itself: its peers see each way to close for what it is, and its reader of metrics refuses what is wrong.

A fault test is worth what its harness can tell apart, so this is tested without imapmeter between the peers.
"""

import hashlib
import select
import socket
import threading
import unittest

from harness import CHUNKINGS, Certificates, Child, ExpositionError, FakeClient, FakeUpstream, chunks, parse
from harness import honest_server, scaled, wait_until, well_behaved_session
from harness.wire import WireTimeout

GOOD = """# HELP a_total things
# TYPE a_total counter
a_total{x="1",y="q\\"\\\\\\n"} 3
a_total{x="2",y=""} 4e2
# HELP h_seconds times
# TYPE h_seconds histogram
h_seconds_bucket{le="0.1"} 1
h_seconds_bucket{le="+Inf"} 2
h_seconds_sum 7
h_seconds_count 2
"""


class WireTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.certificates = cls.enterClassContext(Certificates())

    def pair(self, tls: bool, script=None):
        upstream = self.enterContext(FakeUpstream(script, tls=self.certificates.server_context() if tls else None))
        client = None

        def dial():
            nonlocal client
            client = self.enterContext(FakeClient(upstream.address, tls))

        dialling = threading.Thread(target=dial)
        dialling.start()
        server = upstream.accept()
        dialling.join()
        return client, server

    def test_every_close_is_told_from_the_others(self):
        acts = {
            "close_notify+fin": lambda server: (server.close_notify(), server.shutdown_write()),
            "close_notify+reset": lambda server: (server.close_notify(), client.read_line(), server.reset()),
            "fin": lambda server: server.shutdown_write(),
            "reset": lambda server: server.reset(),
        }
        for end, act in acts.items():
            with self.subTest(end):
                client, server = self.pair(tls=True)
                server.send(b"last line\r\n")
                if end != "close_notify+reset":
                    client.expect(b"last line\r\n")
                act(server)
                self.assertEqual(client.finish(), end)
        for end in ("fin", "reset"):
            with self.subTest(f"plain {end}"):
                client, server = self.pair(tls=False)
                acts[end](server)
                self.assertEqual(client.finish(), end)

    def test_one_sided_close_notify_leaves_the_other_direction_open(self):
        client, server = self.pair(tls=True)
        server.send(b"unread when the client closes\r\n")
        client.close_notify()
        self.assertEqual(server.read_all(), b"")
        self.assertEqual(server.closed_by_peer, "close_notify")
        server.send(b"late\r\n")
        server.close_notify()
        server.shutdown_write()
        self.assertEqual(client.read_all(), b"unread when the client closes\r\nlate\r\n")
        self.assertEqual(client.finish(), "close_notify+fin")

    def test_a_peer_that_does_not_answer_or_read_is_a_timeout(self):
        client, server = self.pair(tls=False)
        client.timeout = server.timeout = 0.2
        with self.assertRaises(WireTimeout):
            client.recv()
        with self.assertRaises(WireTimeout):
            server.send(bytes(64 << 20))

    def test_chunkings_join_to_the_same_octets(self):
        script = b"* OK a\r\n* 1 FETCH {3}\r\nabc)\r\nx" * 50
        for chunking in CHUNKINGS:
            with self.subTest(chunking):
                self.assertEqual(b"".join(chunks(script, chunking)), script)
                client, server = self.pair(tls=True)
                server.send(script, chunking)
                self.assertEqual(client.recv_exact(len(script)), script)
                self.assertEqual(client.received.hexdigest(), hashlib.sha256(script).hexdigest())

    def test_one_thread_writes_while_another_reads(self):
        client, server = self.pair(tls=True)
        data = bytes(range(256)) * 65536
        threads = [threading.Thread(target=peer.send, args=(data,)) for peer in (client, server)]
        reader = threading.Thread(target=server.consume, args=(len(data),))
        for thread in (*threads, reader):
            thread.start()
        self.assertEqual(client.consume(len(data)), len(data))
        for thread in (*threads, reader):
            thread.join()
        self.assertEqual(server.received.hexdigest(), client.sent.hexdigest())
        self.assertEqual(client.received.hexdigest(), server.sent.hexdigest())

    def test_the_honest_server_serves_the_well_behaved_session(self):
        upstream = self.enterContext(FakeUpstream(honest_server, tls=self.certificates.server_context()))
        self.assertLess(well_behaved_session(upstream.address), 10)

    def test_a_closed_port_refuses_and_opens_again(self):
        upstream = self.enterContext(FakeUpstream(honest_server))
        upstream.stop_listening()
        with self.assertRaises(ConnectionRefusedError):
            FakeClient(upstream.address, tls=False)
        upstream.listen()
        self.assertLess(well_behaved_session(upstream.address, tls=False), 10)

    def test_wait_until_fails_in_the_end(self):
        with self.assertRaisesRegex(AssertionError, "the moon"):
            wait_until(lambda: False, 0.05, "the moon")


class ChildTest(unittest.TestCase):
    def test_hands_back_what_the_function_returns_or_raises(self):
        self.assertEqual(Child(lambda stop: [1, 2], ()).stop(), [1, 2])
        with self.assertRaisesRegex(AssertionError, "ZeroDivisionError"):
            Child(lambda stop: 1 / 0, ()).stop()

    def test_a_killed_child_holds_nothing_open(self):
        near, far = socket.socketpair()
        child = Child(lambda stop: select.select([stop], [], []), (far.fileno(),))
        far.close()
        near.settimeout(scaled(10))
        near.send(b"x")
        child.kill()
        with near, self.assertRaises(ConnectionResetError):
            near.recv(1)


class ExpositionTest(unittest.TestCase):
    def test_reads_what_is_right(self):
        seen = parse(GOOD)
        self.assertEqual(seen.series, 6)
        self.assertEqual(seen.sum("a_total"), 403)
        self.assertEqual(seen.sum("a_total", y='q"\\\n'), 3)
        self.assertEqual(seen.by("a_total", "x"), {"1": 3, "2": 400})

    def test_refuses_what_is_wrong(self):
        wrong = {
            "a duplicate series": GOOD.replace('x="2",y=""', 'y="q\\"\\\\\\n",x="1"'),
            "no last LF": GOOD[:-1],
            "no TYPE": GOOD.replace("# TYPE a_total counter\n", ""),
            "no HELP": GOOD.replace("# HELP a_total things\n", ""),
            "a second TYPE": GOOD.replace("# TYPE a_total", "# TYPE a_total counter\n# TYPE a_total"),
            "TYPE behind samples": GOOD + "# TYPE a_total counter\n",
            "a family in two places": GOOD + 'a_total{x="3",y=""} 1\n',
            "an unescaped quote": GOOD.replace('\\"', '"'),
            "a bad number": GOOD.replace("4e2", "4,2"),
            "a negative counter": GOOD.replace("4e2", "-4"),
            "a counter that is NaN": GOOD.replace("4e2", "NaN"),
            "a counter without _total": GOOD.replace("a_total", "a_things"),
            "a duplicate label": GOOD.replace('x="2",y=""', 'x="2",x=""'),
            "buckets that fall": GOOD.replace('le="0.1"} 1', 'le="0.1"} 3'),
            "buckets out of order": GOOD.replace('le="0.1"', 'le="+Inf"').replace('le="+Inf"} 2', 'le="0.1"} 2'),
            "count is not +Inf": GOOD.replace("h_seconds_count 2", "h_seconds_count 3"),
            "no +Inf": GOOD.replace('h_seconds_bucket{le="+Inf"} 2\n', ""),
            "no sum": GOOD.replace("h_seconds_sum 7\n", ""),
            "two spaces": GOOD.replace("h_seconds_sum 7", "h_seconds_sum  7"),
        }
        for what, text in wrong.items():
            with self.subTest(what), self.assertRaises(ExpositionError):
                parse(text)


if __name__ == "__main__":
    unittest.main()
