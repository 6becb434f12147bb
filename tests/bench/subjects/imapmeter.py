"""imapmeter as an operator starts it: the default configuration, but one worker like everybody else here."""

from contextlib import contextmanager
from pathlib import Path

from machine import Certificates
from processes import Process, output_of
from subjects.common import Running, Subject, Upstream

MUCH_TO_READ = ("bulk", "lines", "commands")
MANY_WAITS = ("commands", "handshake-full", "handshake-resumed", "idle")


class Imapmeter(Subject):
    name = "imapmeter"

    def __init__(self, binary: Path, extra: tuple[str, ...] = (), workers: int = 1):
        self.binary = binary
        self.extra = extra
        self.workers = workers
        self.version = output_of([str(binary), "--version"]).splitlines()[0]

    def flags(self, upstream: Upstream, certificates: Certificates) -> list[str]:
        leg = [f"imaps://127.0.0.1:{upstream.port}", "--upstream-ca", str(certificates.ca)] if upstream.tls else [
            f"imap://127.0.0.1:{upstream.port}"]
        return ["--listen", "imaps://127.0.0.1:0", "--cert", str(certificates.cert), "--key", str(certificates.key),
                "--upstream", *leg, "--admin", "127.0.0.1:0", "--workers", str(self.workers), *self.extra]

    @contextmanager
    def start(self, upstream: Upstream, certificates: Certificates, cpu: int, scratch: Path):
        flags = self.flags(upstream, certificates)
        with Process(self.name, [str(self.binary), *flags], cpu, scratch) as process:
            words = process.read_line(15).split()
            said = dict(word.split("=", 1) for word in words[1:])
            port = int(said["address"].rsplit(":", 1)[1])
            yield Running(process, port, said["admin"]), "imapmeter " + " ".join(flags)


class Variant(Imapmeter):
    """imapmeter itself with one thing different: what that costs is the difference."""

    workloads: tuple[str, ...]
    why: str

    def omits(self, setup: str, workload: str) -> str | None:
        return None if workload in self.workloads else self.why


class Unread(Variant):
    name = "imapmeter-unread"
    workloads = MUCH_TO_READ
    why = "there is little to read"

    def __init__(self, binary: Path):
        super().__init__(binary, ("--observe", "off"))

    @contextmanager
    def start(self, upstream: Upstream, certificates: Certificates, cpu: int, scratch: Path):
        with super().start(upstream, certificates, cpu, scratch) as (running, configuration):
            running.admin = None  # it has nothing to compare with the journals
            yield running, configuration


class Again(Variant):
    """The very same: how well the run can tell two programs apart."""

    name = "imapmeter-again"
    workloads = ("bulk", "lines", "commands", "commands-paced", "handshake-full", "handshake-resumed", "mixed")
    why = "memory hardly varies"


class Asio(Variant):
    """On the waits of Boost.Asio, built beside the load tools."""

    name = "imapmeter-asio"
    workloads = MANY_WAITS
    why = "made for little data only"
