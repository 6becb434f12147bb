#!/usr/bin/env python3
"""D4, D5, D7: what the HTTP listeners show to whom, and that the relay does not need them."""

import ctypes
import os
import socket
import unittest

from harness import IntegrationCase, honest_server, scaled, wait_until, well_behaved_session

PRIVATE = ("/", "/chart.js", "/console/console.css", "/api/v1/status", "/api/v1/verdict", "/api/v1/history",
           "/api/v1/sessions", "/api/v1/events", "/api/v1/skeletons")
PUBLIC = ("/metrics", "/livez", "/readyz")
SCRAPES_PER_SECOND = 10
SYS_PIDFD_OPEN, SYS_PIDFD_GETFD = 434, 438


def borrow_fd(pid: int, number: int) -> int:
    """A copy of another process's descriptor. Takes root."""
    call = ctypes.CDLL(None, use_errno=True).syscall
    process = call(SYS_PIDFD_OPEN, pid, 0)
    copy = call(SYS_PIDFD_GETFD, process, number, 0)
    if process < 0 or copy < 0:
        raise OSError(ctypes.get_errno(), "pidfd_getfd; this test must be root")
    os.close(process)
    return copy


class KeepsAdminPrivate(IntegrationCase):
    def statuses(self, paths, address=()) -> set[int]:
        return {self.proxy.get(path, address=address)[0] for path in paths}

    def test_D7_on_loopback_all_pages(self):
        self.start()
        self.assertEqual(self.statuses(PRIVATE + PUBLIC), {200})
        self.assertFalse(self.proxy.log_lines("loopback"))
        self.check_invariants()

    def test_D7_exposed_by_mistake(self):
        """An address that others may reach has no more to show than --metrics, and the log warns."""
        for admin in ("0.0.0.0:0", "[::]:0"):
            with self.subTest(admin):
                self.start(admin=admin)
                self.assertEqual(self.statuses(PUBLIC), {200})
                self.assertEqual(self.statuses(PRIVATE), {404})
                self.assertEqual(len(self.proxy.log_lines("warn", "admin", "not loopback")), 1)
                self.check_invariants()

    def test_D4_more_scrapes_than_anyone_needs(self):
        """From one address on --metrics: 429 beyond ten in a second; --admin on loopback answers as often as asked."""
        self.start(arguments=("--metrics", "127.0.0.1:0"))
        answers = [self.proxy.get("/metrics", address=self.proxy.metrics)[0] for _ in range(5 * SCRAPES_PER_SECOND)]
        self.assertEqual(set(answers), {200, 429})
        self.assertEqual(answers[:SCRAPES_PER_SECOND], [200] * SCRAPES_PER_SECOND)
        self.assertEqual(self.proxy.get("/livez", address=self.proxy.metrics)[0], 200)
        self.assertEqual({self.proxy.get("/metrics")[0] for _ in range(5 * SCRAPES_PER_SECOND)}, {200})
        wait_until(lambda: self.proxy.get("/metrics", address=self.proxy.metrics)[0] == 200, 3, "a second later")
        self.check_invariants()

    def test_D5_the_admin_listener_dies(self):
        """Its socket stops listening while imapmeter runs: mail flows on, and nothing spins."""
        self.start()
        client, server = self.session()
        self.login(client, server)
        table = {}
        for number in self.proxy.process.fd_numbers():
            link = os.readlink(f"/proc/{self.proxy.pid}/fd/{number}")
            if link.startswith("socket:"):
                table[link] = number
        with open(f"/proc/{self.proxy.pid}/net/tcp", encoding="ascii") as lines:
            inode = next(fields[9] for fields in map(str.split, lines)
                         if fields[3] == "0A" and fields[1].endswith(f":{self.proxy.admin[1]:04X}"))
        listening = socket.socket(fileno=borrow_fd(self.proxy.pid, table[f"socket:[{inode}]"]))
        listening.shutdown(socket.SHUT_RDWR)
        with self.assertRaises(OSError):
            self.proxy.get("/livez")
        cpu = self.proxy.process.cpu_seconds()
        for _ in range(10):
            self.relay(client, server, b"n NOOP\r\n")
            self.relay(server, client, b"n OK done\r\n")
            client.expect_silence(0.1)
        self.assertLess(self.proxy.process.cpu_seconds() - cpu, scaled(0.1), "CPU while the admin listener is dead")
        server.shutdown_write()
        self.assertEqual(client.close_clean(), "close_notify+fin")
        self.upstream.script = honest_server
        well_behaved_session(self.proxy.address)
        listening.close()


if __name__ == "__main__":
    unittest.main()
