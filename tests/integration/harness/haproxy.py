"""HAProxy: a real one in TCP mode on a free port of loopback, from its client side to one server.

    with HAProxy(proxy.address, server="send-proxy-v2") as front:
        FakeClient(front.address)
        front.lines                                # "from ADDRESS:PORT to ADDRESS:PORT" of each connection at its end
"""

import os
import shutil
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

from .timing import scaled

CONFIGURATION = """\
global
  log stdout format raw local0
defaults
  mode tcp
  log global
  log-format "from %ci:%cp to %fi:%fp"
  timeout connect 10s
  timeout client 60s
  timeout server 60s
listen all
  bind fd@{descriptor} {bind}
  server one {to} {server}
"""


class HAProxy:
    """bind, server: further words on the lines of these names. It inherits its listening socket, so that who connects
    at once is served as soon as it is there."""

    def __init__(self, to: tuple[str, int], *, bind: str = "", server: str = ""):
        program = shutil.which("haproxy", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        if program is None:
            raise AssertionError("not installed: haproxy")
        self.lines: list[str] = []
        self._directory = Path(tempfile.mkdtemp(prefix="imapmeter-haproxy-"))
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self.address = listening.getsockname()
            file = self._directory / "haproxy.cfg"
            file.write_text(CONFIGURATION.format(descriptor=listening.fileno(), bind=bind, to="{}:{}".format(*to),
                                                 server=server), encoding="ascii")
            self._child = subprocess.Popen([program, "-db", "-f", file], stdin=subprocess.DEVNULL, text=True,
                                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                           pass_fds=(listening.fileno(),))
        self._reader = threading.Thread(target=self._collect, daemon=True)
        self._reader.start()

    def stop(self) -> None:
        self._child.terminate()
        try:
            self._child.wait(scaled(10))
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._reader.join(scaled(2))
        self._child.stdout.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def _collect(self) -> None:
        for line in self._child.stdout:
            self.lines.append(line.rstrip("\n"))
