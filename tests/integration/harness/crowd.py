"""Crowd: thousands of sessions, both ends (tests/bench: hold_sessions and bench_server)."""

import os
import subprocess
from pathlib import Path

from .certificates import Certificates
from .proxy import Proxy
from .timing import scaled


def _program(name: str) -> Path:
    directory = os.environ.get("IMAPMETER_BENCH_DIR")
    if not directory:
        raise AssertionError("IMAPMETER_BENCH_DIR names no directory")
    return Path(directory) / name


class CrowdServer:
    """Answers any number of sessions; `url` is its TLS port."""

    def __init__(self, certificates: Certificates):
        self._child = subprocess.Popen(
            [_program("bench_server"), "--cert", certificates.cert, "--key", certificates.key],
            stdout=subprocess.PIPE, text=True)
        words = dict(word.partition("=")[::2] for word in self._child.stdout.readline().split())
        self.url = f"imaps://127.0.0.1:{words['tls']}"

    def close(self) -> None:
        self._child.terminate()
        self._child.communicate()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Crowd:
    """Clients of one process. Whatever is not as it should be raises."""

    def __init__(self, proxy: Proxy):
        self._child = subprocess.Popen([_program("hold_sessions"), "--port", str(proxy.address[1])],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def open(self, count: int) -> None:
        """Sessions that stay in IDLE."""
        self._ask(f"open {count}")

    def close_all(self) -> int:
        """In order; how many they were."""
        return self._ask("close")[0]

    def churn(self, count: int, concurrency: int) -> int:
        """Short sessions from 16 addresses; how many of their handshakes were resumed."""
        return self._ask(f"churn {count} {concurrency}")[1]

    def close(self) -> None:
        self._child.kill()
        self._child.communicate()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _ask(self, line: str) -> list[int]:
        self._child.stdin.write(line + "\n")
        self._child.stdin.flush()
        answer = self._child.stdout.readline().split()
        if not answer or answer[0] != "done":
            self._child.wait(scaled(5))
            raise AssertionError(f"{line}: {self._child.stderr.read()}")
        return [int(word) for word in answer[1:]]
