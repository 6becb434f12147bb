"""A network and mounts of the test's own: drops, limits and full disks that touch nobody else. Takes root."""

import contextlib
import ctypes
import os
import subprocess
import tempfile
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000


def _unshare(flag: int) -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(flag) != 0:
        error = ctypes.get_errno()
        raise PermissionError(error, f"unshare({flag:#x}): {os.strerror(error)}; this test must be root")


def enter_namespace() -> None:
    """A new network namespace with a loopback, for this process and its children to come; it goes with them."""
    _unshare(CLONE_NEWNET)
    ip("link", "set", "lo", "up")


def enter_mounts() -> None:
    """What is mounted from here on is seen by this process and its children alone."""
    _unshare(CLONE_NEWNS)
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)


@contextlib.contextmanager
def mount_tmpfs(size: int):
    """A directory with room for `size` octets, seen by this process and its children alone."""
    enter_mounts()
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", directory], check=True)
        try:
            yield directory
        finally:
            subprocess.run(["umount", "--lazy", directory], check=True)


def ip(*arguments: str) -> None:
    """The command of iproute2."""
    subprocess.run(["ip", *arguments], check=True)


def set_ipv4(name: str, value: str) -> None:
    """A setting under net.ipv4 of this namespace."""
    Path("/proc/sys/net/ipv4", name).write_text(value, encoding="ascii")


def unacknowledged(port: int, peer: int) -> int:
    """Octets that the IPv4 socket at `port` has sent, or is to send, to the one at `peer`, and that are not acknowledged."""
    ends = [f":{number:04X}" for number in (port, peer)]
    for line in Path("/proc/self/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        _, local, remote, _, queues, *_ = line.split()
        if local.endswith(ends[0]) and remote.endswith(ends[1]):
            return int(queues.split(":")[0], 16)
    raise AssertionError(f"no socket at port {port} with a peer at {peer}")


def drop_packets(*ports: int) -> None:
    """From here on nothing from or to these TCP ports arrives."""
    ports_set = "{ " + ", ".join(map(str, ports)) + " }"
    rules = (f"table inet vanished {{ chain input {{ type filter hook input priority 0; "
             f"tcp sport {ports_set} drop; tcp dport {ports_set} drop; }}; }}\n")
    subprocess.run(["nft", "--file", "-"], input=rules, text=True, check=True)
