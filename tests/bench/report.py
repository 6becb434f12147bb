"""From single measurements to medians, ratios with their spread, and Markdown."""

from dataclasses import dataclass
from statistics import median
from typing import Callable


@dataclass
class Figure:
    """One line of the table of results; less is better in all of them."""

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


FIGURES = [
    Figure("bulk", "bulk (1 MiB literals)", "CPU s/GB", cpu_per_gigabyte, 0.55),
    Figure("lines", "lines (FETCH of short fields)", "CPU s/GB", cpu_per_gigabyte, 0.75),
    Figure("commands", "commands (NOOP)", "CPU µs each", cpu_us_per_operation, 0.82),
    Figure("commands", "commands, p50", "µs", lambda result: result["p50_us"], 1.0),
    Figure("commands", "commands, p99", "µs", lambda result: result["p99_us"], 1.0),
    Figure("handshake-full", "handshake, full", "CPU µs each", cpu_us_per_operation, 0.80),
    Figure("handshake-resumed", "handshake, resumed", "CPU µs each", cpu_us_per_operation, 0.85),
    Figure("idle", "idle", "KiB resident per session", kib_per_session, 0.85),
]
SETUPS = {"plain": "TLS to plaintext", "tls": "TLS to TLS"}
# Where others use more than this share of a CPU, the run does not count.
QUIET_LIMIT = 0.10
# A client busier than this may be what limits the run. CPU per operation stays valid; latencies and rates do not.
BUSY_LIMIT = 0.70


def busy(result: dict, who: str) -> float:
    return result[who]["cpu_s"] / result["window_s"]


def others(result: dict) -> float:
    """Share of one CPU that neither subject nor client nor server used."""
    ours = sum(result[who]["cpu_s"] for who in ("subject", "client", "server"))
    return max(0.0, (result["machine_cpu_s"] - ours) / result["window_s"])


def progress_line(entry: dict) -> str:
    result = entry["result"]
    values = ", ".join(f"{figure.value(result):.4g} {figure.unit if figure.label[-3:-2] != 'p' else figure.label[-3:]}"
                       for figure in FIGURES if figure.workload == entry["workload"])
    shares = " ".join(f"{who} {busy(result, who):.0%}" for who in ("subject", "client", "server"))
    shares += f" others {others(result):.0%}"
    return (f"{entry['workload']:17} {entry['setup']:5} n={entry['connections']:<5} round {entry['round'] + 1} "
            f"{entry['subject']:14} {values}  [{shares}]")


def groups(document: dict) -> dict[tuple, dict[str, list[dict]]]:
    """(workload, connections, set-up) -> subject -> results in order of their rounds."""
    found: dict[tuple, dict[str, list[dict]]] = {}
    for entry in document["results"]:
        key = entry["workload"], entry["connections"], entry["setup"]
        found.setdefault(key, {}).setdefault(entry["subject"], []).append(entry["result"])
    return found


def spread(values: list[float], digits: str) -> str:
    return f"{median(values):{digits}} ({min(values):{digits}} to {max(values):{digits}})"


def table(header: list[str], lines: list[list[str]]) -> list[str]:
    return ["| " + " | ".join(cells) + " |" for cells in [header, ["---"] * len(header), *lines]]


def ratio_lines(document: dict, setup: str) -> list[list[str]]:
    lines = []
    for figure in FIGURES:
        for (workload, connections, of_setup), by_subject in groups(document).items():
            if workload != figure.workload or of_setup != setup:
                continue
            label = f"{figure.label}, {connections:,} sessions" if workload == "idle" else figure.label
            goal = "" if figure.goal is None else f"{figure.goal:.2f}"
            values = {name: [figure.value(result) for result in results] for name, results in by_subject.items()}
            cells = [label, figure.unit]
            for name in document["subjects"]:
                cells.append(spread(values[name], ".3g" if min(values[name]) < 100 else ".0f"))
            if "imapmeter" in values:
                for name in document["subjects"]:
                    if name != "imapmeter":
                        # Round by round, since what disturbs a machine disturbs neighbours in time alike.
                        ratios = [ours / theirs for ours, theirs in zip(values["imapmeter"], values[name])]
                        cells.append("**" + spread(ratios, ".2f").replace(" ", "** ", 1))
                cells.append(goal)
            lines.append(cells)
    return lines


def ratio_header(document: dict) -> list[str]:
    names = list(document["subjects"])
    header = ["workload", "unit", *names]
    if "imapmeter" in names:
        header += [f"imapmeter / {name}" for name in names if name != "imapmeter"] + ["aim against haproxy"]
    return header


def load_lines(document: dict) -> list[list[str]]:
    """Whether the load could keep up, what was done, and what was checked."""
    lines = []
    for (workload, connections, setup), by_subject in groups(document).items():
        for name, results in by_subject.items():
            client = median(busy(result, "client") for result in results)
            rate = median(result["operations"] / result["window_s"] for result in results)
            verified = sum(result["journal"]["bytes_in"] for result in results)
            lines.append([
                f"{workload} {connections:,}", SETUPS[setup], name,
                f"{median(busy(result, 'subject') for result in results):.0%}",
                f"{client:.0%}" + (" !" if client > BUSY_LIMIT else ""),
                f"{median(busy(result, 'server') for result in results):.0%}",
                f"{median(others(result) for result in results):.0%}",
                f"{rate:,.0f}" if rate else "",
                f"{verified:,}",
                upstream_handshakes(results),
            ])
    return lines


def upstream_handshakes(results: list[dict]) -> str:
    total = sum(result["server_journal"]["handshakes"] for result in results)
    return f"{sum(result['server_journal']['resumed'] for result in results) / total:.0%}" if total else ""


def markdown(document: dict) -> str:
    first = document["results"][0]["result"]["journal"]
    text = ["# Benchmarks", "",
            f"Measured on {document['date']} by `{document['command']}` ({document['minutes']} minutes): "
            f"{document['rounds']} interleaved rounds, each with a window of {document['seconds']:g} s, a fresh process "
            "per measurement, one worker each. Values are medians with (minimum to maximum); less is better everywhere. "
            "CPU is user and system time of the whole process, all threads. Ratios are taken round by round. "
            "Absolute figures differ between machines, so only the ratios mean something elsewhere.", "",
            f"TLS: {first['version']}, {first['cipher']}, {first['group']}, one P-256 certificate for all; with TLS "
            "upstream the server's certificate is verified by all. The client compares every octet with what the "
            "server must have said; imapmeter's own counters equal the work done in every single measurement.", ""]
    disturbance = median(others(entry["result"]) for entry in document["results"])
    if disturbance > QUIET_LIMIT:
        text += [f"**Not a quiet machine**: other processes used {disturbance:.0%} of a CPU (median). "
                 "Run it again alone before quoting any of this.", ""]
    for setup, title in SETUPS.items():
        lines = ratio_lines(document, setup)
        if lines:
            text += [f"## {title}", "", *table(ratio_header(document), lines), ""]
    text += ["## The load", "",
             "Share of one CPU that each side used within the window. `!`: the client used more than "
             f"{BUSY_LIMIT:.0%}, so that latencies and rates of this row are partly its own; CPU per operation is not.",
             "",
             *table(["workload", "set-up", "subject", "subject busy", "client", "server", "others", "per second",
                     "octets compared", "upstream handshakes resumed"], load_lines(document)), ""]
    text += ["## Machine", "", *table(["", ""], [[key, value] for key, value in document["machine"].items()]), "",
             "## Subjects", ""]
    for name, subject in document["subjects"].items():
        text.append(f"**{name}**: {subject['version']}, one worker")
        text.append("")
        for setup, configuration in subject["configuration"].items():
            text += [f"{SETUPS[setup]}:", "", "```", configuration.strip(), "```", ""]
    return "\n".join(text)
