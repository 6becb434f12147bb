#!/usr/bin/env python3
"""E1, E2, E4, E5: what clients say, passwords before all, comes out of imapmeter on the server's side and nowhere
else: not in its log at trace level, its metrics, its pages, its arguments, nor when it crashes."""

import base64
import os
import re
import signal
import subprocess
import tempfile
import unittest
from pathlib import Path

from harness import CHUNKINGS, IntegrationCase, wait_until
from harness.canary import Canary
from harness.proxy import binary
from harness.timing import scaled

CRLF = b"\r\n"
Step = tuple[bytes, bytes]  # what the client sends, what the server answers


def b64(octets: bytes) -> bytes:
    return base64.b64encode(octets)


def sasl(mechanism: bytes, message: bytes) -> dict[str, list[Step]]:
    """As an initial response, and as an answer to a continuation."""
    name = mechanism.decode()
    return {
        f"{name}, initial response": [(b"a AUTHENTICATE %s %s\r\n" % (mechanism, b64(message)), b"a NO no\r\n")],
        f"{name}, continuation": [(b"a AUTHENTICATE %s\r\n" % mechanism, b"+ \r\n"),
                                  (b64(message) + CRLF, b"a NO no\r\n")],
    }


def passwords(c: bytes) -> dict[str, list[Step]]:
    """Every way to say a password or a token, the wrong ways too."""
    n = len(c)
    bearer = b"n,a=user@example.org,\x01host=h\x01port=993\x01auth=Bearer %s\x01\x01" % c
    return {
        "LOGIN atom": [(b"a LOGIN user %s\r\n" % c, b"a OK in\r\n")],
        "LOGIN quoted": [(b'a LOGIN "user" "%s"\r\n' % c, b"a NO no\r\n")],
        "LOGIN quoted, escaped": [(b'a LOGIN "us\\"er" "\\"%s\\\\"\r\n' % c, b"a NO no\r\n")],
        "LOGIN literals": [(b"a LOGIN {4}\r\n", b"+ go\r\n"), (b"user {%d}\r\n" % n, b"+ go\r\n"),
                           (c + CRLF, b"a NO no\r\n")],
        "LOGIN non-synchronizing literals": [(b"a LOGIN {4+}\r\nuser {%d+}\r\n%s\r\n" % (n, c), b"a NO no\r\n")],
        "LOGIN rejected literal": [(b"a LOGIN user {%d}\r\n" % n, b"a BAD too big\r\n"), (c + CRLF, b"* BAD what\r\n")],
        **sasl(b"PLAIN", b"\0user\0" + c), **sasl(b"XOAUTH2", b"user=user\x01auth=Bearer %s\x01\x01" % c),
        **sasl(b"OAUTHBEARER", bearer), **sasl(b"SCRAM-SHA-256", b"n,,n=user,r=" + c),
        "AUTHENTICATE LOGIN": [(b"a AUTHENTICATE LOGIN\r\n", b"+ VXNlcm5hbWU6\r\n"),
                               (b64(b"user") + CRLF, b"+ UGFz\r\n"), (b64(c) + CRLF, b"a NO no\r\n")],
        "SCRAM, last message": [(b"a AUTHENTICATE SCRAM-SHA-256 biws\r\n", b"+ cj1y\r\n"),
                                (b64(b"c=biws,r=r,p=" + c) + CRLF, b"a NO no\r\n")],
        "mistyped command": [(b"a LOGN user %s\r\n" % c, b"a BAD what\r\n")],
        "no tag": [(b"LOGIN user %s\r\n" % c, b"LOGIN BAD what\r\n")],
        "no command": [(c + CRLF, b"* BAD what\r\n")],
        "as the tag": [(c + b" NOOP\r\n", c + b" OK done\r\n")],
        "as the command": [(b"a %s\r\n" % c, b"a BAD what\r\n")],
        "two spaces, bare LF": [(b"a  LOGIN  user %s\n" % c, b"a BAD what\r\n")],
        "wrong state": [(b"a LOGIN u p\r\n", b"a OK in\r\n"), (b"b LOGIN user %s\r\n" % c, b"b BAD in already\r\n")],
        "echoed by the server": [(b"a LOGIN user %s\r\n" % c,
                                  b"a NO [%s %s] no user, %s\r\n* BYE %s\r\n" % (c, c, c, c))],
        "in a control character's company": [(b"a LOGIN user \0\x1b[31m%s\r\n" % c, b"a BAD what\r\n")],
        "unfinished": [(b"a LOGIN user %s" % c, b"")],
    }


def other_words(c: bytes) -> dict[str, list[Step]]:
    """What else says who somebody is, and what he reads and writes."""
    n = len(c)
    return {
        "user name": [(b"a LOGIN %s secret\r\n" % c, b"a OK in\r\n")],
        "ID": [(b'a ID ("name" "%s" "version" "%s" "%s" "x")\r\n' % (c, c, c),
                b'* ID ("name" "%s")\r\na OK x\r\n' % c)],
        "ID, behind a name that is known": [(b'a ID ("%s" NIL "name" "Thunderbird %s")\r\n' % (c, c), b"a OK x\r\n")],
        "ID, literals": [(b"a ID ({%d+}\r\n%s {4+}\r\nname {%d+}\r\n%s)\r\n" % (n, c, n, c), b"a OK x\r\n")],
        "URLAUTH": [(b'a GENURLAUTH "imap://%s@h/INBOX/;uid=1;urlauth=user+%s" INTERNAL\r\n' % (c, c),
                     b'* GENURLAUTH "imap://u@h/INBOX/;uid=1;urlauth=user+u:internal:%s"\r\na OK x\r\n' % c),
                    (b'b URLFETCH "imap://u@h/INBOX/;uid=1;urlauth=user+u:internal:%s"\r\n' % c, b"b NO no\r\n")],
        "APPEND": [(b'a APPEND "%s" (%s) {%d+}\r\n%s\r\n' % (c, c, n, c), b"a OK [APPENDUID 1 2] x\r\n")],
        "SEARCH": [(b'a UID SEARCH SUBJECT "%s" TEXT %s\r\n' % (c, c), b"* SEARCH 1\r\na OK x\r\n")],
        "mailboxes": [(b'a LIST "" "%s"\r\n' % c, b'* LIST () "/" %s\r\na OK x\r\n' % c),
                      (b"b SELECT {%d+}\r\n%s\r\n" % (n, c), b"* OK [%s] x\r\nb OK [READ-WRITE] x\r\n" % c)],
        "a message": [(b"a FETCH 1 BODY[HEADER.FIELDS (%s)]\r\n" % c,
                       b'* 1 FETCH (BODY[] {%d}\r\n%s ENVELOPE ("%s"))\r\na OK x\r\n' % (n, c, c))],
        "an alert": [(b"a NOOP\r\n", b"* OK [ALERT] %s\r\n* NO [%s]\r\n* %s x\r\na OK [%s]\r\n" % (c, c, c, c))],
    }


def imapmeter(*arguments: str) -> bytes:
    done = subprocess.run([binary(), *arguments], capture_output=True, check=False, timeout=scaled(20))
    if done.returncode != 0:
        raise AssertionError(f"imapmeter {arguments}: {done.stderr}")
    return done.stdout + done.stderr

PAGES = ("/", "/metrics", "/api/v1/status", "/api/v1/verdict", "/api/v1/history", "/api/v1/sessions", "/api/v1/events",
         "/api/v1/skeletons")


class KeepsNoSecret(IntegrationCase):
    def setUp(self):
        super().setUp()
        self.canary = Canary()

    def start_talkative(self, **options) -> None:
        self.start(log_level="trace", config={"log": {"sessions": True, "client_address": "clear"}},
                   arguments=("--metrics", "127.0.0.1:0"), **options)

    def converse(self, steps: list[Step], chunking: str, greeting: bytes = b"* OK ready\r\n") -> None:
        client, server = self.session(greeting)
        for say, answer in steps:
            self.relay(client, server, say, chunking)
            self.relay(server, client, answer, chunking)
        server.shutdown_write()
        self.assertEqual(client.close_clean(), "close_notify+fin")
        server.close()

    def check_unseen(self) -> None:
        """In nothing that imapmeter shows to anyone but the two peers."""
        outputs = {"log": "\n".join(self.proxy.log).encode(), "stdout": "\n".join(self.proxy.stdout).encode()}
        asked = self.canary.word.decode()
        for listener, address in (("admin", self.proxy.admin), ("metrics", self.proxy.metrics)):
            for path in (*PAGES, "/livez", "/readyz", f"/{asked}", f"/metrics?{asked}"):
                _, headers, body = self.proxy.get(path, address=address)
                outputs[f"{listener} {path}"] = repr(headers).encode() + body
        for name in ("cmdline", "environ", "comm"):
            with open(f"/proc/{self.proxy.pid}/{name}", "rb") as file:
                outputs[name] = file.read()
        for task in os.listdir(f"/proc/{self.proxy.pid}/task"):
            with open(f"/proc/{self.proxy.pid}/task/{task}/comm", "rb") as file:
                outputs[f"name of thread {task}"] = file.read()
        outputs["why"], outputs["replay"] = self.why_and_replay()
        seen = {name: shapes for name, octets in outputs.items() if (shapes := self.canary.seen_in(octets))}
        self.assertFalse(seen)

    def why_and_replay(self) -> tuple[bytes, bytes]:
        """What the flight recorder shows of every session that ended badly, and what is printed when it is replayed."""
        address = "%s:%d" % self.proxy.admin
        headings = imapmeter("why", "--admin", address)
        kept = re.findall(rb"^session (\S+) of", headings, re.MULTILINE)
        skeletons = [imapmeter("why", name.decode(), "--admin", address) for name in kept[:20]]
        with tempfile.TemporaryDirectory(prefix="imapmeter-") as directory:
            files = [Path(directory, str(number)) for number in range(len(skeletons))]
            for file, skeleton in zip(files, skeletons):
                file.write_bytes(skeleton)
            replayed = imapmeter("replay", *map(str, files)) if files else b""
        return headings + b"".join(skeletons), replayed

    def test_the_canary_would_be_seen(self):
        word = self.canary.word
        for octets in (word, word.lower(), b64(b"\0user\0" + word), b64(b"\0use\0" + word + b"xx"),
                       b64(b"u" + word + b"\1"), word.hex().encode(), word.decode().encode("utf-16"),
                       b"p=%" + b"%".join(b"%02x" % octet for octet in word)):
            self.assertTrue(self.canary.seen_in(b"before " + octets + b" behind"), octets)
        self.assertFalse(self.canary.seen_in(b"before behind" * 100))

    def test_E1_passwords(self):
        self.start_talkative()
        for what, steps in passwords(self.canary.word).items():
            for chunking in CHUNKINGS:
                with self.subTest(what, chunking=chunking):
                    self.converse(steps, chunking)
        self.check_unseen()
        self.check_invariants()

    def test_E1_split_anywhere(self):
        """A password in two reads, cut at each octet."""
        self.start_talkative()
        client, server = self.session()
        for line in (b'a LOGIN "user" "%s"\r\n' % self.canary.word, b"a LOGN user %s\r\n" % self.canary.word,
                     b"a AUTHENTICATE PLAIN %s\r\n" % b64(b"\0user\0" + self.canary.word)):
            for at in range(1, len(line)):
                self.relay(client, server, line[:at])
                self.relay(client, server, line[at:])
                self.relay(server, client, b"a NO no\r\n")
        server.shutdown_write()
        client.close_clean()
        self.check_unseen()
        self.check_invariants()

    def test_E1_opaque(self):
        """The same where imapmeter has given up reading."""
        self.start_talkative()
        for what, steps in passwords(self.canary.word).items():
            with self.subTest(what):
                self.converse(steps, "random", greeting=b"* OK \0 what is this\r\n")
        self.assertGreaterEqual(self.proxy.scrape().sum("imapmeter_opaque_sessions_total"), 10)
        self.check_unseen()
        self.check_invariants()

    def test_E1_before_tls(self):
        """Plaintext on a TLS port, and a name that no certificate has."""
        self.start_talkative()
        for say in (b"a LOGIN user %s\r\n", b"GET /%s HTTP/1.1\r\n\r\n", b"%s"):
            with self.proxy.connect(tls=False) as client:
                client.send(say % self.canary.word)
                client.shutdown_write()
                client.read_all()
        self.check_unseen()
        self.check_invariants()

    def test_E1_E4_names_and_mail(self):
        self.start_talkative()
        for what, steps in other_words(self.canary.word).items():
            for chunking in CHUNKINGS:
                with self.subTest(what, chunking=chunking):
                    self.converse(steps, chunking)
        self.check_unseen()
        self.check_invariants()

    def test_E5_addresses(self):
        """A client's is in no page and no label; in the log it stands as the settings say (logs_every_session)."""
        self.start(log_level="trace", config={"log": {"sessions": True, "client_address": "off"}})
        client, server = self.session(source="127.77.55.33")
        self.login(client, server)
        server.shutdown_write()
        client.close_clean()
        self.proxy.wait_for("imapmeter_sessions_closed_total", 1, reason="upstream_eof")
        outputs = [self.proxy.get(path)[2].decode() for path in PAGES] + self.proxy.log
        for part in ("127.77", "55.33"):
            self.assertFalse([text for text in outputs if part in text], part)
        self.check_invariants()

    def test_E2_crash_with_a_password_in_hand(self):
        """No core, though its size is not limited here, and nothing of the buffers is printed."""
        self.start_talkative(prefix=("prlimit", "--core=unlimited"))
        client, server = self.session()
        self.relay(client, server, b"a LOGIN user %s" % self.canary.word)
        sanitized = self.proxy.process.sanitized()
        self.check_unseen()
        with open(f"/proc/{self.proxy.pid}/limits", encoding="ascii") as limits:
            self.assertRegex(limits.read(), r"Max core file size +0 +0 ")
        os.kill(self.proxy.pid, signal.SIGSEGV)
        ended = os.waitid(os.P_PID, self.proxy.pid, os.WEXITED | os.WNOWAIT)
        if not sanitized:  # which handle the signal
            self.assertEqual((ended.si_code, ended.si_status), (os.CLD_KILLED, signal.SIGSEGV), "dumped core?")
        self.proxy.kill()
        wait_until(lambda: client.finish() in ("fin", "reset"))
        self.assertFalse(self.canary.seen_in("\n".join(self.proxy.log + self.proxy.stdout).encode()))


if __name__ == "__main__":
    unittest.main()
