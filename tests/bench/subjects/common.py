"""What all subjects share: where they stand, how they listen, and what a missing one is called."""

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from processes import BenchError, Process

HANDSHAKES = ("handshake-full", "handshake-resumed")
# Connections that a subject must be able to hold, both sides of each session counted.
DESCRIPTORS = 32768
TIMEOUT = "31m"  # longer than any run, as RFC 9051 wants it
NO_TLS_UPSTREAM = "has no TLS towards the server in the packaged version"


@dataclass
class Upstream:
    port: int
    tls: bool
    cpu: int  # the server's


@dataclass
class Running:
    process: Process
    port: int
    admin: str | None = None     # host:port of imapmeter's metrics
    greeting: str | None = None  # where the subject has its own and logs in to the server in its own words


class Subject:
    name: str
    version: str
    workers = 1

    def omits(self, setup: str, workload: str) -> str | None:
        """Why a row is left out; None where it is measured."""
        return None


def program(name: str) -> str:
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not found:
        raise BenchError(f"{name} is missing: cmake/install-packages.sh bench installs it")
    return found


def text_of(argv: list[str]) -> str:
    """What a program says of itself, wherever it says it."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.stdout.strip()


@contextmanager
def listening_socket():
    """A listening socket on a free port, for programs that take one but cannot say which port they chose."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen(4096)
        yield listener


def free_port() -> int:
    """For programs that only take a number."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def configured(name: str, text: str, port: int, cpu: int, scratch: Path, command):
    """A program whose configuration is `text`; `command` makes its command line from the file that holds it."""
    file = scratch / f"{name}.conf"
    file.write_text(text)
    with Process(name, command(file), cpu, scratch) as process:
        await_listening(process, port)
        yield process


def await_listening(process: Process, port: int, seconds: float = 10.0) -> None:
    """Reads it from the kernel: a connection to find out would be a session more than the client counts."""
    wanted = f"0100007F:{port:04X} 00000000:0000 0A"
    deadline = time.monotonic() + seconds
    while wanted not in Path("/proc/net/tcp").read_text():
        process.must_live()
        if time.monotonic() > deadline:
            raise BenchError(f"{process.name} does not listen after {seconds:.0f} s")
        with suppress(subprocess.TimeoutExpired):
            process.popen.wait(0.01)  # its end is worth knowing at once
