#!/usr/bin/env python3
"""curl, imaplib and mbsync read and write mail in a real Dovecot through imapmeter as they do without it, over a plain
and a verified TLS upstream, and what the server answered stands in /metrics."""

import imaplib
import random
import shutil
import ssl
import subprocess
import sys
import tempfile
import unittest
from collections import Counter
from pathlib import Path

from harness import Journal, Proxy, check_counted, scaled, seed
from harness.mbsync import mbsync, without_tuid

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "deploy" / "demo"))
from dovecot import PASSWORD, Dovecot  # noqa: E402

TRAPS = [b"a1 OK this is mail", b"* BYE said the mail", b"{5}", b"+ go on", b"* OK [ALERT] mail {12}", b"",
         b"From the start of a line", b"caf\xc3\xa9 \xe9", b"DONE"]


def make_messages(count: int) -> list[bytes]:
    """Small and large ones full of what looks like IMAP; the first has some 400 KB."""
    chance = random.Random(seed())
    messages = []
    for number in range(count):
        lines = [b"From: a@example.org", b"Message-ID: <%d@example.org>" % number, b"Subject: number %d {5}" % number,
                 b""]
        for _ in range(chance.choice((1, 50, 50, 700)) if number else 10000):
            lines.append(chance.choice(TRAPS) if chance.random() < 0.3 else chance.randbytes(30).hex().encode())
        messages.append(b"\r\n".join(lines) + b"\r\n")
    return messages


class RecordingClient(imaplib.IMAP4_SSL):
    """imaplib reads literals by read(), so what readline() returns is lines."""

    greeted = False

    def __init__(self, address: tuple[str, int], journal: Journal):
        self.journal = journal
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        super().__init__(*address, ssl_context=context, timeout=scaled(20))

    def readline(self) -> bytes:
        line = super().readline()
        self.journal.status(line, first=not self.greeted)
        self.greeted = True
        return line

    def shutdown(self) -> None:
        """imaplib itself reads no further than the BYE."""
        while self.readline():
            pass
        super().shutdown()

    def idle_once(self) -> None:
        tag = self._new_tag()
        self.send(tag + b" IDLE\r\n")
        while not self.readline().startswith(b"+"):
            pass
        self.send(b"DONE\r\n")
        while not (line := self.readline()).startswith(tag):
            pass
        assert line.startswith(tag + b" OK"), line


class DovecotCase:
    """One Dovecot for the class, one imapmeter per test."""

    tls = False

    @classmethod
    def setUpClass(cls):
        print(f"IMAPMETER_SEED={seed()} repeats the mail", flush=True)
        cls.directory = Path(tempfile.mkdtemp(prefix="imapmeter-"))
        cls.addClassCleanup(shutil.rmtree, cls.directory, True)
        cls.dovecot = Dovecot(cls.directory / "dovecot", "mail_fsync = never\n")
        cls.dovecot.start()
        cls.addClassCleanup(cls.dovecot.stop)

    def setUp(self):
        server = self.dovecot
        url = f"imaps://127.0.0.1:{server.imaps}" if self.tls else f"imap://127.0.0.1:{server.imap}"
        ca = Path(server.certificate) if self.tls else None
        self.proxy = self.enterContext(Proxy(url, upstream_ca=ca, flags=True))
        self.user = f"{self._testMethodName}{self.tls}".lower()

    def finish(self, expected: dict) -> None:
        """At rest: all that is expected was counted, nothing looked wrong, and the scrape is clean."""
        metrics = check_counted(self.proxy, expected)
        self.assertEqual(metrics.sum("imapmeter_opaque_sessions_total"), 0)
        self.assertEqual(metrics.by("imapmeter_anomalies_total", "kind"), {})
        lint = self.run_program("promtool", "check", "metrics", input=self.proxy.get("/metrics")[2])
        self.assertEqual((lint.stdout, lint.stderr), (b"", b""))

    def run_program(self, *command, **options) -> subprocess.CompletedProcess:
        done = subprocess.run(list(map(str, command)), capture_output=True, timeout=scaled(60), check=False, **options)
        self.assertEqual(done.returncode, 0, f"{command}: {(done.stdout + done.stderr).decode(errors='replace')}")
        return done

    def stored(self, mailbox: str) -> list[bytes]:
        """The messages of a mailbox as Dovecot has them, line ends aside."""
        folder = self.directory / "dovecot" / "mail" / self.user / "Maildir"
        folder = folder if mailbox == "INBOX" else folder / f".{mailbox}"
        files = [file for name in ("new", "cur") for file in (folder / name).iterdir()]
        return sorted(file.read_bytes().replace(b"\r\n", b"\n") for file in files)

    # curl

    def curl(self, path: str, *arguments) -> bytes:
        host, port = self.proxy.address
        return self.run_program("curl", "--silent", "--show-error", "--insecure", "--user", f"{self.user}:{PASSWORD}",
                                *arguments, f"imaps://{host}:{port}/{path}").stdout

    def test_curl(self):
        message, upload = make_messages(2)
        self.dovecot.add_mail(self.user, "INBOX", [message])
        self.dovecot.add_mail(self.user, "Archive", [])
        self.assertIn(b'* LIST (\\HasNoChildren) "." INBOX\r\n', self.curl(""))
        self.assertEqual(self.curl("INBOX;MAILINDEX=1"), message)
        file = self.directory / "upload"
        file.write_bytes(upload)
        self.curl("Archive", "--upload-file", file)
        self.assertEqual(self.stored("Archive"), [upload.replace(b"\r\n", b"\n")])
        commands = {"CAPABILITY": 3, "AUTHENTICATE": 3, "LIST": 1, "SELECT": 1, "FETCH": 1, "APPEND": 1, "LOGOUT": 3}
        self.finish({"imapmeter_commands_total": ok(commands), "imapmeter_sessions_accepted_total": {(): 3},
                     "imapmeter_sessions_authenticated_total": {(): 3},
                     "imapmeter_sessions_closed_total": {(("reason", "logout"),): 3}})

    # imaplib

    def test_imaplib(self):
        messages = make_messages(5)
        self.dovecot.add_mail(self.user, "INBOX", messages)
        journal = Journal()
        client = RecordingClient(self.proxy.address, journal)
        with self.assertRaisesRegex(imaplib.IMAP4.error, "AUTHENTICATIONFAILED"):
            client.login(self.user, "wrong")
        client.login(self.user, PASSWORD)
        self.assertEqual(client.select("INBOX"), ("OK", [b"5"]))
        self.assertEqual(client.search(None, "SUBJECT", '"number"')[1], [b"1 2 3 4 5"])
        fetched = client.fetch("1:5", "(UID BODY.PEEK[])")[1]
        self.assertEqual(sorted(part[1] for part in fetched if isinstance(part, tuple)), sorted(messages))
        self.assertEqual(client.append("INBOX", "\\Seen", None, messages[1])[0], "OK")
        self.assertEqual(client.append("Nowhere", None, None, messages[1])[0], "NO")
        client.idle_once()
        with self.assertRaisesRegex(imaplib.IMAP4.error, "BAD"):
            client.uid("FETCH", "x", "FLAGS")
        self.assertEqual(client.select("Nowhere")[0], "NO")
        client.logout()
        self.assertEqual(len(self.stored("INBOX")), 6)
        results = Counter(ok({"CAPABILITY": 1, "LOGIN": 1, "SELECT": 1, "SEARCH": 1, "FETCH": 1, "APPEND": 1,
                              "IDLE": 1, "LOGOUT": 1}))
        for command, result in (("LOGIN", "NO"), ("APPEND", "NO"), ("SELECT", "NO"), ("UID FETCH", "BAD")):
            results[("command", command), ("result", result)] += 1
        codes = journal.samples()["imapmeter_response_codes_total"]
        self.assertTrue(any(("code", "TRYCREATE") in key for key in codes), codes)
        self.finish({**journal.samples(), "imapmeter_commands_total": results,
                     "imapmeter_bye_total": {(("reason", "logout"),): 1},
                     "imapmeter_sessions_closed_total": {(("reason", "logout"),): 1}})

    # mbsync

    def mbsync(self, name: str, port: int, certificate: str) -> dict:
        """Syncs everything into a new maildir; {(mailbox, the server's UID): message}."""
        return mbsync(self.directory / f"{self.user}-{name}", port, certificate, self.user, PASSWORD)

    def test_mbsync(self):
        messages = make_messages(500)
        self.dovecot.add_mail(self.user, "INBOX", messages[:400])
        self.dovecot.add_mail(self.user, "Archive", messages[400:])
        certificate = self.directory / "imapmeter.pem"
        certificate.write_text(ssl.get_server_certificate(self.proxy.address), encoding="ascii")
        through = self.mbsync("through", self.proxy.address[1], certificate)
        direct = self.mbsync("direct", self.dovecot.imaps, self.dovecot.certificate)
        self.assertEqual(len(through), 500)
        self.assertEqual(through.keys(), direct.keys())
        self.assertEqual([key for key in direct if through[key] != direct[key]], [])
        self.assertEqual(sorted(through.values()), sorted(message.replace(b"\r\n", b"\n") for message in messages))
        # and up again: what is new in the maildir goes to the server
        new = self.directory / f"{self.user}-through" / "mail" / "INBOX" / "new"
        for number, message in enumerate(uploads := make_messages(520)[500:]):
            (new / f"1.{number}.localhost").write_bytes(message.replace(b"\r\n", b"\n"))
        self.mbsync("through", self.proxy.address[1], certificate)
        stored = [without_tuid(message) for message in self.stored("INBOX")]
        self.assertEqual(sorted(stored), sorted(m.replace(b"\r\n", b"\n") for m in messages[:400] + uploads))
        self.finish({"imapmeter_sessions_authenticated_total": {(): 2},
                     "imapmeter_bye_total": {(("reason", "logout"),): 2}})
        self.assertEqual(self.proxy.scrape().sum("imapmeter_commands_total", command="APPEND", result="OK"), 20)


class OverPlainUpstream(DovecotCase, unittest.TestCase):
    pass


class OverTlsUpstream(DovecotCase, unittest.TestCase):
    tls = True


def ok(commands: dict[str, int]) -> dict:
    return {(("command", command), ("result", "OK")): count for command, count in commands.items()}


if __name__ == "__main__":
    unittest.main(verbosity=2)
