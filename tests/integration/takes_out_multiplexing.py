#!/usr/bin/env python3
"""What a Dovecot proxy among the clients asks for in its ID, to multiplex, is taken out where its network is trusted, and
its sessions are read like any other; where it is not, all octets pass, and the session is opaque once the server grants
it."""

import random
import unittest

from harness import CHUNKINGS, IntegrationCase, Journal, Proxy, binary_header, check_counted, seed
from harness.dovecot import RealDovecot, wait_for_log
from harness.scripted import ScriptedSession

TRUSTED, STRANGER = "127.0.0.77", "127.0.0.78"
LISTENER = {"listener": {"trusted_networks": [TRUSTED, "192.0.2.0/24"]}}
ID = b'i ID ("x-session-id" "7Xk"%s "x-originating-ip" "192.0.2.9")\r\n'
PAIR = b' "x-multiplex" "0"'
ASKED, LEFT = ID % PAIR, ID % b""
ANSWER = b'* ID ("name" "Dovecot")\r\ni OK done\r\n'
MAIL = b'i ID ("x-multiplex" "0")\r\n'


class TakesOutMultiplexing(IntegrationCase):
    def begin(self, **options) -> None:
        self.start(**{"config": LISTENER, **options})
        self.before = self.proxy.scrape()

    def ask(self, chunking: str = "whole", source: str = TRUSTED):
        """A session whose ID has arrived without it, and is answered."""
        client, server = self.session(source=source)
        client.send(ASKED, chunking)
        server.expect(LEFT)
        self.relay(server, client, ANSWER)
        return client, server

    def end(self, client, server) -> None:
        server.shutdown_write()
        client.close_clean()
        server.finish()

    def taken_out(self) -> int:
        return self.change(self.before, "imapmeter_authored_total", what="multiplex")

    def test_of_a_trusted_client(self):
        """And nothing else is touched: not what looks like it in a literal, nor an ID after login."""
        self.begin()
        for chunking in CHUNKINGS:
            client, server = self.ask(chunking)
            self.login(client, server)
            self.relay(client, server, b"a APPEND x {%d+}\r\n%s\r\n" % (len(MAIL), MAIL) + ASKED, chunking)
            self.relay(server, client, b"a OK done\r\n* ID NIL\r\ni OK done\r\n", chunking)
            self.end(client, server)
        self.assertEqual(self.taken_out(), len(CHUNKINGS))
        for name, count, labels in (("sessions_authenticated_total", 1, {}), ("opaque_sessions_total", 0, {}),
                                    ("anomalies_total", 0, {}), ("commands_total", 2, {"command": "ID", "result": "OK"}),
                                    ("commands_total", 1, {"command": "APPEND", "result": "OK"})):
            self.assertEqual(self.change(self.before, "imapmeter_" + name, **labels), count * len(CHUNKINGS), name)
        self.check_invariants()

    def test_of_a_client_behind_a_trusted_proxy(self):
        """It is the client's own address that counts, as the PROXY header has it."""
        trusting = {"listener": {**LISTENER["listener"], "proxy_protocol": ["127.0.0.0/8"]}}
        self.begin(config=trusting, prelude=binary_header(("192.0.2.7", 50123), ("198.51.100.2", 993)))
        self.end(*self.ask(source=STRANGER))
        self.proxy.prelude = binary_header(("198.51.100.7", 50123), ("198.51.100.2", 993))
        client, server = self.session(source=TRUSTED)
        self.relay(client, server, ASKED)
        self.end(client, server)
        self.assertEqual(self.taken_out(), 1)
        self.check_invariants()

    def test_what_is_held_goes_on(self):
        """After a second without more, and at once when the client ends."""
        self.begin()
        at = ASKED.index(b"plex")
        client, server = self.session(source=TRUSTED)
        client.send(ASKED[:at])
        server.expect(ASKED[:at])
        self.relay(client, server, ASKED[at:])
        self.end(client, server)
        client, server = self.session(source=TRUSTED)
        client.send(ASKED[:at])
        client.close_notify()
        client.shutdown_write()
        server.expect(ASKED[:at])
        self.end(client, server)
        self.assertEqual(self.taken_out(), 0)
        self.check_invariants()

    def test_of_a_stranger(self):
        """Granted: what follows is no IMAP any more, and passes."""
        self.begin()
        chance = random.Random(seed())
        for chunking in CHUNKINGS:
            client, server = self.session(source=STRANGER)
            self.relay(client, server, ASKED, chunking)
            self.relay(server, client, b"* MULTIPLEX 0\r\n", chunking)
            self.proxy.wait_for("imapmeter_sessions", 1, state="opaque")
            self.relay(server, client, chance.randbytes(3000), chunking)
            self.relay(client, server, chance.randbytes(3000), chunking)
            self.end(client, server)
        self.assertEqual(self.change(self.before, "imapmeter_opaque_sessions_total", reason="multiplex"), len(CHUNKINGS))
        self.assertEqual(self.change(self.before, "imapmeter_opaque_sessions_total"), len(CHUNKINGS))
        self.assertEqual(self.taken_out(), 0)
        self.check_invariants()

    def test_of_a_stranger_to_whom_it_is_not_granted(self):
        self.begin()
        client, server = self.session(source=STRANGER)
        self.relay(client, server, ASKED)
        self.relay(server, client, ANSWER)
        self.login(client, server)
        self.end(client, server)
        self.assertEqual(self.change(self.before, "imapmeter_opaque_sessions_total"), 0)
        self.assertEqual(self.change(self.before, "imapmeter_sessions_authenticated_total"), 1)
        self.check_invariants()


class WithDovecot(unittest.TestCase):
    """This version grants nothing; its log tells what it was asked for."""

    def test_dovecot(self):
        with RealDovecot("imap_id_log = *\n") as server, Proxy(server.url, capabilities="pass", config=LISTENER) as proxy:
            journal = Journal()
            for source in (STRANGER, TRUSTED):
                with proxy.connect(source=source) as client:
                    session = ScriptedSession(client, journal)
                    session.command(b'ID ("x-session-id" "of-%s"%s)' % (source.encode(), PAIR))
                    session.command(f"LOGIN {server.user} {server.password}".encode())
                    session.command(b"SELECT INBOX")
                    session.command(b"LOGOUT")
                    session.close()
                wait_for_log(server.dovecot, f"x-session-id=of-{source}")
            lines = wait_for_log(server.dovecot, "x-session-id=of-", 2)
            self.assertEqual(["x-multiplex=0" in line for line in lines], [True, False], lines)
            journal.count("bytes_total", -len(PAIR), direction="client_to_server")  # the server did not get them
            check_counted(proxy, {**journal.samples(), "imapmeter_authored_total": {(("what", "multiplex"),): 1},
                                  "imapmeter_opaque_sessions_total": {}, "imapmeter_anomalies_total": {}})


if __name__ == "__main__":
    unittest.main()
