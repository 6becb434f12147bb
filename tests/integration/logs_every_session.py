#!/usr/bin/env python3
"""Each session leaves exactly one line in the log, whose fields are the truth, and each failed login one more; nothing
that a peer has sent is in any of them (docs/session-log.md)."""

import re
import tempfile
import unittest
from pathlib import Path

from harness import FACTOR, FakeUpstream, IntegrationCase, Proxy, honest_server, wait_until
from harness.client import PASSWORD, well_behaved_session
from harness.dovecot import PASSWORD as DOVECOT_PASSWORD, Dovecot, wait_for_log

GREETING = b"* OK ready\r\n"
STEPS = ("client_tls_ms", "connect_ms", "upstream_tls_ms", "greeting_ms", "login_ms")
CLEAR = {"log": {"client_address": "clear"}}


class LogsEverySession(IntegrationCase):
    def test_each_session_has_one_line(self):
        """One imapmeter for all; the one session that start() serves has its line already."""
        self.start(config=CLEAR)
        self.seen = 1
        for ending in (self.logout_of_a_session_with_everything, self.reset_with_a_command_open,
                       self.bye_instead_of_a_greeting, self.no_tls, self.failed_logins, self.refused):
            with self.subTest(ending.__name__):
                ending()
        self.check_invariants()

    def end_of_next(self) -> dict:
        wait_until(lambda: len(self.proxy.records("session")) > self.seen, what="the line of the session")
        self.seen += 1
        self.assertEqual(len(self.proxy.records("session")), self.seen, "one line for each session")
        return self.proxy.records("session")[-1]

    @staticmethod
    def end(client, server) -> None:
        server.shutdown_write()
        client.close_clean()
        server.close_clean()

    def holds(self, record: dict, **expected) -> None:
        self.assertEqual({key: record[key] for key in expected}, expected)

    def took(self, record: dict, *steps: str) -> None:
        """These steps were taken, in order within the whole, and no other."""
        self.assertEqual([step for step in STEPS if record[step] is not None], list(steps))
        self.assertLessEqual(sum(record[step] for step in steps), record["duration_ms"] + 1)

    # Endings

    def logout_of_a_session_with_everything(self):
        client, server = self.session()
        answers = {b'i ID ("os" "x" "name" "iPhone Mail")': b"* ID NIL\r\ni OK x",
                   b"a LOGIN user " + PASSWORD.encode(): b"a OK in", b"b SELECT nowhere": b"b NO none", b"c X": b"c BAD x",
                   b"d LOGOUT": b"* BYE bye\r\nd OK out"}
        for command, answer in answers.items():
            self.relay(client, server, command + b"\r\n")
            self.relay(server, client, answer + b"\r\n")
        source = server.peer
        self.end(client, server)
        record = self.end_of_next()
        self.holds(record, level="info", reason="logout", phase="authenticated", state="logout", outcome="degraded",
                   bye="logout", listener="default", server="{}:{}".format(*self.upstream.address), client="127.0.0.1",
                   source=source[0], source_port=source[1], client_tls="TLSv1.3", client_tls_resumed=False,
                   upstream_tls="none", upstream_tls_resumed=False,
                   client_to_server_octets=server.received.octets, server_to_client_octets=client.received.octets,
                   client_software="apple_mail_ios",
                   commands={"OK": 3, "NO": 1, "BAD": 1, "aborted": 0, "untracked": 0})
        self.took(record, "client_tls_ms", "connect_ms", "greeting_ms", "login_ms")
        self.assertRegex(record["id"], r"^[01]-[0-9]+$")
        self.assertNotEqual(record["id"], self.proxy.records("session")[0]["id"])

    def reset_with_a_command_open(self):
        client, server = self.session()
        self.login(client, server)
        self.relay(client, server, b"f FETCH 1 BODY[]\r\n")
        client.reset()
        server.finish()
        server.close()
        record = self.end_of_next()
        self.holds(record, reason="client_reset", phase="authenticated", outcome="cut", bye="none", client_software="none",
                   commands={"OK": 1, "NO": 0, "BAD": 0, "aborted": 1, "untracked": 0})

    def bye_instead_of_a_greeting(self):
        client, server = self.session(b"* BYE too busy\r\n")
        self.end(client, server)
        record = self.end_of_next()
        self.holds(record, reason="upstream_bye", phase="login", outcome="login_failed", bye="greeting")
        self.took(record, "client_tls_ms", "connect_ms", "greeting_ms")

    def no_tls(self):
        with self.proxy.connect(tls=False) as client:
            client.send(b"a1 LOGIN user " + PASSWORD.encode() + b"\r\n")
            client.read_all()
        record = self.end_of_next()
        self.holds(record, reason="not_tls", phase="handshake", outcome="none", state="connecting", server=None, source=None,
                   source_port=None, client_tls="none")
        self.took(record)

    def refused(self):
        self.upstream.stop_listening()
        with self.proxy.connect() as client:
            client.read_all()
        self.upstream.listen()
        record = self.end_of_next()
        self.holds(record, reason="upstream_refused", phase="connect", outcome="none", source=None,
                   server="{}:{}".format(*self.upstream.address))
        self.took(record, "client_tls_ms")

    def test_the_connect_begins_with_the_first_server(self):
        """Which connected, and then was silent."""
        silence = 300 * FACTOR
        with FakeUpstream(honest_server) as second, FakeUpstream(lambda server: server.read_all()) as first, \
                Proxy(first, timeouts={"greeting": f"{silence:.0f}ms"},
                      config={"upstream": {"servers": [first.url, second.url], "balance": "failover",
                                           "any_server_serves_any_user": True}}) as proxy:
            well_behaved_session(proxy.address)
            wait_until(lambda: proxy.records("session"), what="a line")
            record = proxy.records("session")[0]
            self.holds(record, reason="logout", server="{}:{}".format(*second.address))
            self.took(record, "client_tls_ms", "connect_ms", "greeting_ms", "login_ms")
            self.assertGreaterEqual(record["connect_ms"], silence)

    def test_a_session_for_which_no_server_was_chosen(self):
        self.start(config=CLEAR | {"limits": {"sessions_per_upstream": 1}})
        self.seen = 1
        client, server = self.session()
        with self.proxy.connect() as refused:
            self.assertIn(b"* BYE [UNAVAILABLE]", refused.read_all())
        record = self.end_of_next()
        self.holds(record, reason="limit_per_upstream", phase="connect", server=None, source=None, source_port=None)
        self.took(record, "client_tls_ms")
        self.end(client, server)
        self.holds(self.end_of_next(), server="{}:{}".format(*self.upstream.address))
        self.check_invariants()

    # Logins

    def auth(self, count: int) -> list[dict]:
        wait_until(lambda: len(self.proxy.records("auth")) >= count, what=f"{count} lines of failed logins")
        return self.proxy.records("auth")

    def failed_logins(self):
        client, server = self.session()
        secret = PASSWORD.encode()
        for command, answer in ((b"a LOGIN user " + secret, b"a NO [AUTHENTICATIONFAILED] no"),
                                (b"b LOGIN user " + secret, b"b NO wrong"),
                                (b"c AUTHENTICATE PLAIN " + secret, b"c NO [UNAVAILABLE] later"),
                                (b"d AUTHENTICATE PLAIN " + secret, b"d BAD what"),
                                (b"e LOGIN user " + secret, b"e OK in")):
            self.relay(client, server, command + b"\r\n")
            self.relay(server, client, answer + b"\r\n")
        self.end(client, server)
        session = self.end_of_next()
        records = self.auth(4)
        self.assertEqual([(each["level"], each["mechanism"], each["result"], each["code"]) for each in records],
                         [("warn", "LOGIN_COMMAND", "rejected", "AUTHENTICATIONFAILED"),
                          ("warn", "LOGIN_COMMAND", "rejected", "none"),
                          ("warn", "PLAIN", "temporary", "UNAVAILABLE"), ("info", "PLAIN", "bad", "none")])
        for each in records:
            self.assertEqual({key: each[key] for key in ("id", "listener", "server", "client")},
                             {key: session[key] for key in ("id", "listener", "server", "client")})
            self.assertEqual(list(each), ["time", "level", "event", "id", "listener", "client", "server", "mechanism",
                                          "result", "code"], "the regular expressions rely on the order")
        self.assertGreater(session["login_ms"], 0)

    # Settings

    def test_client_address(self):
        for mode, pattern in (("off", None), ("truncated", r"127\.0\.0\.0/24"), ("hashed", "[0-9a-f]{16}"),
                              ("clear", r"127\.0\.0\.1")):
            with self.subTest(mode), FakeUpstream(honest_server) as upstream, \
                    Proxy(upstream, config={"log": {"client_address": mode}}) as proxy:
                well_behaved_session(proxy.address)
                well_behaved_session(proxy.address)
                wait_until(lambda: len(proxy.records("session")) == 2, what="two lines")
                shown = {record["client"] for record in proxy.records("session")}
                self.assertEqual(len(shown), 1)
                self.assertTrue(shown == {None} if pattern is None else re.fullmatch(pattern, shown.pop()))

    def test_no_address_but_a_path(self):
        directory = self.enterContext(tempfile.TemporaryDirectory())
        with FakeUpstream(honest_server) as upstream, \
                Proxy(upstream, tls=False, listen=f"unix:{directory}/imap") as proxy:
            well_behaved_session(proxy.address, False)
            wait_until(lambda: proxy.records("session"), what="a line")
            self.assertEqual(proxy.records("session")[0]["client"], "unix")

    def test_off(self):
        with FakeUpstream(honest_server) as upstream, Proxy(upstream, config={"log": {"sessions": False}}) as proxy:
            well_behaved_session(proxy.address)
            with proxy.connect() as client:
                client.read_until(b"* OK")
                client.command(b"a LOGIN")
            proxy.wait_for("imapmeter_sessions_closed_total", 2)
            proxy.terminate()
            proxy.wait()
            self.assertEqual(proxy.records("session") + proxy.records("auth"), [])
            self.assertTrue(proxy.log_lines("draining"), "other lines stay")

    # With a real server

    def test_the_source_port_joins_with_dovecots_log(self):
        directory = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="imapmeter-")))
        elements = "login_log_format_elements = user=<%u> rip=%r rport=%{real_rport}\nmail_fsync = never\n"
        dovecot = self.enterContext(Dovecot(directory / "dovecot", elements))
        with Proxy(f"imaps://127.0.0.1:{dovecot.imaps}", upstream_ca=Path(dovecot.certificate)) as proxy:
            for user in ("alice", "bob"):
                with proxy.connect() as client:
                    client.read_until(b"* OK")
                    client.command(f"a LOGIN {user} {DOVECOT_PASSWORD}".encode())
                    client.command(b"b LOGOUT")
                    client.finish()
            wait_until(lambda: len(proxy.records("session")) == 2, what="two lines")
            ours = {record["source_port"] for record in proxy.records("session")}
            theirs = r"Login: user=<(\w+)>,? rip=127\.0\.0\.1,? rport=(\d+)"
            lines = wait_for_log(dovecot, theirs, 2)
            users = {int(port): user for user, port in re.findall(theirs, "\n".join(lines))}
            self.assertEqual(set(users), ours)
            record = proxy.records("session")[0]
            self.assertEqual(users[record["source_port"]], "alice")
            self.assertEqual((record["upstream_tls"], record["bye"]), ("TLSv1.3", "logout"))
            self.assertTrue(all(record[step] is not None for step in STEPS))
            self.assertFalse(proxy.log_lines(DOVECOT_PASSWORD) or proxy.log_lines("alice"))


if __name__ == "__main__":
    unittest.main()
