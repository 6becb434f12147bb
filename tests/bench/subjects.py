"""The proxies: how each is configured, started and named. All use one worker and one thread."""

import socket
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from machine import Certificates
from processes import Process, output_of


@dataclass
class Upstream:
    port: int
    tls: bool


@dataclass
class Running:
    process: Process
    port: int
    admin: str | None = None  # host:port of imapmeter's metrics


@contextmanager
def listening_socket():
    """A listening socket on a free port, for programs that take one but cannot say which port they chose."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen(4096)
        yield listener


class Haproxy:
    workers = 1

    def __init__(self, name: str, extra: list[str]):
        self.name = name
        self.extra = extra
        self.version = output_of(["haproxy", "-v"]).splitlines()[0].split(" - ")[0]

    def configuration(self, fd: int, upstream: Upstream, certificates: Certificates) -> str:
        verify = f" ssl verify required ca-file {certificates.ca} verifyhost localhost" if upstream.tls else ""
        return "\n".join([
            "global", "  nbthread 1", *("  " + line for line in self.extra),
            "defaults", "  mode tcp", "  timeout connect 5s", "  timeout client 31m", "  timeout server 31m",
            "listen imaps",
            f"  bind fd@{fd} ssl crt {certificates.cert.parent / 'both.pem'}",
            f"  server imap 127.0.0.1:{upstream.port}{verify}", ""])

    @contextmanager
    def start(self, upstream: Upstream, certificates: Certificates, cpu: int, scratch: Path):
        with listening_socket() as listener:
            text = self.configuration(listener.fileno(), upstream, certificates)
            file = scratch / f"{self.name}.cfg"
            file.write_text(text)
            with Process(self.name, ["haproxy", "-db", "-f", str(file)], cpu, scratch, (listener.fileno(),)) as process:
                yield Running(process, listener.getsockname()[1]), text


class Imapmeter:
    """As an operator starts it: the default configuration, but one worker like everybody else here."""

    name = "imapmeter"
    workers = 1

    def __init__(self, binary: Path):
        self.binary = binary
        self.version = output_of([str(binary), "--version"]).splitlines()[0]

    def flags(self, upstream: Upstream, certificates: Certificates) -> list[str]:
        leg = [f"imaps://127.0.0.1:{upstream.port}", "--upstream-ca", str(certificates.ca)] if upstream.tls else [
            f"imap://127.0.0.1:{upstream.port}"]
        return ["--listen", "imaps://127.0.0.1:0", "--cert", str(certificates.cert), "--key", str(certificates.key),
                "--upstream", *leg, "--admin", "127.0.0.1:0", "--workers", "1"]

    @contextmanager
    def start(self, upstream: Upstream, certificates: Certificates, cpu: int, scratch: Path):
        flags = self.flags(upstream, certificates)
        with Process(self.name, [str(self.binary), *flags], cpu, scratch) as process:
            words = process.read_line(15).split()
            said = dict(word.split("=", 1) for word in words[1:])
            port = int(said["address"].rsplit(":", 1)[1])
            yield Running(process, port, said["admin"]), "imapmeter " + " ".join(flags)


PEERS = {
    "haproxy": [],  # as packaged: 16 KiB buffers
    "haproxy-tuned": ["tune.bufsize 65536"],
}


def make(peers: list[str], imapmeter: Path | None) -> list:
    return ([Imapmeter(imapmeter)] if imapmeter else []) + [Haproxy(peer, PEERS[peer]) for peer in peers]
