"""The invariants of the fault catalogue (I4 to I8) that hold after every test, whatever the test did."""

import itertools
from dataclasses import dataclass

from .client import PASSWORD, well_behaved_session
from .exposition import Exposition
from .proxy import Proxy
from .timing import scaled, wait_until
from .upstream import FakeUpstream, honest_server

MIB = 1 << 20
RSS_ALLOWANCE = 16 * MIB
REASONS = frozenset("""
    logout upstream_bye client_eof client_reset client_timeout client_tls_error client_certificate client_alpn
    client_handshake_timeout not_tls client_stall proxy_protocol pre_tls_limit preauth_timeout idle_timeout
    upstream_unavailable upstream_dns upstream_refused upstream_connect_timeout upstream_tls_error
    upstream_cert_invalid upstream_greeting_timeout upstream_eof upstream_reset upstream_timeout upstream_stall
    source_ports starttls_injection starttls_stripped starttls_refused starttls_preauth plaintext_refused limit_global
    limit_per_ip limit_per_upstream limit_handshakes limit_rate limit_memory fd_exhausted listener_removed drain
    drain_forced internal""".split())
PHASES = frozenset("handshake connect greeting login authenticated".split())


@dataclass
class Baseline:
    """Of a proxy at rest that has served a session before."""
    fds: int
    threads: int
    rss: int
    series: int

    @classmethod
    def of(cls, proxy: Proxy) -> "Baseline":
        series = at_rest(proxy).series
        fds, polls = proxy.process.fds(), itertools.count()
        # the scrape's own connection may still be closing
        wait_until(lambda: proxy.process.fds() < fds or next(polls) > 20, 5)
        return cls(proxy.process.fds(), proxy.process.threads(), proxy.process.rss(), series)


def at_rest(proxy: Proxy, timeout: float = 10.0) -> Exposition:
    """Waits until every accepted connection is closed; the scrape that shows it."""
    last = None

    def quiet():
        nonlocal last
        last = proxy.scrape()
        return (last.sum("imapmeter_sessions") == 0
                and last.sum("imapmeter_sessions_accepted_total") == last.sum("imapmeter_sessions_closed_total"))

    try:
        wait_until(quiet, timeout, "every session closed")
    except AssertionError as error:
        raise AssertionError(f"{error}: accepted {last.sum('imapmeter_sessions_accepted_total')}, "
                             f"closed {last.by('imapmeter_sessions_closed_total', 'reason')}, "
                             f"open {last.by('imapmeter_sessions', 'state')}") from None
    return last


def check_invariants(proxy: Proxy, baseline: Baseline, upstream: FakeUpstream | None = None) -> None:
    """I4 to I8; I1 is the test's, which knows the octets. `upstream` becomes an honest server for I7."""
    check_conservation(at_rest(proxy))
    check_alive(proxy, upstream)
    check_no_leak(proxy, baseline)
    check_no_secret(proxy)


def check_conservation(metrics: Exposition) -> None:
    """I5, on a scrape of a proxy at rest."""
    started = metrics.sum("imapmeter_commands_started_total")
    ended = metrics.by("imapmeter_commands_total", "result")
    in_flight = metrics.sum("imapmeter_commands_in_flight")
    _require(started == sum(ended.values()) + in_flight, f"commands: {started} started, {ended} ended, {in_flight}")
    _require(in_flight == 0, f"{in_flight} commands in flight without a session")
    of_servers = metrics.by("imapmeter_server_responses_total", "status")
    of_listeners = metrics.by("imapmeter_responses_total", "status")
    _require(of_servers == of_listeners, f"responses: {of_servers} of the servers, {of_listeners} of the listeners")
    first = metrics.sum("imapmeter_server_first_response_seconds_count")
    idle = metrics.sum("imapmeter_commands_total", command="IDLE")
    _require(first <= started - idle, f"{first} first responses to {started - idle} commands")
    for (_, labels), value in metrics.families["imapmeter_sessions_closed_total"].samples.items():
        have = dict(labels)
        _require(have["reason"] in REASONS and have["phase"] in PHASES, f"unknown reason or phase: {have}")
        _require(not value or have["reason"] != "internal", f"{value} sessions closed as internal")
    blocked = metrics.by("imapmeter_blocked_sessions", "side")
    _require(not blocked, f"sessions blocked at rest: {blocked}")
    upstream_sessions = metrics.sum("imapmeter_upstream_sessions")
    _require(upstream_sessions == 0, f"{upstream_sessions} upstream sessions at rest")


def check_alive(proxy: Proxy, upstream: FakeUpstream | None) -> None:
    """I7."""
    if upstream is not None:
        upstream.script = honest_server
    seconds = well_behaved_session(proxy.address, proxy.tls, prelude=proxy.prelude)
    _require(seconds < scaled(1), f"a well-behaved session took {seconds:.2f} s")


def check_no_leak(proxy: Proxy, baseline: Baseline) -> None:
    """I4, I6 and I8."""
    metrics = at_rest(proxy)
    process = proxy.process
    wait_until(lambda: process.fds() <= baseline.fds, 5, f"fds back to {baseline.fds}, they are {process.fds()}")
    _require(process.threads() <= baseline.threads, f"{process.threads()} threads, {baseline.threads} before")
    # imapmeter looks once a second whether there is memory to give back
    wait_until(lambda: process.sanitized() or process.rss() - baseline.rss <= RSS_ALLOWANCE, 3,
               f"resident memory back to {baseline.rss / MIB:.1f} + {RSS_ALLOWANCE / MIB:.0f} MiB")
    _require(metrics.series >= baseline.series, f"{baseline.series - metrics.series} series vanished")


def check_no_secret(proxy: Proxy) -> None:
    """I6, the canary: the password of the well-behaved session."""
    _require(not proxy.log_lines(PASSWORD) and not any(PASSWORD in line for line in proxy.stdout), "canary in the log")
    _require(PASSWORD.encode() not in proxy.get("/metrics")[2], "canary in the metrics")
    _require(not proxy.process.secrets_in_sight(PASSWORD), "canary in argv or environment")


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise AssertionError(what)
