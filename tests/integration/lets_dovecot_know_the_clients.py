#!/usr/bin/env python3
"""A real Dovecot behind imapmeter logs the clients' own addresses, and gives clients whose TLS ends in imapmeter the
rights of TLS over the plain connection from there; clients without TLS are refused as they would be without imapmeter."""

import sys
import tempfile
import unittest
from pathlib import Path

from harness import Proxy, binary_header, scaled, wait_until

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "deploy" / "demo"))
from dovecot import PASSWORD, Dovecot  # noqa: E402

SETTINGS = """\
ssl = required
disable_plaintext_auth = yes
haproxy_trusted_networks = 127.0.0.0/8
login_log_format_elements = user=<%u> rip=%r rport=%{rport} lip=%l lport=%a real_rip=%{real_rip} %c
mail_fsync = never
service imap-login {
  inet_listener imap {
    haproxy = yes
  }
  inet_listener imaps {
    haproxy = yes
  }
}
"""
CLIENT, DIALLED = ("192.0.2.7", 50123), ("198.51.100.2", 993)


class LetsDovecotKnowTheClients(unittest.TestCase):
    def setUp(self):
        directory = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="imapmeter-")))
        self.dovecot = self.enterContext(Dovecot(directory / "dovecot", SETTINGS))

    def proxy(self, tls_upstream: bool = False, config: dict | None = None, checks: str = "none", **options) -> Proxy:
        url = f"imaps://127.0.0.1:{self.dovecot.imaps}" if tls_upstream else f"imap://127.0.0.1:{self.dovecot.imap}"
        options["upstream_ca"] = Path(self.dovecot.certificate) if tls_upstream else None
        upstream = {"proxy_protocol": True, "health_check": {"interval": checks}}
        return self.enterContext(Proxy(url, config={"upstream": upstream, **(config or {})}, **options))

    def dovecot_logs(self, text: str) -> str:
        """The first line of Dovecot's log that contains `text`."""
        def found():
            lines = Path(self.dovecot.log).read_text("utf-8").splitlines()
            return [line for line in lines if text in line]

        return wait_until(found, scaled(10), f"Dovecot to log {text}")[0]

    def login(self, proxy: Proxy, user: str, **options) -> bytes:
        """The answer."""
        with proxy.connect(**options) as client:
            self.port = client.local[1]
            self.greeting = client.read_until(b"* OK")[-1]
            answer = client.command(f"a LOGIN {user} {PASSWORD}".encode())[-1]
            client.command(b"b LOGOUT")
            client.close_clean()
            return answer

    def test_a_client_with_tls_is_secured_and_known(self):
        for tls_upstream in (False, True):
            with self.subTest(tls_upstream=tls_upstream):
                user = "alice" if tls_upstream else "dora"
                proxy = self.proxy(tls_upstream)
                answer = self.login(proxy, user, source="127.0.0.77")
                self.assertTrue(answer.startswith(b"a OK"), answer)
                self.assertNotIn(b"LOGINDISABLED", self.greeting)
                line = self.dovecot_logs(f"Login: user=<{user}>")
                for field in (" rip=127.0.0.77", f" rport={self.port}", " real_rip=127.0.0.1"):
                    self.assertIn(field, line)

    def test_a_client_without_tls_is_known_and_not_secured(self):
        answer = self.login(self.proxy(tls=False), "bob", source="127.0.0.77")
        self.assertRegex(answer, rb"^a NO \[PRIVACYREQUIRED\]")
        self.assertIn(b"LOGINDISABLED", self.greeting)
        self.dovecot_logs(f" rip=127.0.0.77, rport={self.port}")

    def test_what_a_proxy_in_front_has_said_arrives(self):
        proxy = self.proxy(config={"listener": {"proxy_protocol": ["127.0.0.0/8"]}}, prelude=binary_header(CLIENT, DIALLED))
        answer = self.login(proxy, "carol")
        self.assertTrue(answer.startswith(b"a OK"), answer)
        line = self.dovecot_logs("Login: user=<carol>")
        for field in ("rip=192.0.2.7", "rport=50123", "lip=198.51.100.2", "lport=993"):
            self.assertIn(field, line)

    def test_health_checks_are_nobodys(self):
        """Their header is LOCAL: Dovecot takes them for imapmeter itself, and the server is up."""
        for tls_upstream in (False, True):
            with self.subTest(tls_upstream=tls_upstream):
                proxy = self.proxy(tls_upstream, checks="1s")
                wait_until(lambda: proxy.scrape().sum("imapmeter_upstream_health_checks_total", result="ok") > 1,
                           what="two checks that succeed")
                self.assertEqual(proxy.scrape().sum("imapmeter_upstream_health_checks_total", result="failed"), 0)
                self.assertEqual(proxy.scrape().sum("imapmeter_upstream_up"), 1)


if __name__ == "__main__":
    unittest.main()
