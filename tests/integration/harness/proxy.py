"""Proxy: the real binary, started on port 0, with its logs, its process and its metrics."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from pathlib import Path

from .client import FakeClient
from .exposition import Exposition, ExpositionError, parse
from .process import Process
from .timing import scaled, wait_until
from .upstream import FakeUpstream

SERIES_LIMIT = 2500 + 60 + 60  # per listener, per configured server, of the process itself


def binary() -> str:
    path = os.environ.get("IMAPMETER_BIN")
    if not path:
        raise AssertionError("IMAPMETER_BIN names no binary")
    return path


class Proxy:
    """Two workers, one TLS listener with a self-signed certificate, one upstream, the admin on a free port.

    upstream: a FakeUpstream or a URL; upstream_ca verifies it. tls=False: a plain listener; tls="starttls". timeouts, such as
    {"greeting": "500ms"}, and config go into the configuration file; in config the keys "listener" and "upstream" hold
    further settings of these, other keys are sections of the file. Health checks are made only where config has some.
    flags=True: no file, and so health checks. nofile: limit of file descriptors. arguments: further flags. environment:
    further variables. prefix: a command that runs the rest of its arguments. stderr: a descriptor for the log, which is
    then not collected. certificate: certificate and key files. prelude: what clients send ahead of all else.
    """

    def __init__(self, upstream: FakeUpstream | str, *, tls: bool | str = True, workers: int = 2,
                 listen: str = "127.0.0.1:0", timeouts: dict[str, str] | None = None, upstream_ca: Path | None = None,
                 allow_plaintext_upstream: bool = False, capabilities: str = "auto", log_level: str = "info",
                 nofile: int = 0, arguments: tuple[str, ...] = (), environment: dict[str, str] | None = None,
                 admin: str = "127.0.0.1:0", prefix: tuple[str, ...] = (), stderr: int = subprocess.PIPE,
                 certificate: tuple[Path, Path] | None = None, config: dict | None = None, flags: bool = False,
                 prelude: bytes = b""):
        self._directory = Path(tempfile.mkdtemp(prefix="imapmeter-test-"))
        self.log: list[str] = []
        self.stdout: list[str] = []
        self.addresses: dict[str, tuple[str, int] | str] = {}  # the first of each listener; a unix socket's path
        self.binds: list[str] = []  # every address of every listener, as the ready line has it
        self.admin: tuple[str, int] = ("", 0)
        self.metrics: tuple[str, int] = ("", 0)  # with --metrics
        self.tls = tls
        self.prelude = prelude
        self._counters: dict = {}
        self._terminated = False
        self._killed = False
        settings = {
            "listen": f"{'imap+starttls' if tls == 'starttls' else 'imaps' if tls else 'imap'}://{listen}",
            "upstream": upstream.url if isinstance(upstream, FakeUpstream) else upstream,
            "ca": str(upstream_ca) if upstream_ca else "", "plaintext": allow_plaintext_upstream,
            "capabilities": capabilities, "certificate": certificate,
        }
        command = [*prefix, *(["prlimit", f"--nofile={nofile}"] if nofile else []), binary(),
                   *(self._flags(settings) if flags else self._file(settings, timeouts, config or {})),
                   "--admin", admin, "--workers", str(workers), "--log-level", log_level, *arguments]
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("IMAPMETER_")}
        self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=stderr, text=True, encoding="utf-8", errors="replace",
                                      env={**inherited, **(environment or {})})
        self.process = Process(self.child.pid)
        streams = ((self.child.stdout, self.stdout), (self.child.stderr, self.log))
        self._readers = [threading.Thread(target=self._collect, args=each, daemon=True) for each in streams if each[0]]
        for reader in self._readers:
            reader.start()
        try:
            self._read_ready_line()
        except BaseException:
            self.kill()
            raise

    # Starting

    @staticmethod
    def _flags(settings: dict) -> list[str]:
        flags = ["--listen", settings["listen"], "--upstream", settings["upstream"],
                 "--capabilities", settings["capabilities"]]
        if settings["certificate"]:
            flags += ["--cert", settings["certificate"][0], "--key", settings["certificate"][1]]
        elif not settings["listen"].startswith("imap:"):
            flags += ["--self-signed"]
        flags += ["--upstream-ca", settings["ca"]] if settings["ca"] else []
        return flags + (["--allow-plaintext-upstream"] if settings["plaintext"] else [])

    def _file(self, settings: dict, timeouts: dict[str, str] | None, config: dict) -> list[str]:
        """JSON is YAML, and quotes what needs quotes."""
        listener = {"bind": settings["listen"], "capabilities": settings["capabilities"]}
        if settings["certificate"]:
            listener["certificates"] = [dict(zip(("cert", "key"), map(str, settings["certificate"])))]
        elif not settings["listen"].startswith("imap:"):
            listener["self_signed"] = True
        upstream = {"servers": [settings["upstream"]], "allow_plaintext": settings["plaintext"],
                    "health_check": {"interval": "none"}}
        if settings["ca"]:
            upstream["ca"] = settings["ca"]
        sections = {key: value for key, value in config.items() if key not in ("listener", "upstream")}
        whole = {"listeners": [listener | config.get("listener", {})],
                 "upstreams": [upstream | config.get("upstream", {})],
                 **({"timeouts": timeouts} if timeouts else {}), **sections}
        path = self._directory / "imapmeter.yaml"
        path.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
        return ["--config", str(path)]

    def _read_ready_line(self) -> None:
        wait_until(lambda: self.stdout or self.child.poll() is not None, 20, "the ready line")
        words = self.stdout[0].split() if self.stdout else []
        if not words or words[0] != "ready":
            raise AssertionError(f"not ready (exit status {self.child.poll()}): {self.stdout} {self.tail()}")
        name = ""
        for key, _, value in (word.partition("=") for word in words[1:]):
            if key == "admin" and not value.startswith("unix:"):
                self.admin = _address(value)
            elif key == "metrics":
                self.metrics = _address(value)
            elif key == "listener":
                name = value
            elif key == "address":
                self.binds.append(value)
                self.addresses.setdefault(name, _address(value))

    @staticmethod
    def _collect(stream, lines: list[str]) -> None:
        for line in stream:
            lines.append(line.rstrip("\n"))

    # Using

    @property
    def pid(self) -> int:
        return self.child.pid

    @property
    def address(self) -> tuple[str, int] | str:
        """Of the first listener."""
        return next(iter(self.addresses.values()))

    def connect(self, **options) -> FakeClient:
        return FakeClient(self.address, options.pop("tls", self.tls), **{"prelude": self.prelude, **options})

    def get(self, path: str, timeout: float = 10.0, address: tuple[str, int] = ()) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (lower case) and body, from the admin listener unless another address is given."""
        connection = http.client.HTTPConnection(*(address or self.admin), timeout=scaled(timeout))
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, {key.lower(): value for key, value in response.getheaders()}, response.read()
        finally:
            connection.close()

    def scrape(self) -> Exposition:
        """Strict, within the limit of series, and no counter behind an earlier scrape of this process."""
        status, headers, body = self.get("/metrics")
        if status != 200 or not headers.get("content-type", "").startswith("text/plain; version=0.0.4"):
            raise ExpositionError(f"/metrics: {status} {headers.get('content-type')}")
        seen = parse(body.decode("utf-8", "strict"))
        if seen.series > SERIES_LIMIT * max(1, len(self.addresses)):
            raise ExpositionError(f"{seen.series} series")
        counters = seen.counters()
        for key, before in self._counters.items():
            if counters.get(key, 0) < before:
                raise ExpositionError(f"{key} went from {before} to {counters.get(key)}")
        self._counters = counters
        return seen

    def wait_for(self, name: str, value: float, timeout: float = 10.0, **labels: str) -> Exposition:
        """The scrape in which the sum has this value."""
        last = None

        def there():
            nonlocal last
            last = self.scrape()
            return last.sum(name, **labels) == value

        try:
            wait_until(there, timeout, f"{name}{labels} = {value}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {last.sum(name, **labels)}; {_closed(last)}") from None
        return last

    def log_lines(self, *words: str) -> list[str]:
        """Of stderr, those that contain all words (any case)."""
        return [line for line in list(self.log) if all(word.lower() in line.lower() for word in words)]

    def records(self, event: str) -> list[dict]:
        """Of the log, those of an event; every line of it must be a record."""
        return [record for record in map(json.loads, list(self.log)) if record.get("event") == event]

    def tail(self) -> str:
        return "\n".join(self.log[-30:])

    # Ending

    def terminate(self) -> None:
        """SIGTERM: drain."""
        self._terminated = True
        self.child.send_signal(signal.SIGTERM)

    def wait(self, timeout: float = 10.0) -> int:
        """The exit status."""
        try:
            status = self.child.wait(scaled(timeout))
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {scaled(timeout):g} s: {self.tail()}") from None
        for reader in self._readers:
            reader.join(scaled(2))
        return status

    def kill(self) -> None:
        self._killed = True
        self.child.kill()
        self.wait()
        self._clean()

    def close(self) -> None:
        """Ends the process; a crash, a hang or a sanitizer's report fails the test. Nothing to do after kill()."""
        if self._killed:
            return
        if self.child.poll() is None and not self._terminated:
            self.terminate()
        try:
            status = self.wait()
        except AssertionError:
            self.kill()
            raise
        finally:
            self._clean()
        # 1: sessions were open at the end of the drain, which is the test's doing
        if status not in (0, 1):
            raise AssertionError(f"exit status {status}: {self.tail()}")

    def _clean(self) -> None:
        self.child.stdout.close()
        if self.child.stderr:
            self.child.stderr.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _address(text: str) -> tuple[str, int] | str:
    if text.startswith("unix:"):
        return text.removeprefix("unix:")
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def _closed(exposition: Exposition) -> str:
    return f"closed by reason: {exposition.by('imapmeter_sessions_closed_total', 'reason')}"
