"""Unpacked: programs of a Debian package that cannot be installed here, because mail servers exclude each other.
cmake/install-packages.sh has unpacked it below build/; its processes see it laid over /usr, they alone. Takes root."""

import os
import signal
import subprocess
from pathlib import Path

from .timing import scaled

BUILD = Path(__file__).resolve().parents[3] / "build"


class Unpacked:
    """over: {"/etc": a directory that is laid over it}; instead: {"/run": a directory that takes its place}."""

    def __init__(self, name: str, over: dict[str, Path] | None = None, instead: dict[str, Path] | None = None):
        usr = BUILD / name / "usr"
        if not usr.is_dir():
            raise AssertionError(f"{usr} is missing: cmake/install-packages.sh test")
        mounts = [f"mount -t overlay overlay -o lowerdir='{upper}':'{place}' '{place}'"
                  for place, upper in {"/usr": usr, **(over or {})}.items()]
        # what a killed process leaves there would meet the next one with its small number
        mounts.append("mount -t tmpfs tmpfs /dev/shm")
        mounts += [f"mount --bind '{directory}' '{place}'" for place, directory in (instead or {}).items()]
        self._prefix = ["sh", "-c", " && ".join([*mounts, 'exec "$@"']), "sh"]
        self._server = None

    def run(self, *command: str, **options) -> str:
        """The output of a program that ends by itself."""
        done = subprocess.run(["unshare", "--mount", *self._prefix, *command], capture_output=True, text=True,
                              check=False, timeout=scaled(20), **options)
        if done.returncode != 0:
            raise AssertionError(f"{command}: {done.stdout}{done.stderr}")
        return done.stdout

    def start(self, *command: str, log: Path, **options) -> None:
        """A server, with process ids of its own: none of its processes can outlive stop()."""
        with log.open("w") as output:
            self._server = subprocess.Popen(
                ["unshare", "--mount", "--pid", "--fork", *self._prefix, *command],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, **options)

    def running(self) -> bool:
        return self._server.poll() is None

    def processes(self, program: str) -> list[int]:
        """Those of the server that run the program (a path), as the test sees them."""
        found, todo = [], [self._server.pid]
        while todo:
            pid = todo.pop()
            try:
                todo += children(pid)
                if os.readlink(f"/proc/{pid}/exe") == program:
                    found.append(pid)
            except (FileNotFoundError, ProcessLookupError):
                pass  # ended meanwhile
        return found

    def stop(self) -> None:
        """At once: the kernel ends all processes with the first."""
        if self._server is not None:
            for first in children(self._server.pid):
                os.kill(first, signal.SIGKILL)
            self._server.wait()
            self._server = None


def children(pid: int) -> list[int]:
    """None where there is no such process."""
    try:
        return [int(child) for task in Path(f"/proc/{pid}/task").iterdir()
                for child in (task / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
