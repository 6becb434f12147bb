#!/usr/bin/env python3
"""The console in headless Chromium, of an imapmeter with real sessions of a real Dovecot behind it: its numbers are
those of /metrics, every view can be reached, read by everybody and on a phone (tests/browser)."""

import imaplib
import ssl
import sys
import tempfile
import unittest
from pathlib import Path

from harness import Proxy, scaled
from harness.node import NodeFolder

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "deploy" / "demo"))
from dovecot import PASSWORD, Dovecot  # noqa: E402


class ShowsTheConsole(unittest.TestCase):
    def client(self, proxy: Proxy) -> imaplib.IMAP4_SSL:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return imaplib.IMAP4_SSL(*proxy.address, ssl_context=context, timeout=scaled(20))

    def work(self, proxy: Proxy, keep: bool) -> imaplib.IMAP4_SSL:
        """Reads mail, and asks for what is not there."""
        client = self.client(proxy)
        client.login("alice", PASSWORD)
        client.select()
        client.fetch("1", "(FLAGS BODY[])")
        self.assertEqual(client.status("nowhere", "(MESSAGES)")[0], "NO")
        if not keep:
            client.logout()
        return client

    def test_browser(self):
        with tempfile.TemporaryDirectory(prefix="imapmeter-") as directory, Dovecot(directory + "/dovecot") as dovecot:
            dovecot.add_mail("alice", "INBOX", [b"Subject: one\n\nHello\n"])
            with Proxy(f"imap://127.0.0.1:{dovecot.imap}") as proxy:
                refused = self.client(proxy)
                with self.assertRaises(imaplib.IMAP4.error):
                    refused.login("alice", "wrong")
                refused.shutdown()
                self.work(proxy, keep=False)
                held = [self.work(proxy, keep=True) for _ in range(3)]
                try:
                    self.look(proxy)
                finally:
                    for client in held:
                        client.logout()

    def look(self, proxy: Proxy) -> None:
        host, port = proxy.admin
        folder = NodeFolder(ROOT / "tests" / "browser", patience=300)
        status, said = folder.run("npm", "test", IMAPMETER_ADMIN=f"http://{host}:{port}", IMAPMETER_SOURCE=str(ROOT))
        self.assertEqual(status, 0, said)
        self.assertRegex(said, r"(?m)^(#|ℹ) pass [1-9][0-9]*$")


if __name__ == "__main__":
    unittest.main()
