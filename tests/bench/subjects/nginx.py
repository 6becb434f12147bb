"""nginx, as a stream proxy and as a mail proxy, each with one worker under a master."""

from contextlib import contextmanager
from pathlib import Path

from machine import Certificates
from processes import BenchError
from subjects.auth_http import auth_http
from subjects.common import (DESCRIPTORS, HANDSHAKES, NO_TLS_UPSTREAM, TIMEOUT, Running, Subject, Upstream,
                             configured, free_port, program, text_of)

# The default leaves TLS 1.3 out.
PROTOCOLS = "TLSv1.2 TLSv1.3"
# What nginx mail says itself.
MAIL_GREETING = "* OK IMAP4 ready\r\n"


class Nginx(Subject):
    module: str
    tuning: list[str]

    def __init__(self, tuned: bool):
        self.name = f"nginx-{self.module}" + ("-tuned" if tuned else "")
        self.lines = self.tuning if tuned else []
        self.program = program("nginx")
        self.module_file = Path(f"/usr/lib/nginx/modules/ngx_{self.module}_module.so")
        if not self.module_file.exists():
            raise BenchError(f"libnginx-mod-{self.module} is missing: cmake/install-packages.sh bench, "
                             f"or leave {self.name} out of --peers")
        self.version = text_of([self.program, "-v"]).removeprefix("nginx version: ")

    def server_lines(self, port: int, upstream: Upstream, certificates: Certificates) -> list[str]:
        return [f"listen 127.0.0.1:{port} ssl;", f"ssl_certificate {certificates.cert};",
                f"ssl_certificate_key {certificates.key};", f"ssl_protocols {PROTOCOLS};", *self.lines]

    def configuration(self, server: list[str], scratch: Path) -> str:
        return "\n".join([
            f"load_module {self.module_file};", "worker_processes 1;", f"pid {scratch}/nginx.pid;",
            f"events {{ worker_connections {DESCRIPTORS}; }}",
            *self.block(["server {", *("  " + line for line in server), "}"]), ""])

    def block(self, lines: list[str]) -> list[str]:
        return [f"{self.module} {{", *("  " + line for line in lines), "}"]

    @contextmanager
    def run(self, text: str, port: int, cpu: int, scratch: Path, greeting: str | None = None):
        def command(file: Path) -> list[str]:
            return [self.program, "-p", str(scratch), "-c", str(file), "-e", "stderr", "-g", "daemon off;"]

        with configured(self.name, text, port, cpu, scratch, command) as process:
            yield Running(process, port, greeting=greeting), text


class NginxStream(Nginx):
    module = "stream"
    tuning = ["# 16 KiB as packaged; a larger buffer saves a system call in four", "proxy_buffer_size 64k;"]

    @contextmanager
    def start(self, upstream: Upstream, certificates: Certificates, cpu: int, scratch: Path):
        port = free_port()
        server = [*self.server_lines(port, upstream, certificates), f"proxy_timeout {TIMEOUT};",
                  f"proxy_pass 127.0.0.1:{upstream.port};"]
        if upstream.tls:
            server += ["proxy_ssl on;", f"proxy_ssl_protocols {PROTOCOLS};", "proxy_ssl_verify on;",
                       f"proxy_ssl_trusted_certificate {certificates.ca};", "proxy_ssl_name localhost;"]
        with self.run(self.configuration(server, scratch), port, cpu, scratch) as running:
            yield running


class NginxMail(Nginx):
    module = "mail"
    tuning = ["# a page, 4 KiB, as packaged: one small read and one small TLS record after the other",
              "proxy_buffer 64k;"]

    def omits(self, setup: str, workload: str) -> str | None:
        if setup == "tls":
            return NO_TLS_UPSTREAM
        if workload in HANDSHAKES:
            return "greets clients itself and connects to the server only after LOGIN: its handshakes are less work"
        return None

    @contextmanager
    def start(self, upstream: Upstream, certificates: Certificates, cpu: int, scratch: Path):
        port = free_port()
        with auth_http(upstream.port, upstream.cpu) as auth_port:
            server = [*self.server_lines(port, upstream, certificates), "protocol imap;",
                      f"auth_http 127.0.0.1:{auth_port}/;", f"proxy_timeout {TIMEOUT};"]
            with self.run(self.configuration(server, scratch), port, cpu, scratch, MAIL_GREETING) as running:
                yield running
