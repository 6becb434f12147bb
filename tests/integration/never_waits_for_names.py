#!/usr/bin/env python3
"""A4: a name that cannot be looked up, or a name server that does not answer, costs the clients of that upstream a BYE
at once and the clients of others nothing; once a name was known, its last good addresses stay in use.

The test makes a network namespace and mounts of its own, in which its name server is the only one. That takes root.
"""

import socket
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path

from harness import FakeClient, FakeUpstream, Proxy, at_rest, honest_server, scaled, wait_until, well_behaved_session
from harness.namespace import enter_mounts, enter_namespace
from refuses_when_upstream_is_down import BYE

NAME = "mail.example.org"
CLIENTS = 50


class NameServer:
    """Answers for every name, on 127.0.0.1:53: `address` for A, nothing for AAAA. mode: answer, unknown or silent."""

    def __init__(self, mode: str, address: str = "127.0.0.1"):
        self.mode, self.address, self.asked = mode, address, 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 53))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            query, client = self._socket.recvfrom(512)
            if not query:
                return
            self.asked += 1
            if self.mode != "silent":
                self._socket.sendto(self._answer(query), client)

    def _answer(self, query: bytes) -> bytes:
        """RFC 1035 section 4: the question again, and one record or none."""
        end = query.index(b"\0", 12) + 5  # the question: a name, its type, its class
        kind = int.from_bytes(query[end - 4:end - 2], "big")
        known = self.mode == "answer" and kind == 1
        flags = b"\x81\x80" if self.mode == "answer" else b"\x81\x83"
        record = b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4" + socket.inet_aton(self.address)
        return (query[:2] + flags + b"\0\1" + (b"\0\1" if known else b"\0\0") + b"\0\0\0\0" + query[12:end]
                + (record if known else b""))

    def close(self) -> None:
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"", ("127.0.0.1", 53))
        self._thread.join()
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def setUpModule():
    enter_namespace()
    enter_mounts()
    directory = tempfile.mkdtemp(prefix="imapmeter-")
    unittest.addModuleCleanup(subprocess.run, ["rm", "-r", directory], check=True)
    for name, text in (("resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"),
                       ("nsswitch.conf", "hosts: files dns\n"), ("hosts", "127.0.0.1 localhost\n")):
        Path(directory, name).write_text(text, encoding="ascii")
        subprocess.run(["mount", "--bind", f"{directory}/{name}", Path("/etc", name).resolve()], check=True)
        unittest.addModuleCleanup(subprocess.run, ["umount", Path("/etc", name).resolve()], check=True)


class NeverWaitsForNames(unittest.TestCase):
    def begin(self, mode: str) -> None:
        """Two listeners: `named` leads to the name, `other` to an address."""
        self.names = self.enterContext(NameServer(mode))
        self.upstream = self.enterContext(FakeUpstream(honest_server))
        other = self.enterContext(FakeUpstream(honest_server))
        plain = {"allow_plaintext": True, "health_check": {"interval": "none"}}
        port = self.upstream.address[1]
        self.proxy = self.enterContext(Proxy(self.upstream, config={
            "listeners": [{"name": name, "bind": "imaps://127.0.0.1:0", "self_signed": True, "upstream": name}
                          for name in ("named", "other")],
            "upstreams": [{"name": "named", "servers": [f"imap://{NAME}:{port}"]} | plain,
                          {"name": "other", "servers": [other.url]} | plain]}))

    def refused_at_once(self) -> None:
        start = time.monotonic()
        with FakeClient(self.proxy.addresses["named"]) as client:
            self.assertRegex(client.read_all(), BYE)
            self.assertEqual(client.finish(), "close_notify+fin")
        self.assertLess(time.monotonic() - start, scaled(1))

    def others_are_served(self) -> None:
        for _ in range(CLIENTS):
            self.assertLess(well_behaved_session(self.proxy.addresses["other"]), scaled(1))

    def served(self) -> bool:
        with FakeClient(self.proxy.addresses["named"]) as client:
            return client.read_line().startswith(b"* OK")

    def closed(self, **labels: str) -> float:
        return at_rest(self.proxy).sum("imapmeter_sessions_closed_total", **labels)

    def test_A4_the_name_is_unknown_and_then_known(self):
        self.begin("unknown")
        self.refused_at_once()
        self.others_are_served()
        self.assertEqual(self.closed(listener="named", reason="upstream_dns", phase="connect"), 1)
        self.assertEqual(self.closed(listener="named"), 1)
        seen = self.proxy.scrape()
        self.assertEqual(seen.sum("imapmeter_upstream_connects_total", upstream="named", result="dns"), 1)
        self.assertTrue(self.proxy.log_lines("cannot be looked up"))
        self.names.mode = "answer"
        wait_until(self.served, 10, "the name to be known")

    def test_A4_the_name_server_is_silent(self):
        self.begin("silent")
        asked = self.names.asked
        self.refused_at_once()
        self.others_are_served()
        wait_until(lambda: self.names.asked > asked, 10, "a look-up beside the sessions")
        self.refused_at_once()
        self.others_are_served()
        self.assertEqual(self.closed(listener="named", reason="upstream_dns"), 2)
        self.assertEqual(self.closed(listener="other", reason="logout"), 2 * CLIENTS)

    def test_A4_the_last_good_address_stays(self):
        """A name is looked up again after 30 s; there is no way to hurry that."""
        self.begin("answer")
        wait_until(self.served, 10, "the name to be known")
        self.names.mode = "unknown"
        wait_until(lambda: self.proxy.log_lines("cannot be looked up", "last good addresses stay"), 40, "a failure")
        self.assertTrue(self.served())
        self.assertEqual(self.closed(reason="upstream_dns"), 0)


if __name__ == "__main__":
    unittest.main()
