"""One measurement: a server, a subject in front of it, a client that loads it, and the comparison of what each saw."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import counters
import machine
from processes import BenchError, Process, on_cpu, output_of, tail
from subjects.common import Running, Subject, Upstream

# Workload -> connections. Of idle the command line says how many.
WORKLOADS = {"bulk": 8, "lines": 8, "commands": 16, "commands-paced": 16,
             "handshake-full": 8, "handshake-resumed": 8,
             "mixed": 1000, "idle": 0}
WARMUP_SECONDS = 0.2
# Of the window behind the measured one, in which system calls are counted.
COUNTING_SECONDS = 0.3
COUNTED_ROUNDS = 2
# Sessions of a first client, so that the memory of a subject that has worked a little is the base line of idle.
PRELUDE_SESSIONS = 32
# Of client and server: where they share a CPU, whom the subject wakes does not interrupt the other one (README.md).
LOAD_POLICY = os.SCHED_BATCH


@dataclass
class Entrant:
    """Who takes part in a row, with a server of its own behind it."""

    subject: Subject
    server: Process
    running: Running
    results: list[dict] = field(default_factory=list)


@contextmanager
def naming(what: str):
    """Says of an error whose it is."""
    try:
        yield
    except BenchError as error:
        raise BenchError(f"{what}: {error}") from error


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

    def measure_row(self, contestants: list, row: tuple[str, str, int], seconds: float, rounds: range) -> Iterator[dict]:
        """Some rounds of a row of the page: all who take part are started, then take turns, and what each said is
        compared in the end. Who comes first changes from round to round, so that a drift of the machine favours
        nobody."""
        setup, workload, connections = row
        with ExitStack() as stack:
            entrants = [self.enter(stack, subject, setup) for subject in contestants
                        if not subject.omits(setup, workload)]
            for turn in rounds:
                for entrant in entrants[turn % len(entrants):] + entrants[:turn % len(entrants)]:
                    with naming(f"{entrant.subject.name}, {workload}, upstream {setup}"):
                        result = self.turn(entrant, workload, connections, seconds, turn < COUNTED_ROUNDS)
                    yield {"subject": entrant.subject.name, "setup": setup, "workload": workload,
                           "connections": connections, "workers": entrant.subject.workers,
                           "counters_checked": bool(entrant.running.admin), "round": turn, "result": result}
            for entrant in entrants:
                with naming(f"{entrant.subject.name}, {workload}, upstream {setup}"):
                    self.compare(entrant, setup)

    def enter(self, stack: ExitStack, subject, setup: str) -> Entrant:
        scratch = self.scratch / subject.name
        scratch.mkdir(exist_ok=True)
        command = [str(self.tools.server), "--cert", str(self.certificates.cert), "--key", str(self.certificates.key)]
        server = stack.enter_context(Process("bench_server", command, self.cpus[-1], scratch, policy=LOAD_POLICY))
        ports = dict(word.split("=") for word in server.read_line(10).split()[1:])
        upstream = Upstream(int(ports[setup]), setup == "tls", self.cpus[-1])
        running, configuration = stack.enter_context(
            subject.start(upstream, self.certificates, self.cpus[0], scratch))
        self.configurations.setdefault(subject.name, {})[setup] = self.without_paths(configuration, scratch)
        return Entrant(subject, server, running)

    def turn(self, entrant: Entrant, workload: str, connections: int, seconds: float, counted: bool) -> dict:
        if workload == "idle":
            entrant.results.append(self.load(entrant.running, entrant.server, "idle", PRELUDE_SESSIONS, 0.1))
        result = self.load(entrant.running, entrant.server, workload, connections, seconds, counted)
        if result["operations"] == 0 and workload != "idle":
            raise BenchError("no operation was complete within the window: use more --seconds")
        entrant.results.append(result)
        entrant.running.process.must_live()
        return result

    def load(self, running, server: Process, workload: str, connections: int, seconds: float,
             counted: bool = False) -> dict:
        command = [str(self.tools.client), "--port", str(running.port), "--workload", workload,
                   "--connections", str(connections), "--seconds", str(seconds), "--warmup", str(WARMUP_SECONDS),
                   "--subject", str(running.process.pid), "--server", str(server.pid)]
        if counted and workload != "idle":
            command += ["--count", str(COUNTING_SECONDS)]
        if running.greeting:
            command += ["--greeting", running.greeting.removesuffix("\r\n")]
        try:
            text = output_of(command, preexec_fn=on_cpu(self.cpus[1], LOAD_POLICY), timeout=180)
        except BenchError as error:
            running.process.must_live()
            server.must_live()
            raise BenchError(f"{error} (the subject says: {tail(running.process.stderr)})") from error
        return json.loads(text)

    def compare(self, entrant: Entrant, setup: str) -> None:
        """Whether client, server and imapmeter agree on all that was done, and whether TLS was what it should be."""
        journals = [result["journal"] for result in entrant.results]
        if entrant.running.admin:
            counters.check(entrant.running.admin, journals)
        entrant.server.popen.terminate()
        behind = json.loads(entrant.server.read_line(10))
        # the server counts from the login on where the subject greets: command_of() there
        own = len(entrant.running.greeting or "")
        unseen = {"bytes_in": own * sum(journal["greetings"] for journal in journals)}
        for ours, theirs, what in (("bytes_in", "bytes_out", "octets to the client"),
                                   ("bytes_out", "bytes_in", "octets to the server"),
                                   ("connections", "accepted", "connections")):
            total = sum(journal[ours] for journal in journals) - unseen.get(ours, 0)
            if total != behind[theirs]:
                raise BenchError(f"{what}: the client has {total}, the server {behind[theirs]}")
        for result in entrant.results:
            result["server_journal"] = behind
            journal = result["journal"]
            if journal["certificate"] != self.certificates.fingerprint:
                raise BenchError("the subject showed another certificate")
            if setup == "tls" and behind["cipher"] != journal["cipher"]:
                raise BenchError(f"the upstream leg uses {behind['cipher']}, the client leg {journal['cipher']}")

    def without_paths(self, text: str, scratch: Path) -> str:
        return text.replace(f"{scratch}/", "").replace(f"{self.scratch}/", "")
