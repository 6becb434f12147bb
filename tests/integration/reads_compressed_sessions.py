#!/usr/bin/env python3
"""An unmodified client that compresses where it can, mbsync, writes and reads mail in a real Dovecot and a real Cyrus
through imapmeter; what is said in the compressed sessions is counted as in any other."""

import ssl
import tempfile
import unittest
from pathlib import Path

from harness import Proxy, check_counted
from harness.cyrus import RealCyrus
from harness.dovecot import RealDovecot
from harness.mbsync import mbsync
from harness.real_server import RealServer, message

MESSAGES = [message(number) for number in range(1, 60)]
OCTETS = sum(map(len, MESSAGES))
CLIENT, SERVER = ({"direction": name} for name in ("client_to_server", "server_to_client"))


class ReadsCompressedSessions(unittest.TestCase):
    def setUp(self):
        self.directory = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="imapmeter-")))

    def sync(self, server: RealServer, proxy: Proxy, name: str) -> dict:
        certificate = self.directory / "imapmeter.pem"
        certificate.write_text(ssl.get_server_certificate(proxy.address), encoding="ascii")
        return mbsync(self.directory / name, proxy.address[1], certificate, server.user, server.password)

    def put_aside(self) -> None:
        """The messages, where mbsync finds them and sends them to the server."""
        for name in ("new", "cur", "tmp"):
            (self.directory / "up" / "mail" / "INBOX" / name).mkdir(parents=True)
        for number, text in enumerate(MESSAGES):
            file = self.directory / "up" / "mail" / "INBOX" / "new" / f"1.{number}.localhost"
            file.write_bytes(text.replace(b"\r\n", b"\n"))

    def check(self, server: RealServer) -> None:
        self.put_aside()
        with Proxy(server.url) as proxy:
            self.sync(server, proxy, "up")
            down = self.sync(server, proxy, "down")
            metrics = check_counted(proxy, {
                "imapmeter_messages_total": {(("operation", "appended"),): len(MESSAGES),
                                             (("operation", "fetched"),): len(MESSAGES)},
                "imapmeter_compress_attempts_total": {(("result", "active"),): 2},
                "imapmeter_sessions_authenticated_total": {(): 2}, "imapmeter_bye_total": {(("reason", "logout"),): 2},
                "imapmeter_opaque_sessions_total": {}, "imapmeter_anomalies_total": {}})
        self.assertEqual(sorted(down.values()), sorted(text.replace(b"\r\n", b"\n") for text in MESSAGES))
        self.assertEqual(metrics.sum("imapmeter_commands_total", command="APPEND", result="OK"), len(MESSAGES))
        for direction in (CLIENT, SERVER):
            self.assertGreater(metrics.sum("imapmeter_literal_bytes_total", **direction), OCTETS)
            self.assertGreater(metrics.sum("imapmeter_inflated_bytes_total", **direction), OCTETS)
            self.assertLess(metrics.sum("imapmeter_bytes_total", **direction), OCTETS / 2)

    def test_dovecot(self):
        with RealDovecot() as server:
            self.check(server)

    def test_cyrus(self):
        with RealCyrus() as server:
            self.check(server)


if __name__ == "__main__":
    unittest.main(verbosity=2)
