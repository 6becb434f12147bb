"""Processes of a benchmark run: started on one CPU, watched, and always stopped."""

import os
import selectors
import signal
import subprocess
import time
from pathlib import Path


class BenchError(Exception):
    """The run is void; its text is the sentence that is printed."""


def tail(path: Path, lines: int = 5) -> str:
    text = path.read_text(errors="replace").strip().splitlines()[-lines:] if path.exists() else []
    return " | ".join(text) or "nothing on stderr"


def on_cpu(cpu: int, policy: int):
    """What a child does before it becomes another program: it stays on `cpu`, scheduled by `policy`."""
    def place() -> None:
        os.sched_setaffinity(0, {cpu})
        os.sched_setscheduler(0, policy, os.sched_param(0))
    return place


class Process:
    """A long-running process, pinned to `cpu`. Its stderr goes to a file in `scratch`."""

    def __init__(self, name: str, argv: list[str], cpu: int, scratch: Path, pass_fds: tuple[int, ...] = (),
                 policy: int = os.SCHED_OTHER):
        self.name = name
        self.stderr = scratch / f"{name}.stderr"
        self.unread = b""
        with self.stderr.open("wb") as errors:
            self.popen = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
                                          pass_fds=pass_fds, preexec_fn=on_cpu(cpu, policy))
        self.pid = self.popen.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def read_line(self, seconds: float) -> str:
        """The next line of stdout."""
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self.popen.stdout, selectors.EVENT_READ)
            while b"\n" not in self.unread:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise BenchError(f"{self.name} said nothing within {seconds:.0f} s: {tail(self.stderr)}")
                octets = os.read(self.popen.stdout.fileno(), 65536)
                if not octets:
                    raise BenchError(f"{self.name} ended early: {tail(self.stderr)}")
                self.unread += octets
        line, self.unread = self.unread.split(b"\n", 1)
        return line.decode()

    def must_live(self) -> None:
        if self.popen.poll() is not None:
            raise BenchError(f"{self.name} ended with status {self.popen.returncode}: {tail(self.stderr)}")

    def stop(self, seconds: float = 10.0) -> None:
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
            try:
                self.popen.wait(seconds)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
        self.popen.stdout.close()


def output_of(argv: list[str], **more) -> str:
    """stdout of a short command; a failure voids the run."""
    try:
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, **more)
    except OSError as error:
        raise BenchError(f"cannot run {Path(argv[0]).name}: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"{Path(argv[0]).name} did not end within {error.timeout:.0f} s") from error
    if done.returncode != 0:
        raise BenchError(f"{Path(argv[0]).name} failed: {(done.stderr or done.stdout).strip()[-400:]}")
    return done.stdout
