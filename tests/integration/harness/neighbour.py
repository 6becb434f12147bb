"""Neighbour: a well-behaved session beside a hostile one, whose round trips say what the hostile one costs others."""

import os
import select
import time
from pathlib import Path

from .child import Child
from .client import FakeClient
from .timing import scaled
from .wire import Wire

P99 = 0.020  # seconds, of a NOOP and its answer
PAUSE_MS = 3


class Neighbour:
    """Takes over a session that is logged in, until stop(). `pid`: imapmeter."""

    def __init__(self, client: FakeClient, server: Wire, pid: int):
        self._child = Child(lambda stop: _talk(client, server, pid, stop),
                            (client.socket.fileno(), server.socket.fileno()))
        client.close()  # the child has them now
        server.close()

    def stop(self, what: str, judge: bool = True) -> None:
        """Ends the session, prints its figures, and requires the 99th percentile: of what imapmeter takes, without what
        the machine makes it and this test wait for a processor. A sanitizer's build is not to be judged."""
        trips = self._child.stop()
        whole = [seconds for seconds, _ in trips]
        own = [max(0.0, seconds - waited) for seconds, waited in trips]
        print(f"figure: {what}: a neighbour's NOOP takes {_figures(own)} ms, with the waits for a processor "
              f"{_figures(whole)} ms (p50, p99, max of {len(trips)})", flush=True)
        if judge and percentile(own, 0.99) >= scaled(P99):
            raise AssertionError(f"{what}: a neighbour's NOOP takes {percentile(own, 0.99) * 1000:.1f} ms (p99)")

    def kill(self) -> None:
        self._child.kill()


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[int((len(values) - 1) * share)]


def _figures(seconds: list[float]) -> str:
    return " ".join(f"{percentile(seconds, share) * 1000:.2f}" for share in (0.5, 0.99, 1))


class _Waits:
    """How long threads that could run have waited for a processor: schedstat of proc(5)."""

    def __init__(self, pid: int):
        threads = [Path("/proc/self"), *Path(f"/proc/{pid}/task").iterdir()]
        self._files = [os.open(thread / "schedstat", os.O_RDONLY) for thread in threads]

    def seconds(self) -> float:
        return sum(int(os.pread(file, 100, 0).split()[1]) for file in self._files) / 1e9


def _talk(client: FakeClient, server: Wire, pid: int, stop: int) -> list[tuple[float, float]]:
    """Of each round trip, its seconds and how many of them went by without a processor."""
    trips = []
    told = select.poll()
    told.register(stop)
    waits = _Waits(pid)
    while not trips or not told.poll(PAUSE_MS):
        waited, began = waits.seconds(), time.monotonic()
        _pass_on(client, server, b"n NOOP\r\n")
        _pass_on(server, client, b"n OK done\r\n")
        trips.append((time.monotonic() - began, waits.seconds() - waited))
    _pass_on(client, server, b"z LOGOUT\r\n")
    _pass_on(server, client, b"* BYE\r\nz OK\r\n")
    server.shutdown_write()
    client.close_clean()
    return trips


def _pass_on(sender: Wire, receiver: Wire, data: bytes) -> None:
    sender.send(data)
    receiver.expect(data)
