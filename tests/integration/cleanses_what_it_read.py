#!/usr/bin/env python3
"""E3: a password that has gone through is nowhere in imapmeter's memory any more."""

import re
import threading
import unittest

from harness import Certificates, FakeUpstream, IntegrationCase, wait_until
from harness.canary import Canary


def memory_with(pid: int, octets: bytes) -> list[str]:
    """Which of the process's writable mappings hold them, and where. Takes root."""
    found = []
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            begin, end, mode, name = re.match(r"(\w+)-(\w+) (\S+) \S+ \S+ \S+ *(.*)", line).groups()
            if "w" not in mode or name in ("[vvar]", "[vsyscall]"):
                continue
            memory.seek(int(begin, 16))
            try:
                image = memory.read(int(end, 16) - int(begin, 16))
            except OSError:
                continue
            at = image.find(octets)
            while at >= 0:
                found.append(f"{name or 'anonymous'}: {image[max(0, at - 40):at + len(octets) + 20]!r}")
                at = image.find(octets, at + 1)
    return found


class CleansesWhatItRead(IntegrationCase):
    def logged_in_without_trace(self, command: bytes = b"a LOGIN user %s\r\n") -> None:
        canary = Canary().word
        client, server = self.session()
        self.relay(client, server, b"x" * 2000 + command % canary)
        wait_until(lambda: not memory_with(self.proxy.pid, canary), 1, "the password is gone")
        self.relay(server, client, b"a OK in\r\n")
        server.shutdown_write()
        client.close_clean()
        self.assertEqual(memory_with(self.proxy.pid, canary), [])

    def test_E3_tls_on_both_sides(self):
        with Certificates() as certificates:
            self.start(FakeUpstream(tls=certificates.server_context()), upstream_ca=certificates.ca)
            self.logged_in_without_trace()
            self.check_invariants()

    def test_E3_tls_to_plaintext(self):
        self.start()
        self.logged_in_without_trace()
        self.logged_in_without_trace(b"a AUTHENTICATE PLAIN %s\r\n")
        self.logged_in_without_trace(b"a LOGIN user {30+}\r\n%s\r\n")
        self.check_invariants()

    def test_E3_plaintext(self):
        self.start(tls=False)
        self.logged_in_without_trace()
        self.check_invariants()

    def test_E3_what_waited_to_be_sent(self):
        """The upstream does not read at first: what it does not take waits in a block of imapmeter's own."""
        self.start(FakeUpstream(receive_buffer=4096), tls=False)
        canary = Canary().word
        flood = (b"x" * 500 + canary + b"\r\n") * 20000
        client, server = self.session(send_buffer=65536)
        sending = threading.Thread(target=client.send, args=(flood,))
        sending.start()
        wait_until(lambda: memory_with(self.proxy.pid, canary), what="a block that waits")
        self.assertEqual(server.recv_exact(len(flood)), flood)
        sending.join()
        wait_until(lambda: not memory_with(self.proxy.pid, canary), 1, "the passwords are gone")
        server.shutdown_write()
        client.close_clean()
        self.check_invariants()


if __name__ == "__main__":
    unittest.main()
