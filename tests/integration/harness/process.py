"""A child process as /proc sees it."""

import os
import time
from pathlib import Path


def tcp_queues(local_port: int, remote_port: int) -> tuple[int, int]:
    """Octets in the kernel for one end of an IPv4 connection: sent and not acknowledged, received and not read."""
    with open("/proc/self/net/tcp", encoding="ascii") as table:
        for fields in (line.split() for line in table):
            if fields[1].endswith(f":{local_port:04X}") and fields[2].endswith(f":{remote_port:04X}"):
                unacknowledged, unread = fields[4].split(":")
                return int(unacknowledged, 16), int(unread, 16)
    raise KeyError((local_port, remote_port))


class Process:
    """Reads of a live process; each raises FileNotFoundError or ProcessLookupError once it is gone."""

    def __init__(self, pid: int):
        self.pid = pid
        self._proc = Path(f"/proc/{pid}")

    def fds(self) -> int:
        return len(self.fd_numbers())

    def fd_numbers(self) -> set[int]:
        return {int(name) for name in os.listdir(self._proc / "fd")}

    def threads(self) -> int:
        return int(self._status("Threads"))

    def rss(self) -> int:
        """Octets resident."""
        return int(self._status("VmRSS").split()[0]) * 1024

    def address_space(self) -> int:
        """Octets mapped, touched or not."""
        return int(self._status("VmSize").split()[0]) * 1024

    def peak_rss(self) -> int:
        """The most octets that ever were resident."""
        return int(self._status("VmHWM").split()[0]) * 1024

    def cpu_seconds(self) -> float:
        """User and system, all threads, by the process's own clock: clock_getcpuclockid(3)."""
        return time.clock_gettime(~self.pid << 3 | 2)

    def sanitized(self) -> bool:
        """Built with a sanitizer (which reserves terabytes of addresses): its resident size says nothing about us."""
        return int(self._status("VmSize").split()[0]) > 1 << 30  # KiB

    def secrets_in_sight(self, secret: str) -> list[str]:
        """Which of its world-readable descriptions contain `secret`."""
        return [name for name in ("cmdline", "environ") if secret.encode() in (self._proc / name).read_bytes()]

    def _status(self, key: str) -> str:
        for line in (self._proc / "status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith(key + ":"):
                return line.split(":", 1)[1].strip()
        raise KeyError(key)
