"""The figures of a single measurement, and how several are put together."""

from dataclasses import dataclass
from math import comb
from statistics import median
from typing import Callable


@dataclass
class Figure:
    """Less is better in all of them."""

    workload: str
    label: str
    unit: str
    value: Callable[[dict], float]  # of one `result`
    goal: float | None = None       # ratio to haproxy as packaged that is aimed at; 1.0 is the limit for all


def cpu_per_gigabyte(result: dict) -> float:
    return result["subject"]["cpu_s"] * 1e9 / result["bytes"]


def cpu_us_per_operation(result: dict) -> float:
    return result["subject"]["cpu_s"] * 1e6 / result["operations"]


def kib_per_session(result: dict) -> float:
    return (result["subject"]["resident_kib"] - result["resident_kib_before"]) / result["connections"]


def cpu_ms_per_second(result: dict) -> float:
    return result["subject"]["cpu_s"] * 1e3 / result["window_s"]


FIGURES = [
    Figure("bulk", "bulk (1 MiB literals)", "CPU s/GB", cpu_per_gigabyte, 0.55),
    Figure("lines", "lines (FETCH of short fields)", "CPU s/GB", cpu_per_gigabyte, 0.75),
    Figure("commands", "commands (NOOP)", "CPU µs each", cpu_us_per_operation, 0.82),
    Figure("commands", "commands, p50", "p50 µs", lambda result: result["p50_us"], 1.0),
    Figure("commands", "commands, p99", "p99 µs", lambda result: result["p99_us"], 1.0),
    Figure("commands-paced", "commands, 16,000 a second", "CPU µs each", cpu_us_per_operation, 0.82),
    Figure("commands-paced", "commands, 16,000 a second, p50", "p50 µs", lambda result: result["p50_us"], 1.0),
    Figure("commands-paced", "commands, 16,000 a second, p99", "p99 µs", lambda result: result["p99_us"], 1.0),
    Figure("handshake-full", "handshake, full", "CPU µs each", cpu_us_per_operation, 0.80),
    Figure("handshake-resumed", "handshake, resumed", "CPU µs each", cpu_us_per_operation, 0.85),
    Figure("mixed", "mixed (1,000 clients)", "CPU ms per second", cpu_ms_per_second),
    Figure("idle", "idle", "KiB resident per session", kib_per_session, 0.85),
]
SETUPS = {"plain": "TLS to plaintext", "tls": "TLS to TLS"}


def system_calls(result: dict) -> float | None:
    """Per 10^6 octets, operation or second, as the unit of the workload has it; None where they were not counted."""
    counted = result.get("system_calls")
    if not counted:
        return None
    if result["workload"] in ("bulk", "lines"):
        return counted["calls"] * 1e6 / counted["bytes"] if counted["bytes"] else None
    if result["workload"] == "mixed":
        return counted["calls"] / counted["seconds"]
    return counted["calls"] / counted["operations"] if counted["operations"] else None


SYSTEM_CALLS_PER = {"bulk": "MB", "lines": "MB", "commands": "command", "commands-paced": "command", "handshake-full": "session",
                    "handshake-resumed": "session", "mixed": "second"}


def figures_of(workload: str) -> list[Figure]:
    return [figure for figure in FIGURES if figure.workload == workload]


def busy(result: dict, who: str) -> float:
    return result[who]["cpu_s"] / result["window_s"]


def others(result: dict) -> float:
    """Share of one CPU that neither subject nor client nor server used."""
    ours = sum(result[who]["cpu_s"] for who in ("subject", "client", "server"))
    return max(0.0, (result["machine_cpu_s"] - ours) / result["window_s"])


def peers_in(document: dict) -> list[str]:
    """All but imapmeter and its variants."""
    return [name for name in document["subjects"] if not name.startswith("imapmeter")]


def ratios(figure: Figure, ours: list[dict], theirs: list[dict]) -> list[float]:
    """Round by round, since what disturbs a machine disturbs neighbours in time alike."""
    return [figure.value(one) / figure.value(other) for one, other in zip(ours, theirs)]


def interval(values: list[float]) -> tuple[float, float, float]:
    """The median between the two rounds that enclose the true one in 95 of 100 runs, whatever the distribution: it is
    below the k-th smallest as often as k - 1 of n tossed coins at most show heads. Of few rounds, the outermost."""
    ordered = sorted(values)
    rounds = len(ordered)
    rank, below = 0, 1 / 2 ** rounds
    while rank < (rounds - 1) // 2 and below + comb(rounds, rank + 1) / 2 ** rounds <= 0.025:
        rank += 1
        below += comb(rounds, rank) / 2 ** rounds
    return ordered[rank], median(ordered), ordered[-1 - rank]


def spread(values: list[float], digits: str | None = None) -> str:
    lower, middle, upper = interval(values)
    digits = digits or (".3g" if lower < 100 else ".0f")
    return f"{middle:{digits}} ({lower:{digits}} to {upper:{digits}})"


def groups(document: dict) -> dict[tuple, dict[str, list[dict]]]:
    """(set-up, workload, connections) -> subject -> results in order of their rounds."""
    found: dict[tuple, dict[str, list[dict]]] = {}
    for entry in document["results"]:
        key = entry["setup"], entry["workload"], entry["connections"]
        found.setdefault(key, {}).setdefault(entry["subject"], []).append(entry["result"])
    return found


def title(workload: str, connections: int, figure: Figure) -> str:
    return f"{figure.label}, {connections:,} sessions" if workload == "idle" else figure.label
