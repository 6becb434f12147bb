#!/usr/bin/env python3
"""Two real Dovecots that have the same mail. The one that is stopped, or is there and never answers, costs the next
client nothing; a session that was under way ends; the server that is back gets sessions again. And a health check
leaves nothing in Dovecot's log that would alarm anybody."""

import imaplib
import os
import shutil
import signal
import ssl
import sys
import tempfile
import unittest
from pathlib import Path

from harness import FACTOR, Proxy, at_rest, check_counted, scaled, wait_until

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "deploy" / "demo"))
from dovecot import PASSWORD, Dovecot  # noqa: E402

MESSAGE = b"Subject: hello\n\nhello\n"
CHECKS = {"interval": "200ms", "timeout": f"{1000 * FACTOR:.0f}ms", "rise": 1, "fall": 1}


class FailsOverBetweenDovecots(unittest.TestCase):
    def setUp(self):
        directory = Path(tempfile.mkdtemp(prefix="imapmeter-"))
        self.addCleanup(shutil.rmtree, directory, True)
        self.servers = [self.enterContext(Dovecot(directory / name, "mail_fsync = never\n")) for name in "ab"]
        authorities = directory / "ca.pem"
        authorities.write_text("".join(Path(each.certificate).read_text() for each in self.servers))
        for each in self.servers:
            each.add_mail("alice", "INBOX", [MESSAGE])
        self.names = [f"localhost:{each.imaps}" for each in self.servers]
        self.proxy = self.enterContext(Proxy(
            f"imaps://{self.names[0]}", upstream_ca=authorities,
            config={"upstream": {"servers": [f"imaps://{name}" for name in self.names], "health_check": CHECKS,
                                 "balance": "failover", "any_server_serves_any_user": True}}))
        self.wait_up(0, 1)
        self.wait_up(1, 1)

    def wait_up(self, number: int, value: int) -> None:
        wait_until(lambda: self.proxy.scrape().sum("imapmeter_upstream_up", server=self.names[number]) == value, 20,
                   f"server {number} up {value}")

    def open(self) -> imaplib.IMAP4_SSL:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        client = imaplib.IMAP4_SSL(*self.proxy.address, ssl_context=context, timeout=scaled(20))
        client.login("alice", PASSWORD)
        return client

    def reads_mail(self) -> None:
        client = self.open()
        client.select()
        self.assertEqual(client.fetch("1", "(BODY[TEXT])")[1][0][1], b"hello\r\n")
        client.logout()

    def served_by(self, number: int) -> None:
        """A session reads its mail from this server; none other gets that far."""
        before = self.proxy.scrape()
        self.reads_mail()
        after = at_rest(self.proxy)
        for each, name in enumerate(self.names):
            gain = (after.sum("imapmeter_upstream_connects_total", server=name, result="ok")
                    - before.sum("imapmeter_upstream_connects_total", server=name, result="ok"))
            self.assertEqual(gain, 1 if each == number else 0, name)

    def test_a_server_that_is_stopped(self):
        self.served_by(0)
        under_way = self.open()
        self.servers[0].stop()
        with self.assertRaises((imaplib.IMAP4.error, OSError)):
            for _ in range(2):  # the first may still get the BYE of Dovecot's shutdown
                under_way.noop()
        under_way.shutdown()
        self.served_by(1)  # whether or not a check has noticed
        self.wait_up(0, 0)
        self.assertEqual(self.proxy.get("/readyz?upstream=default")[0], 200)
        self.served_by(1)
        self.servers[1].stop()
        self.wait_up(1, 0)
        self.assertEqual(self.proxy.get("/readyz?upstream=default")[0], 503)
        check_counted(self.proxy, {})

    def test_a_server_that_accepts_and_never_answers(self):
        """Its login processes are stopped: the kernel still accepts for them."""
        stopped = self.stop_processes(self.servers[0])
        self.wait_up(0, 0)
        self.served_by(1)
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        self.wait_up(0, 1)
        self.served_by(0)

    def stop_processes(self, server: Dovecot) -> list[int]:
        """SIGSTOP for all processes of this Dovecot, the master first."""
        stopped = []
        for pid in [server.pid(), *self.children(server.pid())]:
            os.kill(pid, signal.SIGSTOP)
            self.addCleanup(self.resume, pid)
            stopped.append(pid)
        return stopped

    @staticmethod
    def resume(pid: int) -> None:
        try:
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            pass

    @staticmethod
    def children(pid: int) -> list[int]:
        return [int(child) for task in Path(f"/proc/{pid}/task").iterdir()
                for child in (task / "children").read_text().split()]

    def test_a_check_alarms_nobody(self):
        before = self.proxy.scrape().sum("imapmeter_upstream_health_checks_total")
        wait_until(lambda: self.proxy.scrape().sum("imapmeter_upstream_health_checks_total") >= before + 6, 20,
                   "six checks")
        log = Path(self.servers[0].log).read_text()
        self.assertNotIn("Error", log)
        self.assertNotIn("Warning", log)


if __name__ == "__main__":
    unittest.main()
