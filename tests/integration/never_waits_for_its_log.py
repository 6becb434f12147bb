#!/usr/bin/env python3
"""C11, C12: whatever becomes of the log, a full disk, a pipe that nobody reads, a reader that is gone, or no log at
all: sessions go on, and the process ends when it is told to."""

import os
import signal
import socket
import time
import unittest

from harness import IntegrationCase, scaled
from harness.namespace import mount_tmpfs

SESSIONS = 20
END = 6.0  # seconds: 3 for a log that hangs


class NeverWaitsForItsLog(IntegrationCase):
    log_file = ""

    def flows(self, **options) -> None:
        """Sessions and events that are logged, then the end."""
        self.start(log_level="trace", **options)
        self.log_file = os.readlink(f"/proc/{self.proxy.pid}/fd/2")
        client, server = self.session()
        self.login(client, server)
        slowest = 0.0
        for _ in range(SESSIONS):
            self.make_log_lines()
            began = time.monotonic()
            self.relay(client, server, b"n NOOP\r\n")
            self.relay(server, client, b"n OK done\r\n")
            slowest = max(slowest, time.monotonic() - began)
        self.assertLess(slowest, scaled(0.5), "a command")
        self.assertGreater(self.proxy.scrape().sum("imapmeter_log_lines_dropped_total"), 0)
        server.shutdown_write()
        self.assertEqual(client.close_clean(), "close_notify+fin")
        self.check_invariants()
        began = time.monotonic()
        self.proxy.terminate()
        self.assertEqual(self.proxy.wait(), 0)
        self.assertLess(time.monotonic() - began, scaled(END))

    def make_log_lines(self) -> None:
        os.kill(self.proxy.pid, signal.SIGHUP)
        with self.proxy.connect(tls=False) as client:
            client.send(b"a1 LOGIN user secret\r\n")
            client.read_all()

    def test_C11_full_device(self):
        with open("/dev/full", "wb") as full:
            self.flows(stderr=full.fileno())

    def test_C11_full_disk(self):
        with mount_tmpfs(size=65536) as directory, open(f"{directory}/log", "ab", buffering=0) as log:
            with self.assertRaises(OSError):
                while True:
                    log.write(bytes(4096))
            self.flows(stderr=log.fileno())

    def test_C11_pipe_that_nobody_reads(self):
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        with self.assertRaises(BlockingIOError):
            while True:
                os.write(writer, bytes(4096))
        os.set_blocking(writer, True)
        try:
            self.flows(stderr=writer)
        finally:
            os.close(reader)
            os.close(writer)

    def test_C11_pipe_whose_reader_is_gone(self):
        reader, writer = os.pipe()
        os.close(reader)
        try:
            self.flows(stderr=writer)
        finally:
            os.close(writer)

    def test_C11_closed(self):
        """The number 2 must not become a peer's socket."""
        self.flows(prefix=("bash", "-c", 'exec "$@" 2>&-', "bash"))
        self.assertEqual(self.log_file, "/dev/null")

    def test_C12_socket_whose_reader_is_gone(self):
        """journald is one end of a unix socket."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            ours.close()
            self.flows(stderr=theirs.fileno())


if __name__ == "__main__":
    unittest.main()
