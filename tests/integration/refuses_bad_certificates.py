#!/usr/bin/env python3
"""C5, C6: a certificate or key that is no good is named and nothing starts; --check finds it before. Only what has
expired is served all the same: a reboot must not take mail down."""

import os
import subprocess
import time
import unittest
from pathlib import Path

from harness import Certificates, FakeUpstream, IntegrationCase, scaled
from harness.proxy import binary


def truncated(path: Path, share: float = 0.5) -> bytes:
    octets = path.read_bytes()
    return octets[:int(len(octets) * share)]


class RefusesBadCertificates(IntegrationCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.certificates = cls.enterClassContext(Certificates())
        cls.other_key = cls.certificates.issue("other", "DNS:other")[1]

    def setUp(self):
        super().setUp()
        self.cert = self.certificates.directory / "case.pem"
        self.key = self.certificates.directory / "case-key.pem"
        self.put(self.cert, self.certificates.cert.read_bytes())
        self.put(self.key, self.certificates.key.read_bytes())

    @staticmethod
    def put(path: Path, octets: bytes) -> None:
        path.unlink(missing_ok=True)
        path.write_bytes(octets)

    def run_binary(self, *more: str, prefix: tuple[str, ...] = ()) -> subprocess.CompletedProcess:
        return subprocess.run(
            [*prefix, binary(), "--listen", "imaps://127.0.0.1:0", "--cert", self.cert, "--key", self.key,
             "--upstream", "imap://127.0.0.1:143", "--admin", "none", *more],
            capture_output=True, text=True, timeout=scaled(10), check=False)

    def expect_refused(self, culprit: Path, prefix: tuple[str, ...] = ()) -> None:
        for more in ((), ("--check",)):
            done = self.run_binary(*more, prefix=prefix)
            self.assertGreater(done.returncode, 0, (more, done))
            self.assertNotIn("ready", done.stdout)
            self.assertNotIn("ok", done.stdout)
            self.assertIn(str(culprit), done.stderr, more)
            self.assertNotIn("PRIVATE KEY", done.stderr)

    def test_C5_good_ones_pass(self):
        done = self.run_binary("--check")
        self.assertEqual((done.returncode, done.stdout.splitlines()[-1]), (0, "ok"), done)

    def test_C5_certificate(self):
        good = self.certificates.cert
        for what, octets in {"empty": b"", "no PEM": b"hello\n", "half-written": truncated(good),
                             "without its last line": b"".join(good.read_bytes().splitlines(True)[:-1]),
                             "damaged": good.read_bytes().replace(b"M", b"N"), "a key": self.key.read_bytes()}.items():
            with self.subTest(what):
                self.put(self.cert, octets)
                self.expect_refused(self.cert)

    def test_C5_key(self):
        good = self.certificates.key
        for what, octets in {"empty": b"", "no PEM": b"hello\n", "half-written": truncated(good),
                             "without its last line": b"".join(good.read_bytes().splitlines(True)[:-1]),
                             "of another": self.other_key.read_bytes(),
                             "a certificate": self.cert.read_bytes()}.items():
            with self.subTest(what):
                self.put(self.key, octets)
                self.expect_refused(self.key)

    def test_C5_unreadable(self):
        """For root too, once it may not read everything."""
        prefix = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
        for path in (self.cert, self.key):
            with self.subTest(path.name):
                path.chmod(0)
                self.expect_refused(path, prefix)
                path.chmod(0o600)

    def test_C5_missing_and_a_directory(self):
        for path in (self.cert, self.key):
            with self.subTest(path.name):
                octets = path.read_bytes()
                path.unlink()
                self.expect_refused(path)
                path.mkdir()
                self.expect_refused(path)
                path.rmdir()
                path.write_bytes(octets)

    def test_C5_expired_is_served(self):
        expired = self.certificates.issue("expired", "DNS:localhost", days=-1)
        self.start(FakeUpstream(), certificate=expired)
        self.assertEqual(len(self.proxy.log_lines("error", str(expired[0]), "expired")), 1)
        expiry = self.proxy.scrape().sum("imapmeter_tls_certificate_not_after_timestamp_seconds")
        self.assertGreater(expiry, time.time() - 3 * 86400)
        self.assertLess(expiry, time.time())
        self.check_invariants()


if __name__ == "__main__":
    unittest.main()
