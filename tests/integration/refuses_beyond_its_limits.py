#!/usr/bin/env python3
"""B15: each limit refuses who comes next, at once and cheaply, harms no session that exists, is counted and logged once,
and counts its slots exactly, whatever clients have done meanwhile."""

import random
import time
import unittest

from ends_slow_handshakes import client_hello
from harness import FakeClient, FakeUpstream, IntegrationCase, at_rest, honest_server, scaled, wait_until

BYE = b"* BYE [UNAVAILABLE] Too many connections, try again later\r\n"
STORM = 100
ALL, OF_A_NETWORK = 14, 12  # sessions
OF_AN_UPSTREAM, AT_ONCE = 16, 8  # sessions, handshakes
RATE = 5  # handshakes per second


class RefusesBeyondItsLimits(IntegrationCase):
    def begin(self, limits: dict, **options) -> None:
        self.start(FakeUpstream(honest_server), config={"limits": limits}, **options)
        self.upstream.forgive_errors = True  # the storm's clients vanish

    def test_B15_sessions_in_all_on_a_plain_listener(self):
        self.begin({"sessions": 3}, tls=False)
        held = [self.open() for _ in range(3)]
        for _ in range(3):
            self.expect_bye()
        self.expect_counted("limit_global", 3, "handshake")
        self.unharmed(held)
        self.leave(held.pop())
        held.append(self.open())
        self.expect_bye()
        self.leave(*held)
        self.check_invariants()

    def test_B15_an_impatient_client_reads_the_bye(self):
        """Its command lies unread in the socket, and a close on top of it would destroy the answer."""
        self.begin({"sessions": 1}, tls=False)
        held = self.open()
        with self.proxy.connect() as refused:
            refused.send(b"a LOGIN user secret\r\n" * 100)
            self.assertEqual(refused.read_all(), BYE)
            self.assertEqual(refused.close_clean(), "fin")
        self.leave(held)
        self.check_invariants()

    def test_B15_networks_and_all_after_a_storm(self):
        """Sources of one /24 share its sessions; another /24 has its own."""
        self.begin({"sessions": ALL, "sessions_per_network": OF_A_NETWORK})
        self.storm()
        first = [self.open(source=f"127.0.1.{number}") for number in range(1, OF_A_NETWORK + 1)]
        self.expect_closed(source="127.0.1.200")
        self.expect_counted("limit_per_ip", 1, "handshake")
        second = [self.open(source="127.0.2.1") for _ in range(ALL - OF_A_NETWORK)]
        self.expect_closed(source="127.0.2.1")
        self.expect_counted("limit_global", 1, "handshake")
        self.unharmed(first + second)
        self.leave(first.pop())
        second.append(self.open(source="127.0.2.1"))
        self.expect_closed(source="127.0.1.1")
        self.leave(*first, *second)
        self.check_invariants()

    def test_B15_upstream_and_handshakes_after_a_storm(self):
        self.begin({"sessions_per_upstream": OF_AN_UPSTREAM, "handshakes": AT_ONCE})
        self.storm()
        with_hello = [FakeClient(self.proxy.address, tls=False) for _ in range(AT_ONCE)]
        self.proxy.wait_for("imapmeter_sessions", AT_ONCE)
        self.expect_closed()
        self.expect_counted("limit_handshakes", 1, "handshake")
        for each in with_hello:
            each.reset()
        at_rest(self.proxy)
        held = [self.open() for _ in range(OF_AN_UPSTREAM)]
        with self.proxy.connect() as refused:  # the handshake comes before the dial
            self.assertEqual(refused.read_all(), BYE)
            self.assertEqual(refused.close_clean(), "close_notify+fin")
        self.expect_counted("limit_per_upstream", 1, "connect")
        self.unharmed(held)
        self.leave(*held)
        self.check_invariants()

    def test_B15_handshakes_per_second(self):
        self.begin({"handshakes_per_second": RATE})
        held = self.open()
        began, tried = time.monotonic(), 40
        clients = [FakeClient(self.proxy.address, tls=False) for _ in range(tried)]
        accepted = self.proxy.scrape().sum("imapmeter_sessions_accepted_total")
        scrape = self.proxy.wait_for("imapmeter_sessions_accepted_total", max(accepted, tried + 2))
        refused = int(scrape.sum("imapmeter_sessions_closed_total", reason="limit_rate", phase="handshake"))
        granted = tried - refused
        self.assertLessEqual(granted, RATE + 1 + RATE * (time.monotonic() - began))
        for each in clients:
            each.reset()
        self.unharmed([held])
        wait_until(self.serves, 5, "a session after the rush")
        self.proxy.wait_for("imapmeter_sessions", 1)
        self.leave(held)
        wait_until(lambda: time.monotonic() - began > 1, 10, "some time without new connections")
        self.check_invariants()

    def test_limits_in_force_are_shown_and_the_others_not(self):
        self.begin({"sessions": 100, "sessions_per_network": 50, "handshakes": 20, "relay_buffers": "16MiB",
                    "memory": "512MiB"})
        samples = self.proxy.scrape().families["imapmeter_limit"].samples
        shown = {(dict(labels)["listener"], dict(labels)["limit"]): value for (_, labels), value in samples.items()}
        self.assertEqual(shown, {
            ("all", "sessions"): 100, ("all", "sessions_per_network"): 50, ("all", "relay_buffer_bytes"): 16 << 20,
            ("all", "memory_bytes"): 512 << 20, ("default", "handshakes"): 20})
        self.check_invariants()

    # What clients do

    def open(self, **options) -> FakeClient:
        client = self.enterContext(self.proxy.connect(**options))
        client.read_until(b"* OK ")
        self.assertIn(b" OK", client.command(b"a LOGIN user secret")[-1])
        return client

    def unharmed(self, clients: list[FakeClient]) -> None:
        for client in clients:
            self.assertIn(b"n OK", client.command(b"n NOOP")[-1])

    def leave(self, *clients: FakeClient) -> None:
        """Its slot is free when the session is counted as closed."""
        closed = self.proxy.scrape().sum("imapmeter_sessions_closed_total", reason="logout")
        for client in clients:
            client.command(b"z LOGOUT")
            client.close_clean()
        self.proxy.wait_for("imapmeter_sessions_closed_total", closed + len(clients), reason="logout")

    def storm(self) -> None:
        """Clients that vanish at every stage, most of them refused, some of them at once."""
        dice = random.Random(15)
        hello = client_hello()
        for number in range(STORM):
            client = FakeClient(self.proxy.address, tls=False, keep=False, source=f"127.0.{1 + number % 2}.{1 + number}")
            stage = dice.randrange(4)
            try:
                if stage in (1, 2):
                    client.socket.send(hello[:len(hello) // (3 - stage)])  # half of it, all of it
                elif stage == 3:
                    client.close()
                    client = FakeClient(self.proxy.address, keep=False, source=f"127.0.{1 + number % 2}.{1 + number}")
                    client.read_until(b"* OK ")
            except (AssertionError, OSError, EOFError):
                pass  # refused
            client.reset() if dice.randrange(2) else client.close()
        at_rest(self.proxy)

    # What is refused

    def expect_bye(self) -> None:
        with self.proxy.connect() as refused:
            self.assertEqual(refused.read_all(), BYE)
            self.assertEqual(refused.close_clean(), "fin")

    def expect_closed(self, **options) -> None:
        """Before TLS there is nothing to say."""
        began = time.monotonic()
        with FakeClient(self.proxy.address, tls=False, **options) as refused:
            self.assertEqual(refused.read_all(), b"")
            self.assertIn(refused.closed_by_peer, ("fin", "reset"))
        self.assertLess(time.monotonic() - began, scaled(1), "refused at once")

    def expect_counted(self, reason: str, least: int, phase: str) -> None:
        wait_until(lambda: self.closed(reason, phase) >= least, 5, f"{least} closed as {reason} in phase {phase}")
        self.assertEqual(len(self.proxy.log_lines(f"refused: {reason}")), 1, "one line in 10 s")

    def serves(self) -> bool:
        try:
            with self.proxy.connect() as client:
                return client.read_line().startswith(b"* OK ") and b"z OK" in client.command(b"z LOGOUT")[-1]
        except (AssertionError, OSError, EOFError):
            return False


if __name__ == "__main__":
    unittest.main()
