#!/usr/bin/env python3
"""Which of several servers said what, how it answered logins and how long it let its clients wait, is counted for that
server and no other, exactly, however the conversation is cut."""

import time
import unittest

from harness import CHUNKINGS, FakeUpstream, IntegrationCase, honest_server, wait_until

# What the client says, what the server answers. Every command is alone, and has a first response but for IDLE and for
# the one that is answered before its end.
TALK: list[tuple[bytes, bytes]] = [
    (b"a LOGIN u p\r\n", b"a NO [AUTHENTICATIONFAILED] no\r\n"),
    (b"b LOGIN u p\r\n", b"b NO wrong\r\n"),
    (b"c LOGIN u p\r\n", b"c NO [UNAVAILABLE] later\r\n"),
    (b"d AUTHENTICATE PLAIN\r\n", b"+ \r\n"), (b"*\r\n", b"d BAD cancelled\r\n"),
    (b"e AUTHENTICATE PLAIN\r\n", b"+ \r\n"), (b"AHUAcA==\r\n", b"* CAPABILITY IMAP4rev1\r\ne OK [CAPABILITY X] in\r\n"),
    (b"f SELECT x\r\n", b"* OK Still here\r\n* 1 EXISTS\r\n* OK [UNSEEN 1] x\r\nf OK [READ-WRITE] x\r\n"),
    (b"g FETCH 1 BODY[]\r\n", b"* 1 FETCH (BODY[] {11}\r\n* NO answer\n)\r\ng OK x\r\n"),
    (b"h IDLE\r\n", b"+ idling\r\n* 2 EXISTS\r\n"), (b"DONE\r\n", b"h OK x\r\n"),
    (b"i APPEND x {3}\r\n", b"+ go\r\n"), (b"abc\r\n", b"i OK x\r\n"),
    (b"j APPEND x {3}\r\n", b"j NO too big\r\n"),
    (b"k APPEND x {3+}\r\n", b"k NO too big\r\n"), (b"abc\r\n", b"* BAD what\r\n"),
    (b"l LOGOUT\r\n", b"* BYE x\r\nl OK x\r\n"),
]
FIRST_RESPONSES = 10
RESPONSES = {"OK": 8, "NO": 5, "BAD": 2, "BYE": 1}  # and the greeting
LOGINS = {"rejected": 2, "temporary": 1, "other": 1, "success": 1}


class TellsServersApart(IntegrationCase):
    def setUp(self):
        super().setUp()
        self.second = self.enterContext(FakeUpstream())
        first = FakeUpstream()
        self.start(first, config={"upstream": {"servers": [first.url, self.second.url], "balance": "failover",
                                               "any_server_serves_any_user": True}})

    def counted(self, server: FakeUpstream) -> dict:
        metrics, name = self.proxy.scrape(), "{}:{}".format(*server.address)
        return {"responses": metrics.by("imapmeter_server_responses_total", "status", server=name),
                "logins": metrics.by("imapmeter_server_auth_attempts_total", "result", server=name),
                "first": metrics.sum("imapmeter_server_first_response_seconds_count", server=name),
                "seconds": metrics.sum("imapmeter_server_first_response_seconds_sum", server=name),
                "slow": metrics.sum("imapmeter_server_first_response_seconds_bucket", server=name, le="+Inf")
                - metrics.sum("imapmeter_server_first_response_seconds_bucket", server=name, le="0.1")}

    def leave(self, client, server) -> None:
        server.shutdown_write()
        client.close_clean()
        server.close()

    def of_the_second(self, greeting: bytes = b"* OK ready\r\n"):
        """A session with it, while the first is down."""
        self.upstream.stop_listening()
        client = self.enterContext(self.proxy.connect())
        server = self.second.accept()
        server.send(greeting)
        client.expect(greeting)
        self.upstream.listen()
        return client, server

    def test_each_has_its_own(self):
        before = self.counted(self.upstream)
        for chunking in CHUNKINGS:
            client, server = self.of_the_second()
            for say, answer in TALK:
                self.relay(client, server, say, chunking)
                self.relay(server, client, answer, chunking)
            self.leave(client, server)
        count = len(CHUNKINGS)
        second = self.counted(self.second)
        self.assertEqual(second["responses"], {status: (number + (status == "OK")) * count
                                               for status, number in RESPONSES.items()})
        self.assertEqual(second["logins"], {result: number * count for result, number in LOGINS.items()})
        self.assertEqual(second["first"], FIRST_RESPONSES * count)
        self.assertEqual(self.counted(self.upstream), before, "it was not asked")
        self.check_invariants()

    def test_greetings_and_the_end_without_an_answer(self):
        for greeting in (b"* PREAUTH in\r\n", b"* BYE busy\r\n"):
            self.leave(*self.of_the_second(greeting))
        client, server = self.of_the_second()
        self.relay(client, server, b"a LOGIN u p\r\n")
        self.leave(client, server)
        self.proxy.wait_for("imapmeter_sessions", 0)
        self.assertEqual({key: self.counted(self.second)[key] for key in ("responses", "logins", "first")},
                         {"responses": {"OK": 1, "PREAUTH": 1, "BYE": 1}, "logins": {"other": 1}, "first": 0})
        self.check_invariants()

    def test_how_long_it_waited(self):
        """From the end of the command to the line that announces the literal, not to the end of that."""
        before = self.counted(self.upstream)
        client, server = self.session()
        self.relay(client, server, b"a FETCH 1 BODY[")
        self.pass_time(0.2)
        began = time.monotonic()
        self.relay(client, server, b"]\r\n")
        self.relay(server, client, b"* OK Still here\r\n")
        self.pass_time(0.15)
        self.relay(server, client, b"* 1 FETCH (BODY[] {3}\r\n")
        waited = time.monotonic() - began
        self.pass_time(0.2)
        self.relay(server, client, b"abc)\r\na OK x\r\n")
        self.leave(client, server)
        after = self.counted(self.upstream)
        self.assertEqual((after["first"] - before["first"], after["slow"] - before["slow"]), (1, 1))
        self.assertTrue(0.15 <= after["seconds"] - before["seconds"] <= waited, (after, before, waited))
        self.upstream.script = honest_server
        self.check_invariants()

    @staticmethod
    def pass_time(seconds: float) -> None:
        began = time.monotonic()
        wait_until(lambda: time.monotonic() - began >= seconds, what="time to pass")


if __name__ == "__main__":
    unittest.main()
