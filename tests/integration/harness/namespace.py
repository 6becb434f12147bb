"""A network of the test's own: drops and kernel limits that touch nobody else. Takes root."""

import ctypes
import os
import subprocess
from pathlib import Path

CLONE_NEWNET = 0x40000000


def enter_namespace() -> None:
    """A new network namespace with a loopback, for this process and its children to come; it goes with them."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        error = ctypes.get_errno()
        raise PermissionError(error, f"unshare(CLONE_NEWNET): {os.strerror(error)}; this test must be root")
    ip("link", "set", "lo", "up")


def ip(*arguments: str) -> None:
    """The command of iproute2."""
    subprocess.run(["ip", *arguments], check=True)


def set_ipv4(name: str, value: str) -> None:
    """A setting under net.ipv4 of this namespace."""
    Path("/proc/sys/net/ipv4", name).write_text(value, encoding="ascii")
