"""hitch: a worker under a parent, which only looks after it. Its buffers cannot be set in the packaged version."""

import os
from contextlib import contextmanager
from pathlib import Path

from machine import Certificates
from subjects.common import NO_TLS_UPSTREAM, Running, Subject, Upstream, configured, free_port, program, text_of


class Hitch(Subject):
    name = "hitch"

    def __init__(self):
        self.program = program("hitch")
        self.version = text_of([self.program, "-V"])

    def omits(self, setup: str, workload: str) -> str | None:
        return NO_TLS_UPSTREAM if setup == "tls" else None

    def configuration(self, port: int, upstream: Upstream, certificates: Certificates) -> str:
        user = ['user = "nobody"'] if os.geteuid() == 0 else []  # it refuses to stay root
        return "\n".join([f'frontend = "[127.0.0.1]:{port}"', f'backend = "[127.0.0.1]:{upstream.port}"',
                          f'pem-file = "{certificates.both}"', 'ocsp-dir = ""', "workers = 1", *user, ""])

    @contextmanager
    def start(self, upstream: Upstream, certificates: Certificates, cpu: int, scratch: Path):
        port = free_port()
        text = self.configuration(port, upstream, certificates)
        with configured(self.name, text, port, cpu, scratch, lambda file: [self.program, f"--config={file}"]) as process:
            yield Running(process, port), text
