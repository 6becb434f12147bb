"""Child processes that leave nothing behind, and the small waits around them."""
import os
import pathlib
import signal
import socket
import subprocess
import time


def free_port():
    """A TCP port of 127.0.0.1 that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def wait_until(condition, seconds, what):
    """The first true value of condition(); TimeoutError after `seconds`, naming `what` was awaited."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.02)
    return value


class Child:
    """A process in a session of its own, so that a terminal's Ctrl-C reaches only whoever has to stop it."""

    def __init__(self, arguments, **options):
        self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, start_new_session=True, **options)
        self.pid = self.process.pid

    def running(self):
        return self.process.poll() is None

    def wait_ready(self, condition, seconds, what):
        """True once condition() holds, False if the process ends before; TimeoutError when it has been stopped."""
        try:
            wait_until(lambda: not self.running() or condition(), seconds, what)
        except BaseException:
            self.stop()
            raise
        return self.running()

    def signal(self, number):
        """Sends it to the process and to all that it has started."""
        os.killpg(self.pid, number)

    def stop(self, seconds=10):
        """Ends the process by SIGTERM, then all that it has started; by SIGKILL what takes longer than `seconds`."""
        if self.running():
            self.process.terminate()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            pass
        for number in (signal.SIGTERM, signal.SIGKILL):
            if not group_lives(self.pid):
                break
            try:
                os.killpg(self.pid, number)
                wait_until(lambda: not group_lives(self.pid), 2, "the group to end")
            except (ProcessLookupError, TimeoutError):
                continue
        return self.process.wait()


def group_lives(group):
    """Whether a process of it still runs; the dead that init has yet to bury do not count."""
    for status in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, member_of = status.read_text(errors="replace").rpartition(")")[2].split()[:3]
        except (OSError, ValueError):  # ended meanwhile
            continue
        if int(member_of) == group and state not in "ZX":
            return True
    return False
