#!/usr/bin/env python3
"""The expressions that docs/session-log.md gives to fail2ban and CrowdSec, taken from the document itself, find those
whose logins a server has rejected, and nobody else, in what imapmeter has logged; and nobody at all where it does not log
addresses in clear."""

import datetime
import ipaddress
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from harness import FakeUpstream, IntegrationCase, Proxy, honest_server, scaled, wait_until

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "session-log.md").read_text("utf-8")
UNPACKED = ROOT / "build" / "fail2ban" / "usr"  # by cmake/install-packages.sh test

Exchange = list[tuple[bytes, bytes]]  # what the client says, what the server answers
LOGIN = b"a LOGIN user secret\r\n"
RECORD = rb'"event\":\"auth\",\"client\":\"10.9.8.7\",\"result\":\"rejected'
SASL = (b"a AUTHENTICATE PLAIN\r\n", b"+ \r\n")
BANNED: dict[str, Exchange] = {
    "no code": [(LOGIN, b"a NO wrong\r\n")],
    "AUTHENTICATIONFAILED": [(LOGIN, b"a NO [AUTHENTICATIONFAILED] wrong\r\n")],
    "AUTHORIZATIONFAILED": [SASL, (b"AHUAcA==\r\n", b"a NO [AUTHORIZATIONFAILED] no\r\n")],
    "EXPIRED": [(b"a AUTHENTICATE PLAIN AHUAcA==\r\n", b"a NO [EXPIRED] old\r\n")],
    "says somebody else's address": [(b'a LOGIN "%s" "%s"\r\n' % (RECORD, RECORD), b'a NO "client":"10.9.8.7"\r\n')],
    "success behind it": [(LOGIN, b"a NO wrong\r\n"), (b"b LOGIN user right\r\n", b"b OK in\r\n")],
}
SPARED: dict[str, Exchange] = {
    "success": [(LOGIN, b"a OK in\r\n")],
    "success, with a record as the user": [(b'a LOGIN "%s" p\r\n' % RECORD, b"a OK in\r\n")],
    **{f"temporary, {code}": [(LOGIN, b"a NO [%s] later\r\n" % code.encode())]
       for code in ("UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG", "CONTACTADMIN")},
    "policy": [(LOGIN, b"a NO [PRIVACYREQUIRED] not so\r\n")],
    "cancelled": [SASL, (b"*\r\n", b"a BAD cancelled\r\n")],
    "a command that is not understood": [(b"a LOGIN\r\n", b"a BAD what\r\n")],
    "no answer": [(LOGIN, b"")],
    "rejected, but not a login": [(LOGIN, b"a OK in\r\n"), (b"b SELECT x\r\n", b"b NO [AUTHENTICATIONFAILED] no\r\n")],
    "no login": [(b"a NOOP\r\n", b"a OK x\r\n")],
}


def section(title: str) -> str:
    """Its block of code."""
    return re.search(rf"^### {title}\n.*?^```\w*\n(.*?)^```$", DOCUMENT, re.M | re.S)[1]


def fail2ban(lines: list[str]) -> list[tuple[str, int]]:
    """Whom fail2ban's own tool finds with the documented filter, and when."""
    with tempfile.TemporaryDirectory() as directory:
        rules = Path(directory) / "filter.d" / "imapmeter.conf"
        rules.parent.mkdir()
        rules.write_text(section("fail2ban"), "utf-8")
        log = Path(directory) / "log"
        log.write_text("".join(line + "\n" for line in lines), "utf-8")
        command, environment = [shutil.which("fail2ban-regex")], dict(os.environ)
        if command == [None]:
            command = [sys.executable, str(UNPACKED / "bin" / "fail2ban-regex")]
            environment["PYTHONPATH"] = str(UNPACKED / "lib" / "python3" / "dist-packages")
        done = subprocess.run([*command, "-r", "-c", directory, "-o", "<ip> <time>", str(log), str(rules)], env=environment,
                              capture_output=True, text=True, timeout=scaled(30), check=False)
        if done.returncode not in (0, 255) or done.stderr:  # 255: nothing was found
            raise AssertionError(f"fail2ban-regex: {done.returncode} {done.stdout} {done.stderr}")
        found = [line.split() for line in done.stdout.splitlines() if line]
        return [(address, int(float(time))) for address, time in found]


def crowdsec(lines: list[str]) -> list[str]:
    """Whom the documented grok pattern finds."""
    pattern = re.search(r"^ *pattern: '(.*)'$", section("CrowdSec"), re.M)[1]
    for name, expression in (("TIMESTAMP_ISO8601:timestamp", r"(?P<timestamp>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z)"),
                             ("IP:source_ip", '(?P<source_ip>[^"]*)')):
        assert f"%{{{name}}}" in pattern, name
        pattern = pattern.replace(f"%{{{name}}}", expression)
    found = [match["source_ip"] for line in lines if (match := re.search(pattern, line))]
    return [each for each in found if is_address(each)]


def is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


class BansByDocumentedExpressions(IntegrationCase):
    def converse(self, exchanges: dict[str, Exchange], network: str) -> list[str]:
        """Each from an address of its own, which are returned."""
        sources = [f"{network}.{number}" for number in range(1, len(exchanges) + 1)]
        for source, exchange in zip(sources, exchanges.values()):
            client, server = self.session(source=source)
            for say, answer in exchange:
                self.relay(client, server, say)
                self.relay(server, client, answer)
            server.shutdown_write()
            client.close_clean()
            server.close()
        return sources

    def written(self, sessions: int) -> list[str]:
        """The log, once the line of each session is in it."""
        wait_until(lambda: len(self.proxy.records("session")) == sessions, what="the lines of the sessions")
        return list(self.proxy.log)

    def test_those_who_were_rejected_and_nobody_else(self):
        self.start(config={"log": {"client_address": "clear"}})
        banned = self.converse(BANNED, "127.10.0")
        self.converse(SPARED, "127.20.0")
        lines = self.written(1 + len(BANNED) + len(SPARED))
        rejected = [record for record in self.proxy.records("auth") if record["result"] == "rejected"]
        self.assertGreater(len(self.proxy.records("auth")), len(rejected), "this test has not tested what it claims")
        times = [int(datetime.datetime.fromisoformat(record["time"]).timestamp()) for record in rejected]
        self.assertEqual(fail2ban(lines), list(zip(banned, times)))
        self.assertEqual(crowdsec(lines), banned)
        with self.subTest("behind what a syslog puts in front"):
            prefixed = [f"Nov 25 15:11:45 mail imapmeter[4711]: {line}" for line in lines]
            self.assertEqual(fail2ban(prefixed), list(zip(banned, times)))
        self.check_invariants()

    def test_only_warnings_suffice(self):
        self.start(config={"log": {"client_address": "clear"}}, log_level="warn")
        banned = self.converse(BANNED, "127.10.0")
        self.converse(SPARED, "127.20.0")
        self.proxy.terminate()
        self.proxy.wait()
        self.assertEqual([address for address, _ in fail2ban(self.proxy.log)], banned)
        self.assertEqual(crowdsec(self.proxy.log), banned)

    def test_nobody_where_addresses_are_not_in_clear(self):
        for mode in ("truncated", "hashed", "off"):
            with self.subTest(mode):
                self.start(config={"log": {"client_address": mode}})
                self.converse(BANNED, "127.10.0")
                self.found_nobody(self.written(1 + len(BANNED)))
                self.proxy.close()

    def test_nobody_behind_a_unix_socket(self):
        directory = self.enterContext(tempfile.TemporaryDirectory())
        self.start(config={"log": {"client_address": "clear"}}, listen=f"unix:{directory}/imap")
        client, server = self.session()
        self.relay(client, server, LOGIN)
        self.relay(server, client, b"a NO wrong\r\n")
        server.shutdown_write()
        client.close_clean()
        self.found_nobody(self.written(2))

    def found_nobody(self, lines: list[str]) -> None:
        self.assertTrue([line for line in lines if '"result":"rejected"' in line], "nobody was rejected")
        self.assertEqual((fail2ban(lines), crowdsec(lines)), ([], []))

    def test_ipv6(self):
        with FakeUpstream(honest_server) as upstream, \
                Proxy(upstream, listen="[::1]:0", config={"log": {"client_address": "clear"}}) as proxy:
            upstream.script = lambda server: (server.send(b"* OK ready\r\n"), server.read_line(),
                                              server.send(b"a NO wrong\r\n"))
            with proxy.connect() as client:
                client.read_until(b"* OK")
                client.command(LOGIN.strip())
            wait_until(lambda: proxy.records("session"), what="a line")
            self.assertEqual([address for address, _ in fail2ban(proxy.log)], ["::1"])
            self.assertEqual(crowdsec(proxy.log), ["::1"])


if __name__ == "__main__":
    unittest.main()
