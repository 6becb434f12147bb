#!/usr/bin/env python3
"""The demo: a private Dovecot with real mail, imapmeter in front of it, people at work, Prometheus watching.

Everything listens on 127.0.0.1 and lives in one scratch directory. Ctrl-C ends it and leaves no process and no file.
"""
import argparse
import contextlib
import os
import pathlib
import select
import shutil
import signal
import ssl
import sys
import tempfile
import time

from dovecot import PASSWORD, Dovecot, find
from live import LiveView
from processes import Child, free_port, is_free
from prometheus import Prometheus
from traffic import Traffic

ROOT = pathlib.Path(__file__).resolve().parents[2]
NEEDED = {"dovecot": "dovecot-imapd", "doveadm": "dovecot-core", "openssl": "openssl", "prometheus": "prometheus"}
PORTS = {"imaps": 1993, "admin": 19143, "prometheus": 9090}


class Imapmeter:
    """The binary in front of `upstream_port`, with a CA of its own in `directory`."""

    def __init__(self, binary, directory, upstream_port, imaps, admin):
        self.directory = pathlib.Path(directory)
        self.command = [binary, "--listen", f"imaps://127.0.0.1:{imaps}", "--self-signed", str(self.directory),
                        "--upstream", f"imap://127.0.0.1:{upstream_port}", "--admin", f"127.0.0.1:{admin}"]
        self.ca = self.directory / "ca.pem"
        self.admin = self.address = ""
        self._child = None

    def start(self):
        self.directory.mkdir()
        log, output = self.directory / "imapmeter.log", self.directory / "stdout"
        with open(log, "wb") as log_file, open(output, "wb") as output_file:
            self._child = Child(self.command, stdout=output_file, stderr=log_file)
        if not self._child.wait_ready(lambda: "\n" in output.read_text(), 20, "imapmeter's ready line"):
            raise RuntimeError(f"imapmeter did not start: {log.read_text(errors='replace')[-2000:]}")
        values = dict(word.split("=", 1) for word in output.read_text().split()[1:])
        self.admin, self.address = values["admin"], values["address"]

    def stop(self):
        if self._child:
            self._child.stop()

    def running(self):
        return self._child.running()


class Ending:
    """The signals that end the demo, kept until it asks: what is being started then is always known to the clean-up."""

    def __init__(self):
        self._asked, wake = os.pipe()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: os.write(wake, b"."))

    def wait(self, seconds):
        """True once one has come, False after `seconds` without."""
        return bool(select.select([self._asked], [], [], seconds)[0])


def main():
    options = parse_options()
    missing = what_is_missing(options.imapmeter)
    if missing:
        sys.exit("the demo cannot start:\n  " + "\n  ".join(missing))
    try:
        with contextlib.ExitStack() as stack:
            run(stack, options, Ending())
    except (RuntimeError, OSError) as error:
        sys.exit(f"the demo has failed: {error}")
    print("\nended; nothing is left behind")


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--imapmeter", default=str(ROOT / "build" / "release" / "imapmeter"), metavar="FILE",
                        help="the binary (default: build/release/imapmeter)")
    parser.add_argument("--for", dest="seconds", type=float, default=float("inf"), metavar="SECONDS",
                        help="end by itself after so long")
    parser.add_argument("--free-ports", action="store_true", help="leave the usual ports alone")
    return parser.parse_args()


def what_is_missing(binary):
    lines = [f"{program} is not installed (Debian: apt-get install {package})"
             for program, package in NEEDED.items() if not find(program)]
    if not os.access(binary, os.X_OK):
        lines.append(f"{binary} is not there (./run builds it)")
    return lines


def run(stack, options, ending):
    ports = choose_ports(options.free_ports)
    scratch = tempfile.mkdtemp(prefix="imapmeter-demo-")
    stack.callback(shutil.rmtree, scratch)
    print("starting Dovecot, imapmeter and Prometheus …", flush=True)
    dovecot = started(stack, Dovecot(os.path.join(scratch, "dovecot")))
    imapmeter = started(stack, Imapmeter(options.imapmeter, os.path.join(scratch, "imapmeter"), dovecot.imap,
                                         ports["imaps"], ports["admin"]))
    prometheus = started(stack, Prometheus(os.path.join(scratch, "prometheus"), imapmeter.admin, ports["prometheus"]))
    tls = ssl.create_default_context(cafile=imapmeter.ca)
    traffic = started(stack, Traffic(int(imapmeter.address.rpartition(":")[2]), tls, dovecot))
    print_addresses(dovecot, imapmeter, prometheus)
    watch(LiveView(prometheus, remarks=lambda: remarks(traffic)), {"imapmeter": imapmeter, "Prometheus": prometheus},
          options.seconds, ending)


def started(stack, part):
    """Starts it; what the stack unwinds stops it, also after a start that failed half-way."""
    stack.callback(part.stop)
    part.start()
    return part


def watch(view, parts, seconds, ending):
    deadline = time.monotonic() + seconds
    pause = 1.0 if view.terminal else 5.0
    while time.monotonic() < deadline and not ending.wait(0):
        for name, part in parts.items():
            if not part.running():
                raise RuntimeError(f"{name} has ended by itself")
        view.draw()
        ending.wait(max(0.0, min(pause, deadline - time.monotonic())))


def choose_ports(free_ones):
    ports = {}
    for name, port in PORTS.items():
        ports[name] = port if not free_ones and is_free(port) else free_port()
        if not free_ones and ports[name] != port:
            print(f"port {port} is in use; taking {ports[name]} for {name}")
    return ports


def print_addresses(dovecot, imapmeter, prometheus):
    print(f"""
  mail through imapmeter   imaps://{imapmeter.address}   user person0, password {PASSWORD}
  the CA to trust          {imapmeter.ca}
  metrics                  http://{imapmeter.admin}/metrics
  Prometheus               {prometheus.url}
  Dovecot behind it        imap://127.0.0.1:{dovecot.imap}
  Grafana dashboard        {ROOT / "deploy" / "grafana" / "imapmeter.json"}
  Ctrl-C ends it all
""", flush=True)


def remarks(traffic):
    if not traffic.surprises:
        return []
    return [f"clients were surprised {len(traffic.surprises)} times, last: "
            + traffic.surprises[-1].strip().splitlines()[-1]]


if __name__ == "__main__":
    main()
