#!/usr/bin/env python3
"""The demo: three Dovecots with real mail, imapmeter in front of them, people at work, Prometheus watching.

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
import subprocess
import sys
import tempfile
import time

from dovecot import PASSWORD, find
from imapmeter import Imapmeter
from incident import Chronicle, Incident
from live import LiveView
from processes import free_port, is_free
from prometheus import Prometheus
from servers import MailServers
from traffic import Traffic

ROOT = pathlib.Path(__file__).resolve().parents[2]
NEEDED = {"dovecot": "dovecot-imapd", "doveadm": "dovecot-core", "openssl": "openssl", "prometheus": "prometheus"}
PORTS = {"imaps": 1993, "admin": 19143, "prometheus": 9090}


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
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        sys.exit(f"the demo has failed: {error}")
    print("\nended; nothing is left behind")


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--imapmeter", default=str(ROOT / "build" / "release" / "imapmeter"), metavar="FILE",
                        help="the binary (default: build/release/imapmeter)")
    parser.add_argument("--incident", action="store_true",
                        help="one server gets slow, then refuses logins, then dies, and comes back")
    parser.add_argument("--phase", type=float, default=360, metavar="SECONDS",
                        help="how long each phase of the incident lasts (default: 360, so that most alerts can fire)")
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
    print("starting three Dovecots, imapmeter and Prometheus …", flush=True)
    servers = started(stack, MailServers(scratch))
    imapmeter = started(stack, Imapmeter(options.imapmeter, os.path.join(scratch, "imapmeter"), servers.addresses(),
                                         ports["imaps"], ports["admin"]))
    prometheus = started(stack, Prometheus(os.path.join(scratch, "prometheus"), imapmeter.admin, ports["prometheus"]))
    tls = ssl.create_default_context(cafile=imapmeter.ca)
    traffic = started(stack, Traffic(int(imapmeter.address.rpartition(":")[2]), tls, servers))
    print_addresses(servers, imapmeter, prometheus)
    view = LiveView(imapmeter, prometheus, lambda: remarks(traffic))
    course = []
    if options.incident:
        incident = started(stack, Incident(servers.members[1], prometheus, options.phase, view.say))
        course = [incident.step, Chronicle(imapmeter, prometheus, view.say).note]
    watch(view, course, {"imapmeter": imapmeter, "Prometheus": prometheus}, options.seconds, ending)


def started(stack, part):
    """Starts it; what the stack unwinds stops it, also after a start that failed half-way."""
    stack.callback(part.stop)
    part.start()
    return part


def watch(view, course, parts, seconds, ending):
    """`course`: what is done each second beside looking."""
    deadline = time.monotonic() + seconds
    pause = 1.0 if view.terminal else 5.0
    drawn = float("-inf")
    while time.monotonic() < deadline and not ending.wait(0):
        for name, part in parts.items():
            if not part.running():
                raise RuntimeError(f"{name} has ended by itself")
        for step in course:
            step()
        if time.monotonic() >= drawn + pause:
            drawn = time.monotonic()
            view.draw()
        ending.wait(max(0.0, min(1.0, deadline - time.monotonic())))


def choose_ports(free_ones):
    ports = {}
    for name, port in PORTS.items():
        ports[name] = port if not free_ones and is_free(port) else free_port()
        if not free_ones and ports[name] != port:
            print(f"port {port} is in use; taking {ports[name]} for {name}")
    return ports


def print_addresses(servers, imapmeter, prometheus):
    print(f"""
  console                  http://{imapmeter.admin}/
  Prometheus               {prometheus.url}   its alerts: {prometheus.url}/alerts

  mail through imapmeter   imaps://{imapmeter.address}   user person0, password {PASSWORD}
  the CA to trust          {imapmeter.ca}
  metrics                  http://{imapmeter.admin}/metrics
  Dovecots behind it       {", ".join(f"imap://{address}" for address in servers.addresses())}
  Grafana dashboards       {ROOT / "deploy" / "grafana"}
  Ctrl-C ends it all
""", flush=True)


def remarks(traffic):
    if not traffic.surprises:
        return []
    return [f"clients were surprised {len(traffic.surprises)} times, last: "
            + traffic.surprises[-1].strip().splitlines()[-1]]


if __name__ == "__main__":
    main()
