#!/usr/bin/env python3
"""The off switch: with observe: off every session is opaque from the accept on, all octets pass as they are, capability
words too, and nothing is known of them but how many there were."""

import random
import unittest

from harness import CHUNKINGS, IntegrationCase, seed
from refuses_when_upstream_is_down import BYE

# Words that `capabilities: auto` would take out, failures, a literal that looks like responses, a BYE.
TALK = (b"* OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=SCRAM-SHA-1-PLUS] ready\r\n",
        b"a NO [AUTHENTICATIONFAILED] no\r\n* CAPABILITY IMAP4rev1 STARTTLS\r\nb OK [CAPABILITY STARTTLS] in\r\n",
        b"* 1 FETCH (BODY[] {20}\r\n* BYE said the mail\r\n)\r\nc BAD what\r\n* BYE [ALERT] bye\r\nd OK out\r\n")
COMMANDS = (b"a LOGIN u wrong\r\n", b"b LOGIN u secret\r\n", b"c FETCH 1 BODY[]\r\nd LOGOUT\r\n")
READ = ("responses", "response_codes", "status_codes", "bye", "commands", "commands_started", "anomalies",
        "literal_bytes", "sessions_authenticated", "session_outcomes")


class RelaysWithoutReading(IntegrationCase):
    def begin(self, **options) -> None:
        self.start(config={"listener": {"observe": "off"}}, **options)
        self.before = self.proxy.scrape()

    def ended(self, reason: str, count: int = 1) -> None:
        self.proxy.wait_for("imapmeter_sessions_closed_total", count + int(self.before.sum(
            "imapmeter_sessions_closed_total", reason=reason)), reason=reason)

    def finish(self, sessions: int) -> None:
        metrics = self.proxy.scrape()
        for name in READ:
            self.assertEqual(metrics.by(f"imapmeter_{name}_total", "listener"), {}, name)
        self.assertEqual(metrics.by("imapmeter_authored_total", "what").get("capability_words", 0), 0)
        self.assertEqual(self.change(self.before, "imapmeter_opaque_sessions_total", reason="disabled"), sessions)
        self.assertEqual(metrics.sum("imapmeter_opaque_sessions_total"), sessions + 1, "the harness had a session")
        self.check_invariants()

    def test_a_whole_session(self):
        self.begin()
        for chunking in CHUNKINGS:
            client, server = self.session(greeting=b"")
            metrics = self.proxy.wait_for("imapmeter_sessions", 1, state="opaque")
            self.assertEqual(metrics.sum("imapmeter_sessions"), 1)
            for said, asked in zip(TALK, (*COMMANDS, b"")):
                self.relay(server, client, said, chunking)
                self.relay(client, server, asked, chunking)
            server.shutdown_write()
            client.close_clean()
        self.ended("upstream_eof", len(CHUNKINGS))
        self.assertEqual(self.change(self.before, "imapmeter_sessions_closed_total", phase="greeting"), len(CHUNKINGS))
        self.assertEqual(self.change(self.before, "imapmeter_upstream_connects_total", result="ok"), len(CHUNKINGS))
        for direction, said in (("server_to_client", TALK), ("client_to_server", COMMANDS)):
            self.assertEqual(self.change(self.before, "imapmeter_bytes_total", direction=direction),
                             len(CHUNKINGS) * len(b"".join(said)))
        self.finish(len(CHUNKINGS))

    def test_what_is_not_imap(self):
        self.begin()
        client, server = self.session(greeting=b"")
        chance = random.Random(seed())
        self.relay(client, server, chance.randbytes(300000))
        self.relay(server, client, chance.randbytes(1000000))
        server.shutdown_write()
        client.close_clean()
        self.ended("upstream_eof")
        self.finish(1)

    def test_waits_that_need_no_reading(self):
        """The greeting's deadline and BYE instead of a greeting hold; the login's deadline cannot."""
        self.begin(timeouts={"greeting": "300ms", "preauth": "300ms"})
        with self.proxy.connect() as client:
            self.upstream.accept()
            self.assertRegex(client.read_line(), BYE)
            client.close_clean()
        self.ended("upstream_greeting_timeout")
        with self.proxy.connect() as client:
            self.upstream.accept().close_clean()
            self.assertRegex(client.read_line(), BYE)
            client.close_clean()
        self.ended("upstream_eof")
        client, server = self.session()
        client.expect_silence(0.6)
        self.relay(client, server, b"a NOOP\r\n")
        server.shutdown_write()
        client.close_clean()
        self.ended("upstream_eof", 2)
        self.finish(3)

    def test_C7_drain(self):
        """Without reading there is no response boundary: the session goes on to the end of the drain, and is cut
        without a word. Before the server's first octet a BYE harms nobody."""
        self.begin(arguments=("--drain-timeout", "1s"))
        client, server = self.session()
        silent = self.enterContext(self.proxy.connect())
        self.upstream.accept()
        self.proxy.terminate()
        self.assertIn(b"* BYE [UNAVAILABLE]", silent.read_line())
        silent.close_clean()
        self.relay(server, client, b"* 1 EXISTS\r\n")
        self.relay(client, server, b"a NOOP\r\n")
        self.assertEqual(client.finish(), "fin")
        self.assertEqual(client.received.octets, len(b"* OK ready\r\n* 1 EXISTS\r\n"))
        self.assertEqual(self.proxy.wait(), 1)


if __name__ == "__main__":
    unittest.main()
