"""HAProxy in mode tcp."""

from contextlib import contextmanager
from pathlib import Path

from machine import Certificates
from processes import Process, output_of
from subjects.common import TIMEOUT, Running, Subject, Upstream, listening_socket, program

TUNING = ["# 16 KiB as packaged; a larger buffer saves a system call in four",
          "tune.bufsize 65536"]


class Haproxy(Subject):
    def __init__(self, tuned: bool):
        self.name = "haproxy-tuned" if tuned else "haproxy"
        self.tuning = TUNING if tuned else []
        self.program = program("haproxy")
        self.version = output_of([self.program, "-v"]).splitlines()[0].split(" - ")[0]

    def configuration(self, fd: int, upstream: Upstream, certificates: Certificates) -> str:
        verify = f" ssl verify required ca-file {certificates.ca} verifyhost localhost" if upstream.tls else ""
        return "\n".join([
            "global", "  nbthread 1", *("  " + line for line in self.tuning),
            "defaults", "  mode tcp", "  timeout connect 5s", f"  timeout client {TIMEOUT}",
            f"  timeout server {TIMEOUT}",
            "listen imaps",
            f"  bind fd@{fd} ssl crt {certificates.both}",
            f"  server imap 127.0.0.1:{upstream.port}{verify}", ""])

    @contextmanager
    def start(self, upstream: Upstream, certificates: Certificates, cpu: int, scratch: Path):
        with listening_socket() as listener:
            text = self.configuration(listener.fileno(), upstream, certificates)
            file = scratch / f"{self.name}.cfg"
            file.write_text(text)
            command = [self.program, "-db", "-f", str(file)]
            with Process(self.name, command, cpu, scratch, (listener.fileno(),)) as process:
                yield Running(process, listener.getsockname()[1]), text
