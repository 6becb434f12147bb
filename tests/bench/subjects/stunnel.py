"""stunnel: a thread per session. It has no buffer to tune, but it logs three lines per connection as packaged."""

from contextlib import contextmanager
from pathlib import Path

from machine import Certificates
from subjects.common import Running, Subject, Upstream, configured, free_port, program, text_of

TUNING = ["; notices as packaged: lines for each connection, where others write none", "debug = err"]


class Stunnel(Subject):
    def __init__(self, tuned: bool):
        self.name = "stunnel-tuned" if tuned else "stunnel"
        self.tuning = TUNING if tuned else []
        self.program = program("stunnel")
        self.version = next(line for line in text_of([self.program, "-version"]).splitlines()
                            if line.startswith("stunnel "))

    def omits(self, setup: str, workload: str) -> str | None:
        if setup == "tls" and workload == "idle":
            return "needs four descriptors per session with TLS on both sides, more than the limit of a machine may be"
        return None

    def configuration(self, port: int, upstream: Upstream, certificates: Certificates) -> str:
        lines = ["foreground = yes", "syslog = no", "pid =", *self.tuning,
                 "[imaps]", f"accept = 127.0.0.1:{port}", f"cert = {certificates.cert}", f"key = {certificates.key}"]
        if not upstream.tls:
            return "\n".join([*lines, f"connect = 127.0.0.1:{upstream.port}", ""])
        # One service has TLS on one side only: two of them in one process, by way of loopback.
        between = free_port()
        return "\n".join([
            *lines, f"connect = 127.0.0.1:{between}",
            "[upstream]", "client = yes", f"accept = 127.0.0.1:{between}", f"connect = 127.0.0.1:{upstream.port}",
            f"CAfile = {certificates.ca}", "verifyChain = yes", "checkHost = localhost", ""])

    @contextmanager
    def start(self, upstream: Upstream, certificates: Certificates, cpu: int, scratch: Path):
        port = free_port()
        text = self.configuration(port, upstream, certificates)
        with configured(self.name, text, port, cpu, scratch, lambda file: [self.program, str(file)]) as process:
            yield Running(process, port), text
