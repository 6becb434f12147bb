"""One measurement: a server, a subject in front of it, a client that loads it, and the comparison of what each saw."""

import json
import os
import shutil
import tempfile
from pathlib import Path

import counters
import machine
from processes import BenchError, Process, output_of, tail
from subjects.common import Running, Upstream

# Workload -> connections. Of idle the command line says how many.
WORKLOADS = {"bulk": 8, "lines": 8, "commands": 16, "handshake-full": 8, "handshake-resumed": 8,
             "mixed": 1000, "idle": 0}
WARMUP_SECONDS = 0.3
# Of the window behind the measured one, in which system calls are counted.
COUNTING_SECONDS = 0.3
# Sessions of a first client, so that the memory of a subject that has worked a little is the base line of idle.
PRELUDE_SESSIONS = 32


class Bench:
    """What all measurements share: the scratch directory, the certificates, the CPUs."""

    def __init__(self, tools: machine.Tools):
        self.tools = tools
        self.configurations: dict[str, dict[str, str]] = {}
        available = sorted(os.sched_getaffinity(0))
        if len(available) < 2:
            raise BenchError("two CPUs are needed: one for the subject alone")
        self.cpus = available[:3]  # subject, client, server

    def __enter__(self):
        self.scratch = Path(tempfile.mkdtemp(prefix="imapmeter-bench-"))
        self.certificates = machine.make_certificates(self.scratch)
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.scratch, ignore_errors=True)

    def measure(self, subject, setup: str, workload: str, connections: int, seconds: float) -> dict:
        where = f"{subject.name}, {workload}, upstream {setup}"
        try:
            return self.measure_once(subject, setup, workload, connections, seconds)
        except BenchError as error:
            raise BenchError(f"{where}: {error}") from error

    def measure_once(self, subject, setup: str, workload: str, connections: int, seconds: float) -> dict:
        command = [str(self.tools.server), "--cert", str(self.certificates.cert), "--key", str(self.certificates.key)]
        with Process("bench_server", command, self.cpus[-1], self.scratch) as server:
            ports = dict(word.split("=") for word in server.read_line(10).split()[1:])
            upstream = Upstream(int(ports[setup]), setup == "tls", self.cpus[-1])
            with subject.start(upstream, self.certificates, self.cpus[0], self.scratch) as (running, configuration):
                self.configurations.setdefault(subject.name, {})[setup] = self.without_paths(configuration)
                journals = []
                if workload == "idle":
                    journals.append(self.load(running, server, "idle", PRELUDE_SESSIONS, 0.1)["journal"])
                result = self.load(running, server, workload, connections, seconds)
                journals.append(result["journal"])
                running.process.must_live()
                if running.admin:
                    counters.check(running.admin, journals)
            server.popen.terminate()
            result["server_journal"] = json.loads(server.read_line(10))
        self.check(result, journals, setup, running)
        return {"subject": subject.name, "setup": setup, "workload": workload, "connections": connections,
                "workers": subject.workers, "counters_checked": bool(running.admin), "result": result}

    def load(self, running, server: Process, workload: str, connections: int, seconds: float) -> dict:
        command = [str(self.tools.client), "--port", str(running.port), "--workload", workload,
                   "--connections", str(connections), "--seconds", str(seconds), "--warmup", str(WARMUP_SECONDS),
                   "--subject", str(running.process.pid), "--server", str(server.pid)]
        if workload != "idle":
            command += ["--count", str(COUNTING_SECONDS)]
        if running.greeting:
            command += ["--greeting", running.greeting.removesuffix("\r\n")]
        try:
            text = output_of(command, preexec_fn=lambda: os.sched_setaffinity(0, {self.cpus[1]}), timeout=180)
        except BenchError as error:
            running.process.must_live()
            server.must_live()
            raise BenchError(f"{error} (the subject says: {tail(running.process.stderr)})") from error
        return json.loads(text)

    def check(self, result: dict, journals: list[dict], setup: str, running: Running) -> None:
        """Whether client and server agree, and whether TLS was what it should be."""
        behind = result["server_journal"]
        if running.greeting:  # the server counts from the login on: command_of() there
            for journal in journals:
                journal["bytes_in"] -= len(running.greeting) * journal["greetings"]
        for ours, theirs, what in (("bytes_in", "bytes_out", "octets to the client"),
                                   ("bytes_out", "bytes_in", "octets to the server"),
                                   ("connections", "accepted", "connections")):
            total = sum(journal[ours] for journal in journals)
            if total != behind[theirs]:
                raise BenchError(f"{what}: the client has {total}, the server {behind[theirs]}")
        journal = result["journal"]
        if journal["certificate"] != self.certificates.fingerprint:
            raise BenchError("the subject showed another certificate")
        if setup == "tls" and behind["cipher"] != journal["cipher"]:
            raise BenchError(f"the upstream leg uses {behind['cipher']}, the client leg {journal['cipher']}")
        if result["operations"] == 0 and result["workload"] != "idle":
            raise BenchError("no operation was complete within the window: use more --seconds")

    def without_paths(self, text: str) -> str:
        return text.replace(str(self.scratch) + "/", "")
