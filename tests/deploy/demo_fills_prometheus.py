#!/usr/bin/env python3
"""The demo shows what it promises, every query of the dashboards finds data, the rules are sound, nothing is left."""
import contextlib
import ctypes
import io
import os
import pathlib
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import unittest
import unittest.mock

from boards import expressions, without_variables
from support import DEPLOY, FACTOR, MEMBERS, MEMBERS_QUERY, binary
from demo import choose_ports
from processes import free_port, wait_until
from prometheus import Prometheus

MUST_BE_SEEN = ("OK NO BAD CAPABILITY PERMANENT_FLAGS UID_NEXT UID_VALIDITY READ_WRITE TRY_CREATE BYE "
                "UNSOLICITED").split()
# Without an incident no series has these; demo_incident.py looks for them.
ONLY_IN_TROUBLE = ('result="aborted"', 'kind="login_failed"')
PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans():
    """Whatever the demo leaves running becomes a child of this process, so that none can hide."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def children():
    """{pid: name} of the live processes that have been left to this one; the dead ones are buried."""
    left = {}
    for name in os.listdir("/proc"):
        try:
            status = pathlib.Path("/proc", name, "stat").read_text() if name.isdigit() else ""
        except OSError:
            continue
        _, _, fields = status.rpartition(")")
        if status and int(fields.split()[1]) == os.getpid():
            if fields.split()[0] == "Z":
                os.waitpid(int(name), 0)
            else:
                left[int(name)] = status.partition("(")[2].rpartition(")")[0]
    return left


class Demo:
    """A run of it; what it prints is in `text`. Scratch files go where this test can see them."""

    def __init__(self, *arguments, terminal=False, imapmeter=None):
        imapmeter = imapmeter or binary()
        self.scratch = tempfile.mkdtemp(prefix="imapmeter-test-")
        self.text = ""
        self.deaf = False  # True: its next words break its pipe
        ours, theirs = pty.openpty() if terminal else os.pipe()
        self.keyboard = ours
        command = [sys.executable, DEPLOY / "demo" / "demo.py", "--free-ports", "--imapmeter", imapmeter, *arguments]
        self.process = subprocess.Popen(command, stdin=theirs if terminal else subprocess.DEVNULL, stdout=theirs,
                                        stderr=theirs, start_new_session=True, preexec_fn=self._own if terminal else
                                        None, env=dict(os.environ, TMPDIR=self.scratch, TERM="xterm"))
        os.close(theirs)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @staticmethod
    def _own():
        """The terminal becomes the session's own, so that its Ctrl-C is a SIGINT to the whole foreground."""
        ctypes.CDLL(None).ioctl(0, 0x540E, 0)  # TIOCSCTTY

    def _read(self):
        while True:
            try:
                octets = os.read(self.keyboard, 65536)
            except OSError:  # a terminal whose other side is closed
                return
            if not octets:
                return
            if self.deaf:
                os.close(self.keyboard)
                return
            self.text += octets.decode("utf-8", "replace")

    def wait_for(self, pattern, seconds=60):
        """The match, once it has been printed."""
        wait_until(lambda: re.search(pattern, self.text) or self.process.poll() is not None, seconds * FACTOR, pattern)
        found = re.search(pattern, self.text)
        if not found:
            raise AssertionError(f"the demo has ended without {pattern}:\n{self.text}")
        return found

    def end(self):
        """Its exit status, when it has ended and all its words are read."""
        status = self.process.wait(30 * FACTOR)
        self._reader.join(5)
        return status

    def close(self):
        """After a test that has failed in the middle."""
        if self.process.poll() is None:
            self.process.terminate()
            self.end()
        shutil.rmtree(self.scratch, ignore_errors=True)


class DemoCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        adopt_orphans()

    def demo(self, *arguments, **options):
        demo = Demo(*arguments, **options)
        self.addCleanup(demo.close)
        return demo

    def assert_nothing_is_left(self, demo):
        left = children()
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        self.assertEqual(left, {})
        self.assertEqual(os.listdir(demo.scratch), [])


class DemoTest(DemoCase):
    def test_prometheus_fills_and_nothing_is_left(self):
        demo = self.demo()
        address = demo.wait_for(r"Prometheus +http://127\.0\.0\.1:(\d+)")[1]
        prometheus = Prometheus(demo.scratch, "", address)
        self.every_member_is_there(prometheus)
        for title, expression in expressions():
            if any(result in expression for result in ONLY_IN_TROUBLE):
                continue
            with self.subTest(title):
                self.has_data(prometheus, without_variables(expression))
        self.every_rule_is_sound(prometheus)
        demo.wait_for(r"responses OK=[1-9]\d* NO=[1-9]\d* BAD=[1-9]\d* PREAUTH=0 BYE=[1-9]\d* .*codes \w+\[\w")
        self.assertNotIn("clients were surprised", demo.text)
        demo.process.send_signal(signal.SIGINT)
        self.assertEqual(demo.end(), 0, demo.text)
        self.assert_nothing_is_left(demo)

    def every_member_is_there(self, prometheus):
        def counts():
            return {labels["status_code"]: value for labels, value in prometheus.query(MEMBERS_QUERY)}
        wait_until(counts, 20 * FACTOR, "the first scrape")
        self.assertEqual(sorted(counts()), sorted(MEMBERS))
        wait_until(lambda: all(counts()[member] for member in MUST_BE_SEEN), 60 * FACTOR, f"all of {MUST_BE_SEEN}")

    def has_data(self, prometheus, expression):
        def numbers():
            return [value for _, value in prometheus.query(expression) if value == value]
        wait_until(numbers, 30 * FACTOR, f"data for {expression}")

    def every_rule_is_sound(self, prometheus):
        rules = (DEPLOY / "prometheus" / "rules.yml").read_text()
        names = re.findall(r"^ +- (?:alert|record): (\S+)", rules, re.MULTILINE)
        wait_until(lambda: all(rule["health"] != "unknown" for rule in prometheus.rules()), 20 * FACTOR, "the rules")
        self.assertEqual(sorted(rule["name"] for rule in prometheus.rules()), sorted(names))
        for rule in prometheus.rules():
            self.assertEqual(rule["health"], "ok", rule)

    def test_on_a_terminal_it_redraws_until_control_c(self):
        demo = self.demo(terminal=True)
        demo.wait_for(r"\x1b\[\d+A\x1b\[2K +verdict +\w")
        demo.wait_for(r"responses +total +per second")
        demo.wait_for(r"OK +[1-9]\d* +\d+\.\d\d")
        os.write(demo.keyboard, b"\x03")
        self.assertEqual(demo.end(), 0, demo.text)
        self.assertIn("nothing is left behind", demo.text)
        self.assert_nothing_is_left(demo)

    def test_ended_while_it_starts_it_leaves_nothing(self):
        demo = self.demo()
        demo.wait_for("starting")
        demo.process.send_signal(signal.SIGTERM)
        self.assertEqual(demo.end(), 0, demo.text)
        self.assert_nothing_is_left(demo)

    def test_a_part_that_does_not_start_is_named_and_nothing_is_left(self):
        broken = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()), "imapmeter")
        broken.write_text("#!/bin/sh\necho 'out of order' >&2\nexit 3\n")
        broken.chmod(0o755)
        demo = self.demo(imapmeter=broken)
        self.assertEqual(demo.end(), 1)
        self.assertIn("imapmeter did not start: out of order", demo.text)
        self.assert_nothing_is_left(demo)

    def test_what_is_not_there_is_said_before_anything_starts(self):
        demo = self.demo(imapmeter="/nonexistent/imapmeter")
        self.assertEqual(demo.end(), 1)
        self.assertIn("/nonexistent/imapmeter is not there", demo.text)
        self.assertNotIn("starting", demo.text)
        self.assert_nothing_is_left(demo)

    def test_when_nobody_reads_its_words_it_ends_and_nothing_is_left(self):
        demo = self.demo()
        demo.wait_for("Ctrl-C ends it all")
        demo.deaf = True
        demo.end()
        self.assert_nothing_is_left(demo)

    def test_a_busy_port_is_left_to_its_owner(self):
        with socket.create_server(("127.0.0.1", 0)) as owner:
            busy, idle = owner.getsockname()[1], free_port()
            with unittest.mock.patch.dict("demo.PORTS", {"imaps": busy, "admin": idle}):
                said = io.StringIO()
                with contextlib.redirect_stdout(said):
                    ports = choose_ports(free_ones=False)
        self.assertNotEqual(ports["imaps"], busy)
        self.assertEqual(ports["admin"], idle)
        self.assertIn(f"port {busy} is in use; taking {ports['imaps']} for imaps", said.getvalue())

    def test_it_ends_by_itself_when_told_to(self):
        demo = self.demo("--for", "1")
        self.assertEqual(demo.end(), 0, demo.text)
        self.assert_nothing_is_left(demo)


if __name__ == "__main__":
    unittest.main()
