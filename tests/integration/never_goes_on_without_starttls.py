#!/usr/bin/env python3
"""A19, G18: a STARTTLS server that will not, that somebody keeps from it, or for whom somebody else speaks, gets no octet
of a client and gives it none: the client is told BYE, in our words."""

import unittest

from harness import CHUNKINGS, FACTOR, Certificates, FakeUpstream, IntegrationCase, honest_server, well_behaved_session
from harness.canary import Canary
from starts_tls_for_its_clients import BYE

HELLO = b"* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] hello\r\n"
PLAIN_HELLO = b"* OK hello\r\n"
OFFER = b"* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\ns1 OK x\r\n"
GO_ON = b"s2 OK begin TLS\r\n"
ALERT = b"* OK [ALERT] send money to evil.example\r\n"
REFERRAL = b"[REFERRAL imap://evil.example/]"
MAIL = b"* LIST () \"/\" INBOX\r\n* 1 FETCH (BODY[] {5}\r\nmail!)\r\n* FLAGS (\\Seen)\r\n* SEARCH 1 2 3\r\n"

# What the server says to each thing that it is told, its greeting first; how imapmeter calls that, and why it closes.
# The names in front are those of "Why TLS is better without STARTTLS": bypass, downgrade, offering, PREAUTH, tampering.
STRIPPED = ("stripped", "starttls_stripped", "starttls")
REFUSED = ("refused", "starttls_refused", "starttls")
INJECTION = ("injection", "starttls_injection", "starttls")
PREAUTH = ("stripped", "starttls_preauth", "starttls")
TURNED_AWAY = (None, "upstream_bye", "greeting")
NO_IMAP = (None, "upstream_unavailable", "greeting")
CASES = {
    "D: NO": ([HELLO, b"s2 NO not now\r\n"], REFUSED),
    "D: BAD": ([HELLO, b"s2 BAD what\r\n"], REFUSED),
    "D: NO with a referral": ([HELLO, b"s2 NO " + REFERRAL + b" go there\r\n"], REFUSED),
    "D: not offered in the greeting": ([b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello\r\n"], STRIPPED),
    "D: not offered when asked": ([PLAIN_HELLO, b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\ns1 OK x\r\n"], STRIPPED),
    "D: no capabilities": ([PLAIN_HELLO, b"s1 OK x\r\n"], STRIPPED),
    "D: CAPABILITY refused": ([PLAIN_HELLO, b"s1 BAD x\r\n"], STRIPPED),
    "D: untagged OK": ([HELLO, b"* OK begin TLS\r\n* CAPABILITY IMAP4rev1\r\n"], STRIPPED),
    "D: another tag": ([HELLO, b"a OK begin TLS\r\n"], STRIPPED),
    "D: no condition": ([HELLO, b"s2 OKAY begin TLS\r\n"], STRIPPED),
    "D: a continuation": ([HELLO, b"+ begin TLS\r\n"], STRIPPED),
    "O: OK with the greeting": ([HELLO + GO_ON], STRIPPED),
    "O: OK instead of capabilities": ([PLAIN_HELLO, GO_ON], STRIPPED),
    "O: OK with the capabilities": ([PLAIN_HELLO, OFFER + GO_ON], STRIPPED),
    "O: OK is the greeting": ([GO_ON], STRIPPED),
    "P: PREAUTH": ([b"* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] welcome\r\n"], PREAUTH),
    "P: PREAUTH later": ([PLAIN_HELLO, b"* PREAUTH welcome\r\n" + OFFER], PREAUTH),
    "P: PREAUTH and mail": ([b"* PREAUTH welcome\r\n" + MAIL], PREAUTH),
    "P: BYE with a referral": ([b"* BYE " + REFERRAL + b" go there\r\n"], TURNED_AWAY),
    "P: BYE later": ([HELLO, b"* BYE " + REFERRAL + b" go there\r\n"], STRIPPED),
    "B: a greeting behind the OK": ([HELLO, GO_ON + b"* OK hello\r\n"], INJECTION),
    "B: an answer behind the OK": ([HELLO, GO_ON + b"a OK LOGIN done\r\n"], INJECTION),
    "B: one octet behind the OK": ([HELLO, GO_ON + b"*"], INJECTION),
    "B: a record behind the OK": ([HELLO, GO_ON + bytes.fromhex("160303000400000000")], INJECTION),
    "T: mail before the greeting": ([MAIL], STRIPPED),
    "T: mail behind the greeting": ([HELLO + MAIL], STRIPPED),
    "T: mail with the capabilities": ([PLAIN_HELLO, MAIL + OFFER], STRIPPED),
    "T: mail with the OK": ([HELLO, MAIL + GO_ON], STRIPPED),
    "T: an alert, then NO": ([HELLO, ALERT + b"s2 NO x\r\n"], REFUSED),
    "no IMAP": ([b"220 mail.example ESMTP\r\n"], NO_IMAP),
    "* NO": ([b"* NO not now\r\n"], NO_IMAP),
    "TLS at once": ([bytes.fromhex("15030100020228") + b"\n"], NO_IMAP),
}
# In pieces they would come when imapmeter has answered what stands before: an OK in its time, or octets for TLS.
GLUED = {what for what in CASES if what.startswith(("B:", "O: OK with"))}
ONE_SEGMENT = ("whole",)


class NeverGoesOnWithoutStarttls(IntegrationCase):
    def setUp(self):
        super().setUp()
        self.certificates = self.enterContext(Certificates())
        self.canary = Canary()

    def begin(self, **options) -> None:
        self.start(FakeUpstream(tls=self.certificates.server_context(), starttls=True), upstream_ca=self.certificates.ca,
                   **options)
        self.upstream.tls, self.upstream.forgive_errors = None, True  # from here on the test is the server
        self.before = self.proxy.scrape()
        self.crossed = self.refused = 0

    def end(self, what: str) -> None:
        print(f"figure: G18, {what}: {self.refused} refused, {self.crossed} plaintext octets crossed", flush=True)
        self.assertEqual(self.crossed, 0)
        self.assertEqual(self.change(self.before, "imapmeter_bytes_total"), 0)
        self.assertEqual(self.change(self.before, "imapmeter_tls_handshakes_total", side="upstream"), 0)
        self.assertEqual(self.canary.seen_in("\n".join(self.proxy.log).encode()), [])
        self.assertNotIn("evil", "\n".join(self.proxy.log))
        self.upstream.tls, self.upstream.forgive_errors = self.certificates.server_context(), False
        self.check_invariants()

    def matrix(self, tls: bool | str) -> None:
        self.begin(tls=tls, log_level="trace")
        expected = {"reason": {}, "result": {}}
        for what, (turns, (result, reason, connect)) in CASES.items():
            for chunking in ONE_SEGMENT if what in GLUED else CHUNKINGS:
                with self.subTest(what, chunking=chunking):
                    before = self.proxy.scrape()
                    self.refuses(tls, turns, chunking)
                    self.assertEqual(self.change(before, "imapmeter_upstream_connects_total", result=connect), 1)
                    expected["reason"][reason] = expected["reason"].get(reason, 0) + 1
                    if result:
                        expected["result"][result] = expected["result"].get(result, 0) + 1
        for reason, count in expected["reason"].items():
            self.proxy.wait_for("imapmeter_sessions_closed_total", count, reason=reason)
        for result, count in expected["result"].items():
            self.assertEqual(self.change(self.before, "imapmeter_starttls_total", side="upstream", result=result), count)
        byes = expected["reason"]["upstream_bye"]
        self.assertEqual(self.change(self.before, "imapmeter_bye_total", reason="greeting"), byes)
        self.assertEqual(self.change(self.before, "imapmeter_responses_total"), byes, "only what a client was told of")
        self.assertEqual(self.change(self.before, "imapmeter_sessions_authenticated_total"), 0)
        self.end(f"listener tls={tls}")

    def refuses(self, tls: bool | str, turns: list[bytes], chunking: str) -> None:
        with self.proxy.connect(handshake=tls is True) as client, self.upstream.accept() as server:
            client.send(b"a LOGIN user " + self.canary.word + b"\r\n")
            told = [b"s2 STARTTLS\r\n"] if turns[0].startswith(HELLO) else [b"s1 CAPABILITY\r\n", b"s2 STARTTLS\r\n"]
            for turn, line in zip(turns, [b"", *told]):
                server.expect(line)
                try:
                    server.send(turn, chunking)
                except ConnectionError:
                    pass  # closed behind the first octets
            self.assertRegex(client.read_all(), BYE)
            self.assertEqual(client.finish(), "close_notify+fin" if tls is True else "fin")
            heard = bytes(server.received.data) + server.read_all()
            self.assertRegex(heard, rb"\A(s1 CAPABILITY\r\n)?(s2 STARTTLS\r\n)?\Z")
            self.crossed += len(self.canary.seen_in(heard))
            self.refused += 1

    def test_A19_for_clients_with_tls(self):
        self.matrix(True)

    def test_A19_for_clients_without_tls(self):
        self.matrix(False)

    def test_A19_for_clients_of_starttls(self):
        self.matrix("starttls")

    def test_A19_octets_behind_the_ok_in_a_segment_of_their_own(self):
        """They come to the TLS engine, or before it: both refuse them."""
        self.begin()
        for octets in (b"* OK hello\r\n", b"a OK LOGIN done\r\n", b"\r\n\r\n\r\n"):
            for chunking in CHUNKINGS:
                with self.subTest(octets, chunking=chunking), self.proxy.connect() as client, self.upstream.accept() as server:
                    server.send(HELLO)
                    server.expect(b"s2 STARTTLS\r\n")
                    server.send(GO_ON)
                    server.recv_exact(1)  # the ClientHello: what comes now comes too early for TLS
                    try:
                        server.send(octets, chunking)
                    except ConnectionError:
                        pass
                    self.assertRegex(client.read_all(), BYE)
                    self.refused += 1
        self.proxy.wait_for("imapmeter_sessions_closed_total", self.refused, reason="starttls_injection", phase="connect")
        self.assertEqual(self.change(self.before, "imapmeter_starttls_total", side="upstream", result="injection"), self.refused)
        self.before = self.proxy.scrape()  # TLS was begun here
        self.end("behind the OK")

    def test_what_is_passed_over_is_not_relayed(self):
        """Untagged status before TLS does no harm, and goes nowhere."""
        self.begin()
        for line in (ALERT, b"* NO " + REFERRAL + b" go there\r\n", b"* BAD x\r\n"):
            for chunking in CHUNKINGS:
                with self.subTest(line, chunking=chunking), self.proxy.connect() as client, self.upstream.accept() as server:
                    server.send(HELLO + line, chunking)
                    server.expect(b"s2 STARTTLS\r\n")
                    server.send(line + GO_ON, chunking)
                    server.start_tls(self.certificates.server_context(), server_side=True)
                    server.handshake()
                    server.expect(b"s3 CAPABILITY\r\n")
                    server.send(b"* CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN AUTH=SCRAM-SHA-1 AUTH=SCRAM-SHA-1-PLUS\r\n"
                                b"s3 OK done\r\n", chunking)
                    client.expect(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready\r\n")
        self.proxy.wait_for("imapmeter_sessions", 0)
        self.assertEqual(self.change(self.before, "imapmeter_responses_total"), 3 * len(CHUNKINGS), "the greetings")
        self.assertEqual(self.change(self.before, "imapmeter_bytes_total"), 0)
        self.upstream.tls, self.upstream.forgive_errors = self.certificates.server_context(), False
        self.check_invariants()

    def test_a_certificate_that_does_not_hold(self):
        other = self.enterContext(Certificates())
        self.begin()
        self.upstream.tls, self.upstream.script = other.server_context(), honest_server
        with self.proxy.connect() as client:
            self.assertRegex(client.read_all(), BYE)
        self.proxy.wait_for("imapmeter_sessions_closed_total", 1, reason="upstream_cert_invalid", phase="connect")
        self.assertEqual(self.change(self.before, "imapmeter_starttls_total"), 0)
        self.upstream.tls = self.certificates.server_context()
        self.check_invariants()

    def test_silence(self):
        limit = f"{500 * FACTOR:.0f}ms"
        self.begin(timeouts={"handshake": limit, "greeting": limit})
        for turns in ([], [b"* OK unfini"], [PLAIN_HELLO], [HELLO], [HELLO, b"s2 OK"]):
            with self.subTest(turns), self.proxy.connect() as client, self.upstream.accept() as server:
                for turn in turns:
                    server.send(turn)
                self.assertRegex(client.read_all(), BYE)
        self.proxy.wait_for("imapmeter_sessions_closed_total", 5, reason="upstream_greeting_timeout", phase="connect")
        # no close: with a command unread it would be a reset
        for end, reason in (("shutdown_write", "upstream_eof"), ("reset", "upstream_reset")):
            for turns in ([], [HELLO], [HELLO, b"s2 OK"]):
                with self.subTest(turns, end=end), self.proxy.connect() as client, self.upstream.accept() as server:
                    for turn, line in zip(turns, (b"", b"s2 STARTTLS\r\n")):
                        server.expect(line)
                        server.send(turn)
                    getattr(server, end)()
                    self.assertRegex(client.read_all(), BYE)
            self.proxy.wait_for("imapmeter_sessions_closed_total", 3, phase="connect", reason=reason)
        self.upstream.tls, self.upstream.forgive_errors = self.certificates.server_context(), False
        self.check_invariants()

    def test_another_server_takes_over(self):
        """Which has STARTTLS; the greeting of the first is not counted."""
        honest = self.enterContext(FakeUpstream(honest_server, tls=self.certificates.server_context(), starttls=True))
        servers = [None, honest.url]
        for tls in (True, "starttls"):
            with self.subTest(tls=tls):
                upstream = FakeUpstream(tls=self.certificates.server_context(), starttls=True)
                servers[0] = upstream.url
                self.begin_with(upstream, servers, tls)
                before = self.proxy.scrape()
                self.upstream.script = lambda connection: connection.send(b"* OK [CAPABILITY IMAP4rev1] no\r\n")
                well_behaved_session(self.proxy.address, tls)
                self.proxy.wait_for("imapmeter_sessions", 0)
                self.assertEqual(self.change(before, "imapmeter_upstream_connects_total", result="starttls"), 1)
                self.assertEqual(self.change(before, "imapmeter_upstream_connects_total", result="ok"), 1)
                self.assertEqual(self.change(before, "imapmeter_responses_total", kind="greeting"), 1)
                self.assertEqual(self.change(before, "imapmeter_starttls_total", side="upstream", result="stripped"), 1)
                self.assertEqual(self.change(before, "imapmeter_starttls_total", side="upstream", result="ok"), 1)

    def begin_with(self, upstream: FakeUpstream, servers: list[str], tls: bool | str) -> None:
        options = {"servers": servers, "balance": "failover", "any_server_serves_any_user": True}
        self.start(upstream, upstream_ca=self.certificates.ca, tls=tls, config={"upstream": options})
        self.upstream.tls, self.upstream.forgive_errors = None, True


if __name__ == "__main__":
    unittest.main()
