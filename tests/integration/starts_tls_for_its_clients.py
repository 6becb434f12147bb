#!/usr/bin/env python3
"""B7 to B10: a STARTTLS listener lets nobody in without TLS, keeps what is said before it from the server, the log and
the metrics, and then relays like any other."""

import imaplib
import ssl
import subprocess
import unittest

from harness import CHUNKINGS, FACTOR, FakeUpstream, IntegrationCase, Proxy, honest_server, well_behaved_session
from harness.canary import Canary
from harness.case import GREETING
from harness.certificates import trusting_nothing

OURS = b"* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] ready\r\n"
BYE = rb"\A\* BYE \[UNAVAILABLE\] [^\r\n]+\r\n\Z"


class StarttlsCase(IntegrationCase):
    def greeted(self, **options):
        """A client before TLS, and the server that waits for it."""
        client = self.enterContext(self.proxy.connect(handshake=False, **options))
        server = self.upstream.accept()
        server.send(GREETING)
        client.expect(OURS)
        return client, server

    def ask(self, client, chunking: str = "whole") -> None:
        client.send(b"t STARTTLS\r\n", chunking)
        client.expect(b"t OK begin TLS now\r\n")

    def secure(self, client) -> None:
        self.ask(client)
        client.start_tls(trusting_nothing(), server_side=False, hostname="localhost")
        client.handshake()

    def heard_nothing(self, server) -> None:
        self.assertEqual(server.read_all(), b"", "what the server was told")
        self.assertIn(server.finish(), ("fin", "close_notify+fin"))
        server.close()

    def no_canary(self, canary: Canary) -> None:
        for where, octets in {"log": "\n".join(self.proxy.log).encode(), "metrics": self.proxy.get("/metrics")[2],
                              "status": self.proxy.get("/api/v1/status")[2],
                              "skeletons": self.proxy.get("/api/v1/skeletons")[2],
                              "stdout": "\n".join(self.proxy.stdout).encode()}.items():
            self.assertEqual(canary.seen_in(octets), [], where)


class RefusesBeforeTls(StarttlsCase):
    def setUp(self):
        super().setUp()
        self.start(tls="starttls", log_level="trace")
        self.before = self.proxy.scrape()

    def test_B8_what_is_glued_to_starttls(self):
        canary = Canary()
        injected = {
            "a command": b"b LOGIN user " + canary.word + b"\r\n", "a line end": b"\r\n", "a second STARTTLS": b"t STARTTLS\r\n",
            "an alert": b"\x15\x03\x01\x00\x02\x02\x28", "SSLv2": b"\x80\x2e\x01\x00\x02", "NUL": b"\0", "HTTP": b"GET / HTTP/1.1\r\n\r\n",
        }
        refused = crossed = 0
        for what, octets in injected.items():
            for segments in (1, 2):
                for chunking in CHUNKINGS:
                    with self.subTest(what, segments=segments, chunking=chunking):
                        client, server = self.greeted()
                        try:
                            if segments == 1:
                                client.send(b"t STARTTLS\r\n" + octets, chunking)
                            else:
                                self.ask(client, chunking)
                                client.send(octets, chunking)
                        except ConnectionError:
                            pass  # closed behind the first octet
                        # the OK may be lost in the RST
                        self.assertIn(client.read_all(), (b"", b"t OK begin TLS now\r\n"))
                        self.assertIn(client.closed_by_peer, ("fin", "reset"))
                        client.close()
                        self.heard_nothing(server)
                        crossed += server.received.octets
                        refused += 1
        self.proxy.wait_for("imapmeter_sessions_closed_total", refused, reason="starttls_injection", phase="handshake")
        self.assertEqual(self.change(self.before, "imapmeter_starttls_total", side="client", result="injection"), refused)
        self.assertEqual(self.change(self.before, "imapmeter_bytes_total"), 0)
        print(f"figure: G18, a client's injections: {refused} refused, {crossed} plaintext octets crossed", flush=True)
        self.assertEqual(crossed, 0)
        self.no_canary(canary)
        self.check_invariants()

    def test_B8_a_client_hello_may_be_pipelined(self):
        """RFC 9051 section 6.2.1: it goes to the TLS engine."""
        for chunking in CHUNKINGS:
            with self.subTest(chunking):
                client, server = self.greeted()
                client.start_tls(trusting_nothing(), server_side=False, hostname="localhost")
                try:
                    client.tls.do_handshake()
                except ssl.SSLWantReadError:
                    pass
                client.send_raw(b"t STARTTLS\r\n" + client._outgoing.read())
                answer = b"t OK begin TLS now\r\n"
                got = b""
                while len(got) < len(answer):
                    got += client._recv_socket(client._deadline(), len(answer) - len(got))
                self.assertEqual(got, answer)
                client.handshake()
                self.relay(client, server, b"a NOOP\r\n", chunking)
                self.relay(server, client, b"a OK done\r\n", chunking)
                client.close()
                server.close()
        self.check_invariants()

    def test_B9_logins(self):
        canary = Canary()
        word = canary.word
        no = rb"\A(\w+) NO \[PRIVACYREQUIRED\] [^\r\n]+\r\n\Z"
        attempts = 0
        for login in (b"LOGIN user " + word, b'LOGIN "user" "' + word + b'"', b"AUTHENTICATE PLAIN " + word, b"AUTHENTICATE PLAIN"):
            for chunking in CHUNKINGS:
                with self.subTest(login, chunking=chunking):
                    client, server = self.greeted()
                    for tag in (b"a", b"b"):
                        client.send(tag + b" " + login + b"\r\n", chunking)
                        self.assertRegex(client.read_line(), no)
                    client.send(b"c CAPABILITY\r\n", chunking)
                    client.expect(b"* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\nc OK done\r\n")
                    client.send(b"d " + login + b"\r\n", chunking)
                    self.assertRegex(client.read_all(), rb"\A\* BYE [^\r\n]+\r\n\Z")
                    self.assertEqual(client.finish(), "fin")
                    client.close()
                    self.heard_nothing(server)
                    attempts += 3
        self.proxy.wait_for("imapmeter_sessions_closed_total", attempts // 3, reason="plaintext_refused", phase="handshake")
        self.assertEqual(self.change(self.before, "imapmeter_plaintext_logins_refused_total"), attempts)
        for family in ("bytes", "commands_started", "server_auth_attempts", "responses"):
            self.assertEqual(self.change(self.before, f"imapmeter_{family}_total"), 0, family)
        self.assertGreater(self.change(self.before, "imapmeter_authored_total", what="pre_tls"), attempts)
        self.no_canary(canary)
        self.check_invariants()

    def test_B9_after_two_of_them_tls_is_welcome(self):
        canary = Canary()
        client, server = self.greeted()
        for tag in (b"a", b"b"):
            client.send(tag + b" LOGIN user " + canary.word + b"\r\n")
            self.assertIn(b" NO [PRIVACYREQUIRED] ", client.read_line())
        self.secure(client)
        self.login(client, server)
        self.assertNotIn(canary.word, bytes(server.received.data))
        client.close()
        server.close()
        self.no_canary(canary)
        self.check_invariants()

    def test_B10_limits(self):
        canary = Canary()
        ends = {
            "a line of more than 8 KiB": b"a LOGIN user " + canary.word * 1000,
            "the fourth BAD": b"".join(b"%d LOGN user " % n + canary.word + b"\r\n" for n in range(4)),
            "a literal": b"a LOGIN user {%d}\r\n" % len(canary.word),
            "a literal without waiting": b"a LOGIN user {%d+}\r\n" % len(canary.word) + canary.word + b"\r\n",
            "a control octet": b"a LOGIN user " + canary.word + b"\0",
        }
        for what, octets in ends.items():
            for chunking in CHUNKINGS:
                with self.subTest(what, chunking=chunking):
                    client, server = self.greeted()
                    try:
                        client.send(octets, chunking)
                    except ConnectionError:
                        pass
                    lines = client.read_all()
                    self.assertRegex(lines, rb"\A(\d BAD [^\r\n]+\r\n){0,3}\* BYE [^\r\n]+\r\n\Z")
                    self.assertEqual(canary.seen_in(lines), [])
                    client.close()
                    self.heard_nothing(server)
        self.proxy.wait_for("imapmeter_sessions_closed_total", len(ends) * len(CHUNKINGS), reason="pre_tls_limit",
                            phase="handshake")
        self.no_canary(canary)
        self.check_invariants()

    def test_B7_tls_at_once(self):
        self.upstream.script = honest_server
        for version in ("-tls1_2", "-tls1_3"):
            host, port = self.proxy.address
            done = subprocess.run(["openssl", "s_client", "-connect", f"{host}:{port}", version], input=b"a LOGOUT\r\n",
                                  capture_output=True, timeout=10 * FACTOR, check=False)
            self.assertNotEqual(done.returncode, 0)
        self.proxy.wait_for("imapmeter_sessions_closed_total", 2, reason="pre_tls_limit", phase="handshake")
        self.check_invariants()

    def test_leaving_before_tls(self):
        client, server = self.greeted()
        client.send(b"a LOGOUT\r\n")
        self.assertRegex(client.read_all(), rb"\A\* BYE [^\r\n]+\r\na OK [^\r\n]+\r\n\Z")
        self.assertEqual(client.finish(), "fin")
        client.close()
        self.heard_nothing(server)
        for end in ("close", "reset"):
            client, server = self.greeted()
            client.send(b"a NOOP\r\nb NO")
            client.expect(b"a OK done\r\n")
            getattr(client, end)()
            self.heard_nothing(server)
        self.proxy.wait_for("imapmeter_sessions_closed_total", 1, reason="client_reset", phase="handshake")
        self.proxy.wait_for("imapmeter_sessions_closed_total", 1, reason="client_eof", phase="handshake")
        self.proxy.wait_for("imapmeter_sessions_closed_total", 1, reason="logout", phase="handshake")
        self.check_invariants()


class RelaysAfterTls(StarttlsCase):
    def setUp(self):
        super().setUp()
        self.start(tls="starttls")
        self.before = self.proxy.scrape()

    def test_what_follows_the_greeting_is_relayed_and_counted(self):
        """I1, I5: the server's greeting is taken out and counted, what stands behind it arrives octet by octet."""
        said = b"* OK [ALERT] maintenance tonight\r\n"
        asked, answer = b"a LOGIN user secret\r\nb NOOP\r\n", b"a OK in\r\nb OK done\r\n"
        for chunking in CHUNKINGS:
            with self.subTest(chunking):
                before = self.proxy.scrape()
                client = self.enterContext(self.proxy.connect(handshake=False))
                server = self.upstream.accept()
                server.send(b"* OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN] hello\r\n" + said, chunking)
                client.expect(OURS)
                self.assertEqual(self.change(before, "imapmeter_responses_total"), 0)
                self.secure(client)
                client.expect(said)
                self.relay(client, server, asked, chunking)
                self.relay(server, client, answer, chunking)
                server.shutdown_write()
                self.assertEqual(client.read_all(), b"")
                client.close()
                self.heard_nothing(server)
                self.proxy.wait_for("imapmeter_sessions", 0)
                self.assertEqual(self.change(before, "imapmeter_bytes_total", direction="client_to_server"), len(asked))
                self.assertEqual(self.change(before, "imapmeter_bytes_total", direction="server_to_client"),
                                 len(said) + len(answer))
                for kind, count in {"greeting": 1, "untagged": 1, "tagged": 2}.items():
                    self.assertEqual(self.change(before, "imapmeter_responses_total", kind=kind), count, kind)
                self.assertEqual(self.change(before, "imapmeter_response_codes_total", code="CAPABILITY"), 1)
                self.assertEqual(self.change(before, "imapmeter_session_outcomes_total", outcome="good"), 1)
                self.assertEqual(self.change(before, "imapmeter_starttls_total", side="client", result="ok"), 1)
                self.assertEqual(self.change(before, "imapmeter_authored_total", what="pre_tls"), 2)
                self.assertEqual(self.change(before, "imapmeter_authored_total"), 2)
        self.check_invariants()

    def test_starttls_is_not_offered_again(self):
        client, server = self.greeted()
        self.secure(client)
        client.send(b"a CAPABILITY\r\n")
        server.expect(b"a CAPABILITY\r\n")
        server.send(b"* CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN\r\na OK done\r\n")
        client.expect(b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\na OK done\r\n")
        client.close()
        server.close()
        self.check_invariants()

    def test_a_server_that_turns_clients_away(self):
        turns = {"BYE": (b"* BYE [REFERRAL imap://evil.example/] full\r\n", "upstream_bye", "login"),
                 "PREAUTH": (b"* PREAUTH welcome, whoever you are\r\n", "starttls_preauth", "connect"),
                 "no IMAP": (b"220 mail.example ESMTP\r\n", "upstream_unavailable", "connect"),
                 "nothing": (b"", "upstream_eof", "connect")}
        for what, (line, reason, phase) in turns.items():
            for chunking in CHUNKINGS:
                with self.subTest(what, chunking=chunking):
                    client = self.enterContext(self.proxy.connect(handshake=False))
                    server = self.upstream.accept()
                    server.send(line, chunking) if line else server.close()
                    self.assertRegex(client.read_all(), BYE)
                    self.assertEqual(client.finish(), "fin")
                    client.close()
                    server.close()
            self.proxy.wait_for("imapmeter_sessions_closed_total", len(CHUNKINGS), reason=reason, phase=phase)
        self.assertEqual(self.change(self.before, "imapmeter_bye_total", reason="greeting"), len(CHUNKINGS))
        self.assertEqual(self.change(self.before, "imapmeter_responses_total"), len(CHUNKINGS))
        self.assertEqual(self.change(self.before, "imapmeter_bytes_total"), 0)
        self.assertEqual(self.change(self.before, "imapmeter_sessions_authenticated_total"), 0)
        self.check_invariants()

    def test_a_server_that_is_away(self):
        self.upstream.stop_listening()
        with self.proxy.connect(handshake=False) as client:
            self.assertRegex(client.read_all(), BYE)
            self.assertEqual(client.finish(), "fin")
        self.proxy.wait_for("imapmeter_sessions_closed_total", 1, reason="upstream_refused", phase="connect")
        self.upstream.listen()
        self.check_invariants()

    def test_a_server_that_goes_meanwhile(self):
        client, server = self.greeted()
        server.send(b"* BYE autologout\r\n")
        server.shutdown_write()
        self.secure(client)
        client.expect(b"* BYE autologout\r\n")
        self.assertEqual(client.read_all(), b"")
        client.close()
        server.close()
        self.proxy.wait_for("imapmeter_sessions_closed_total", 1, reason="upstream_bye", phase="login")
        self.check_invariants()

    def test_real_clients(self):
        self.upstream.script = honest_server
        host, port = self.proxy.address
        with self.subTest("imaplib"), imaplib.IMAP4(host, port, timeout=10 * FACTOR) as client:
            client.starttls(trusting_nothing())
            self.assertEqual(client.login("user", "secret")[0], "OK")
            self.assertEqual(client.select()[0], "OK")
            client.logout()
        with self.subTest("openssl"):
            talk = b"a LOGIN user secret\r\nb LOGOUT\r\n"
            done = subprocess.run(["openssl", "s_client", "-starttls", "imap", "-connect", f"{host}:{port}", "-quiet", "-ign_eof"],
                                  input=talk, capture_output=True, timeout=20 * FACTOR, check=False)
            self.assertIn(b"b OK", done.stdout, done.stderr.decode())
        with self.subTest("curl without TLS"):
            done = subprocess.run(["curl", "-s", f"imap://{host}:{port}/", "-u", "user:secret"], capture_output=True,
                                  timeout=20 * FACTOR, check=False)
            self.assertNotEqual(done.returncode, 0)
        self.proxy.wait_for("imapmeter_starttls_total", 3, side="client", result="ok")  # and the test's own beginning
        self.check_invariants()


class EndsByTheClock(StarttlsCase):
    def test_the_handshakes_time_is_for_all_before_it(self):
        limit = 0.5 * FACTOR
        self.start(tls="starttls", timeouts={"handshake": f"{limit * 1000:.0f}ms"})
        for octets in (b"", b"a NOOP\r\n", b"a NO", b"t STARTTLS\r\n", b"t STARTTLS\r\n\x16\x03"):
            with self.subTest(octets):
                client, server = self.greeted()
                client.send(octets)
                client.read_all()
                client.close()
                self.heard_nothing(server)
        self.proxy.wait_for("imapmeter_sessions_closed_total", 5, reason="client_handshake_timeout", phase="handshake")
        self.check_invariants()

    def test_a_silent_server(self):
        self.start(tls="starttls", timeouts={"greeting": f"{500 * FACTOR:.0f}ms"})
        client = self.enterContext(self.proxy.connect(handshake=False))
        server = self.upstream.accept()
        self.assertRegex(client.read_all(), BYE)
        client.close()
        server.close()
        self.proxy.wait_for("imapmeter_sessions_closed_total", 1, reason="upstream_greeting_timeout", phase="connect")
        self.check_invariants()

    def test_a_drain_before_tls(self):
        """Where a word can be said it is said; between STARTTLS and TLS none can."""
        self.start(tls="starttls")
        waiting, between = self.greeted(), self.greeted()
        self.ask(between[0])
        self.proxy.terminate()
        self.assertRegex(waiting[0].read_all(), BYE)
        self.assertEqual(between[0].read_all(), b"")
        for client, server in (waiting, between):
            client.close()
            self.heard_nothing(server)
        self.assertEqual(self.proxy.wait(), 0)

    def test_limits_are_told_in_plaintext(self):
        self.start(tls="starttls", config={"limits": {"handshakes": 1}})
        client, server = self.greeted()
        with self.proxy.connect(handshake=False) as refused:
            self.assertRegex(refused.read_all(), BYE)
        self.secure(client)
        self.relay(client, server, b"a NOOP\r\n")  # then the handshake is over for imapmeter too
        other = self.greeted()
        for each in (client, server, *other):
            each.close()
        self.proxy.wait_for("imapmeter_sessions_closed_total", 1, reason="limit_handshakes", phase="handshake")
        self.check_invariants()


if __name__ == "__main__":
    unittest.main()
