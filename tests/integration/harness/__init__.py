"""What the integration tests share: fake peers whose every octet and close is scripted, the real binary as a process,
a strict reader of its metrics, and the invariants that hold after every test.

    upstream = FakeUpstream()                      # manual: accept() hands out connections
    with upstream, Proxy(upstream) as proxy:
        client = proxy.connect()                   # TLS, verified against nothing (the certificate is self-signed)
        server = upstream.accept()
        server.send(b"* OK ready\\r\\n")
        client.expect(b"* OK ready\\r\\n")
        server.reset()
        client.finish()                            # "close_notify+fin", "fin", "reset" or "close_notify+reset"
        proxy.scrape().sum("imapmeter_sessions_closed_total", reason="upstream_reset")
"""

from .accept_shim import AcceptShim
from .case import IntegrationCase
from .certificates import Certificates
from .child import Child
from .chunking import CHUNKINGS, chunks, seed
from .client import FakeClient, well_behaved_session
from .exposition import Exposition, ExpositionError, check_with_promtool, parse
from .invariants import Baseline, at_rest, check_invariants
from .journal import Journal
from .malloc_shim import MallocShim
from .neighbour import Neighbour
from .process import Process
from .proxy import Proxy
from .proxy_header import ProxyHeader, binary_header, text_header
from .timing import FACTOR, scaled, wait_until
from .traffic import Traffic, check_counted
from .upstream import FakeUpstream, honest_server
from .wire import Wire, WireTimeout

__all__ = [
    "AcceptShim", "Baseline", "CHUNKINGS", "Certificates", "Child", "Exposition", "ExpositionError", "FACTOR",
    "FakeClient", "FakeUpstream", "IntegrationCase", "Journal", "MallocShim", "Neighbour", "Process", "Proxy",
    "ProxyHeader", "Traffic", "Wire", "WireTimeout", "at_rest", "binary_header", "check_counted", "check_invariants",
    "check_with_promtool", "chunks", "honest_server", "parse", "scaled", "seed", "text_header", "wait_until",
    "well_behaved_session",
]
