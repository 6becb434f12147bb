"""IntegrationCase: a test with one FakeUpstream and one Proxy, whose end checks the invariants."""

import contextlib
import sys
import threading
import unittest

from .client import FakeClient, well_behaved_session
from .exposition import Exposition
from .invariants import Baseline, check_invariants
from .neighbour import Neighbour
from .proxy import Proxy
from .upstream import FakeUpstream, honest_server
from .wire import Wire

GREETING = b"* OK ready\r\n"
LOCKSTEP_LIMIT = 4096


class IntegrationCase(unittest.TestCase):
    """start() begins a test, check_invariants() ends it, unless it has stopped the proxy itself."""

    upstream: FakeUpstream
    proxy: Proxy
    baseline: Baseline

    def start(self, upstream: FakeUpstream | None = None, **options) -> None:
        """`upstream` (a manual one by default) and a Proxy(upstream, **options) that has served one session."""
        self.upstream = self.enterContext(upstream or FakeUpstream())
        self.proxy = Proxy(self.upstream, **options)
        self.addCleanup(self.proxy.close)
        self.addCleanup(self.upstream.disconnect)  # a failed test leaves sessions open
        self.addCleanup(self._say_why)
        script, self.upstream.script = self.upstream.script, honest_server
        well_behaved_session(self.proxy.address, self.proxy.tls, prelude=self.proxy.prelude)
        self.baseline = Baseline.of(self.proxy)
        self.upstream.script = script

    def session(self, greeting: bytes = GREETING, **options) -> tuple[FakeClient, Wire]:
        """A client and its upstream connection, greeted."""
        client = self.enterContext(self.proxy.connect(**options))
        server = self.upstream.accept()
        if greeting:
            server.send(greeting)
            client.expect(greeting)
        return client, server

    def login(self, client: FakeClient, server: Wire) -> None:
        client.send(b"login LOGIN user secret\r\n")
        server.expect(b"login LOGIN user secret\r\n")
        self.relay(server, client, b"login OK logged in\r\n")

    @contextlib.contextmanager
    def neighbour(self):
        """Another session, in a process of its own, that goes on beside the block: its NOOPs are answered in less than
        20 ms (p99). With workers=1 it shares everything with the hostile one."""
        script, self.upstream.script = self.upstream.script, None
        client, server = self.session()
        self.login(client, server)
        self.upstream.script = script
        beside = Neighbour(client, server, self.proxy.pid)
        try:
            yield beside
        except BaseException:
            beside.kill()
            raise
        beside.stop(self._testMethodName, judge=not self.proxy.process.sanitized())

    def relay(self, sender: Wire, receiver: Wire, data: bytes, chunking: str = "whole") -> None:
        """Sends, and requires that exactly these octets arrive. A short script goes in lockstep, each chunk behind the
        arrival of the one before, so that imapmeter reads it cut in just this way."""
        start = receiver.received.octets
        if len(data) <= LOCKSTEP_LIMIT:
            sender.send(data, chunking, after_each=lambda octets: receiver.await_octets(start + octets))
            receiver.expect(data)
            return
        sending = threading.Thread(target=sender.send, args=(data, chunking))
        sending.start()
        got = receiver.recv_exact(len(data))
        sending.join()
        if got != data:
            at = next(i for i, (a, b) in enumerate(zip(got, data)) if a != b)
            self.fail(f"{chunking}: first wrong octet at {at}: {got[at:at + 20]!r} for {data[at:at + 20]!r}")

    def change(self, before: Exposition, name: str, **labels: str) -> int:
        """How far a sum has risen since `before`."""
        return int(self.proxy.scrape().sum(name, **labels) - before.sum(name, **labels))

    def check_invariants(self) -> None:
        check_invariants(self.proxy, self.baseline, self.upstream)

    def closed(self, reason: str, phase: str) -> int:
        return int(self.proxy.scrape().sum("imapmeter_sessions_closed_total", reason=reason, phase=phase))

    def _say_why(self) -> None:
        if not getattr(self._outcome, "success", True):
            print(f"--- the end of imapmeter's log ---\n{self.proxy.tail()}", file=sys.stderr)
