#!/usr/bin/env python3
"""A3, A16: an upstream that comes late, comes and goes, or is killed costs its own sessions only: the next one is served
at once."""

import select
import socket
import time
import unittest

from harness import Child, FakeUpstream, IntegrationCase, Proxy, honest_server, scaled, wait_until
from harness import well_behaved_session
from harness.case import GREETING
from refuses_when_upstream_is_down import BYE

FLAPS = 20
SESSIONS = 500


class ConnectsAgainAtOnce(IntegrationCase):
    def test_A3_the_upstream_comes_late_and_flaps(self):
        self.upstream = self.enterContext(FakeUpstream(honest_server))
        self.upstream.stop_listening()
        self.proxy = self.enterContext(Proxy(self.upstream))
        for _ in range(FLAPS):
            with self.proxy.connect() as client:
                self.assertRegex(client.read_all(), BYE)
            self.upstream.listen()
            self.assertLess(well_behaved_session(self.proxy.address), scaled(1))
            self.upstream.stop_listening()
        self.proxy.wait_for("imapmeter_sessions_closed_total", FLAPS, reason="logout")
        self.proxy.wait_for("imapmeter_sessions_closed_total", FLAPS, reason="upstream_refused", phase="connect")

        self.upstream.listen()
        self.start(self.upstream)
        self.check_invariants()

    def test_A16_the_upstream_is_killed(self):
        self.start()
        before = self.proxy.scrape()
        self.upstream.stop_listening()
        listening = socket.create_server(self.upstream.address, backlog=SESSIONS)
        killed = Child(lambda stop: greet_and_never_read(listening, stop), (listening.fileno(),))
        listening.close()
        clients = [self.enterContext(self.proxy.connect(keep=False)) for _ in range(SESSIONS)]
        for client in clients:
            client.expect(GREETING)
        for client in clients[::2]:
            client.send(b"a NOOP\r\n")  # unread: the kernel of the killed upstream sends RST for these, else FIN
        self.proxy.wait_for("imapmeter_bytes_total", len(clients[::2]) * len(b"a NOOP\r\n") + self.client_octets(before),
                            direction="client_to_server")

        start = time.monotonic()
        killed.kill()
        for number, client in enumerate(clients):
            self.assertEqual(client.finish(), "close_notify+fin" if number % 2 else "reset")
            client.close()
        wait_until(lambda: self.change(before, "imapmeter_sessions_closed_total") == SESSIONS, what="all are closed")
        self.assertLess(time.monotonic() - start, scaled(1), "seconds from the kill to the last close")
        for reason in ("upstream_reset", "upstream_eof"):
            self.assertEqual(self.change(before, "imapmeter_sessions_closed_total", reason=reason), SESSIONS // 2)
        self.assertEqual(self.change(before, "imapmeter_commands_total", result="aborted"), SESSIONS // 2)

        self.upstream.listen()
        self.check_invariants()

    @staticmethod
    def client_octets(metrics) -> float:
        return metrics.sum("imapmeter_bytes_total", direction="client_to_server")


def greet_and_never_read(listening, stop: int) -> None:
    connections = []
    while select.select([listening, stop], [], [])[0] == [listening]:
        connections.append(listening.accept()[0])
        connections[-1].send(GREETING)


if __name__ == "__main__":
    unittest.main()
