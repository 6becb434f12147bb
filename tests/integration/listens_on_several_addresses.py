#!/usr/bin/env python3
"""One listener with an IPv4, an IPv6 and a unix address serves clients on each; a unix socket on either side carries
mail as TCP does, and its file does not outlive the process nor keep the next one from starting: C9, C19."""

import socket
import stat
import subprocess
import tempfile
import unittest
from pathlib import Path

from harness import FakeUpstream, IntegrationCase, Proxy, honest_server, scaled, well_behaved_session
from harness.proxy import binary
from refuses_when_upstream_is_down import BYE


def free_port() -> int:
    with socket.socket() as any_port:
        any_port.bind(("127.0.0.1", 0))
        return any_port.getsockname()[1]


class ListensOnSeveralAddresses(IntegrationCase):
    def setUp(self):
        super().setUp()
        self.directory = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.path = str(self.directory / "imap")

    def test_ipv4_ipv6_and_unix(self):
        """IPv4 and IPv6 with the same port: each has its own socket."""
        port = free_port()
        binds = [f"imaps://0.0.0.0:{port}", f"imaps://[::]:{port}", f"imaps://unix:{self.path}"]
        self.start(config={"listener": {"bind": binds}})
        self.assertEqual(self.proxy.binds, [f"0.0.0.0:{port}", f"[::]:{port}", f"unix:{self.path}"])
        self.upstream.script = honest_server
        for address in (("127.0.0.1", port), ("::1", port), self.path):
            well_behaved_session(address)
        metrics = self.proxy.wait_for("imapmeter_sessions_closed_total", 4, reason="logout")
        self.assertEqual(metrics.by("imapmeter_listener_info", "bind"), dict.fromkeys(self.proxy.binds, 1))
        self.assertEqual(metrics.sum("imapmeter_sessions_accepted_total", listener="default"), 4)
        self.check_invariants()

    def test_unix_on_both_sides(self):
        """Mail in both directions beyond what a socket holds; every way to end."""
        self.start(FakeUpstream(path=str(self.directory / "server")), listen=f"unix:{self.path}", tls=False)
        self.assertEqual(self.proxy.address, self.path)
        client, server = self.session()
        self.login(client, server)
        self.relay(server, client, b"* 1 FETCH (BODY[] {4000000}\r\n" + bytes(4000000) + b")\r\n")
        self.relay(client, server, b"a APPEND x {1000000+}\r\n" + bytes(1000000) + b"\r\n")
        server.send(b"* BYE\r\n")
        server.close()
        client.expect(b"* BYE\r\n")
        self.assertEqual(client.close_clean(), "fin")
        client, server = self.session()
        client.close()
        self.assertIn(server.finish(), ("fin", "reset"))
        server.close()
        metrics = self.proxy.wait_for("imapmeter_sessions_closed_total", 1, reason="upstream_bye")
        self.assertEqual(metrics.sum("imapmeter_upstream_connects_total", result="ok",
                                     server=f"unix:{self.directory}/server"), 3)
        self.proxy.wait_for("imapmeter_sessions_closed_total", 1, reason="client_eof")
        self.check_invariants()

    def test_no_unix_server(self):
        """A1: no file; a file that nobody listens on; a full backlog, which does not make the client wait."""
        server = self.directory / "server"
        self.start(FakeUpstream(path=str(server)))
        self.upstream.stop_listening()
        self.told_that_it_is_unavailable("upstream_refused", 1)
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(server))
            self.told_that_it_is_unavailable("upstream_refused", 2)
            listening.listen(0)
            with socket.socket(socket.AF_UNIX) as waiting:
                waiting.connect(str(server))
                self.told_that_it_is_unavailable("upstream_unavailable", 1)
        metrics = self.proxy.scrape()
        self.assertEqual(metrics.sum("imapmeter_upstream_connects_total", result="refused"), 3)
        server.unlink()
        self.upstream.listen()
        self.check_invariants()

    def told_that_it_is_unavailable(self, reason: str, count: int) -> None:
        with self.proxy.connect() as client:
            self.assertRegex(client.read_line(), BYE)
            self.assertEqual(client.finish(), "close_notify+fin")
        self.proxy.wait_for("imapmeter_sessions_closed_total", count, reason=reason, phase="connect")

    def test_C9_C19_unix(self):
        upstream = self.enterContext(FakeUpstream(honest_server))
        proxy = Proxy(upstream, listen=f"unix:{self.path}")
        self.addCleanup(proxy.close)
        self.assertEqual(stat.S_IMODE(Path(self.path).stat().st_mode), 0o660)
        done = subprocess.run(
            [binary(), "--listen", f"imaps://unix:{self.path}", "--self-signed", "--upstream", upstream.url,
             "--admin", "none"], capture_output=True, text=True, timeout=scaled(10), check=False)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn(f"cannot listen on unix:{self.path}: Address already in use", done.stderr)
        well_behaved_session(self.path)
        proxy.kill()
        self.assertTrue(Path(self.path).is_socket(), "this test has not tested what it claims")
        with Proxy(upstream, listen=f"unix:{self.path}"):
            well_behaved_session(self.path)
        self.assertFalse(Path(self.path).exists(), "left behind by a proper end")


if __name__ == "__main__":
    unittest.main()
