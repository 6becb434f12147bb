"""From single measurements to a page of Markdown."""

from statistics import median

import reader
from figures import (SETUPS, SYSTEM_CALLS_PER, Figure, busy, figures_of, groups, interval, others, peers_in, ratios,
                     spread, system_calls, title)

# Where others use more than this share of a CPU, the run does not count.
QUIET_LIMIT = 0.10
# A load busier than this may be what limits the run. CPU per operation stays valid; latencies and rates do not.
BUSY_LIMIT = 0.70
# A subject that did less of what `mixed` plans had less work than the others.
BEHIND_LIMIT = 0.97


# Variants of imapmeter itself, which are no peers.
UNREAD, ASIO, AGAIN = "imapmeter-unread", "imapmeter-asio", "imapmeter-again"
# What of the CPU reading may cost at most (in percent), by workload.
OBSERVER_LIMITS = {"bulk": 2, "lines": 12, "commands": 6}


def progress_line(entry: dict) -> str:
    result = entry["result"]
    values = ", ".join(f"{figure.value(result):.4g} {figure.unit}" for figure in figures_of(entry["workload"]))
    shares = " ".join(f"{who} {busy(result, who):.0%}" for who in ("subject", "client", "server"))
    shares += f" others {others(result):.0%}"
    return (f"{entry['workload']:17} {entry['setup']:5} n={entry['connections']:<5} round {entry['round'] + 1} "
            f"{entry['subject']:18} {values}  [{shares}]")


def table(header: list[str], lines: list[list[str]]) -> list[str]:
    return ["| " + " | ".join(cells) + " |" for cells in [header, ["---"] * len(header), *lines]]


def overview(document: dict, setup: str) -> list[str]:
    """The medians of all ratios."""
    peers = peers_in(document)
    lines = []
    for (of_setup, workload, connections), by_subject in groups(document).items():
        if of_setup != setup or "imapmeter" not in by_subject:
            continue
        for figure in figures_of(workload):
            cells = [f"{median(ratios(figure, by_subject['imapmeter'], by_subject[peer])):.2f}"
                     if peer in by_subject else "" for peer in peers]
            lines.append([title(workload, connections, figure), *cells,
                          "" if figure.goal is None else f"{figure.goal:.2f}"])
    used = [any(line[1 + column] for line in lines) for column in range(len(peers))]
    header = ["imapmeter divided by", *peers, "aim against haproxy"]
    keep = [True, *used, True]
    return table([cell for cell, kept in zip(header, keep) if kept],
                 [[cell for cell, kept in zip(line, keep) if kept] for line in lines]) if lines else []


def more_than(document: dict, dearer: str, cheaper: str) -> list[list[str]]:
    """Workload, set-up, and how much more CPU the one used than the other, in percent with the interval."""
    lines = []
    for (setup, workload, connections), by_subject in groups(document).items():
        if dearer in by_subject and cheaper in by_subject:
            figure = figures_of(workload)[0]
            more = [100 * (value - 1) for value in ratios(figure, by_subject[dearer], by_subject[cheaper])]
            lines.append([workload, title(workload, connections, figure), SETUPS[setup], spread(more, ".1f") + " %"])
    return lines


def observers_share(document: dict) -> list[str]:
    lines = [[*cells, f"< {OBSERVER_LIMITS[workload]} %"]
             for workload, *cells in more_than(document, "imapmeter", UNREAD)]
    header = ["workload", "", "CPU with reading, more than without", "aim"]
    return ["## The observer's share", "", "imapmeter against itself with `--observe off`, in the same run.", "",
            *table(header, lines), ""] if lines else []


def control(document: dict) -> list[str]:
    lines = [cells for _, *cells in more_than(document, "imapmeter", AGAIN)]
    return ["## imapmeter beside itself", "",
            "A second process of the same binary in the same run: what is not 0 here is the machine.", "",
            *table(["workload", "", "CPU, more than itself"], lines), ""] if lines else []


def not_below(document: dict) -> list[str]:
    """Every ratio whose interval reaches 1."""
    lines = []
    for (setup, workload, connections), by_subject in groups(document).items():
        for peer in peers_in(document):
            if "imapmeter" not in by_subject or peer not in by_subject:
                continue
            for figure in figures_of(workload):
                values = ratios(figure, by_subject["imapmeter"], by_subject[peer])
                if interval(values)[2] >= 1:
                    lines.append([title(workload, connections, figure), SETUPS[setup], peer, spread(values, ".2f")])
    header = ["", "", "peer", "imapmeter / it"]
    return ["## Not below 1", "", "Ratios whose interval reaches 1.", "",
            *(table(header, lines) if lines else ["None."]), ""] if peers_in(document) else []


def asio_waits(document: dict) -> list[str]:
    lines = [cells for _, *cells in more_than(document, ASIO, "imapmeter")]
    return ["## The same relay on Asio", "",
            "imapmeter against itself with its loop driven by the waits of Boost.Asio (`asio_loop`), in the same run.", "",
            *table(["workload", "", "CPU with Asio, more than without"], lines), ""] if lines else []


def share(results: list[dict], who: str) -> str:
    value = median(busy(result, who) for result in results)
    return f"{value:.0%}" + (" !" if who != "subject" and value > BUSY_LIMIT else "")


def load_cells(setup: str, results: list[dict]) -> list[str]:
    """Whether the load could keep up, what was done, and what was checked."""
    rate = median(result["operations"] / result["window_s"] for result in results)
    planned = median(result["planned"] / result["window_s"] for result in results)
    behind = " !" if rate < planned * BEHIND_LIMIT else ""
    cells = [f"{rate:,.0f}{behind}" if rate else "", *(share(results, who) for who in ("subject", "client", "server")),
             f"{median(others(result) for result in results):.0%}",
             f"{sum(result['journal']['bytes_in'] for result in results):,}"]
    return cells + ([upstream_handshakes(results)] if setup == "tls" else [])


def system_calls_cell(results: list[dict]) -> str:
    counted = [calls for calls in map(system_calls, results) if calls is not None]
    if not counted:
        return "not counted"
    return f"{median(counted):,.0f}" if median(counted) >= 100 else f"{median(counted):.1f}"


def upstream_handshakes(results: list[dict]) -> str:
    total = sum(result["server_journal"]["handshakes"] for result in results)
    return f"{sum(result['server_journal']['resumed'] for result in results) / total:.0%}" if total else ""


def detail(key: tuple, by_subject: dict[str, list[dict]]) -> list[str]:
    """All of one row of the overview: each subject with its figures and its load."""
    setup, workload, connections = key
    figures = figures_of(workload)
    header = ["subject"]
    for figure in figures:
        header += [figure.unit, "imapmeter / it"]
    header += [f"system calls per {SYSTEM_CALLS_PER[workload]}"] if workload in SYSTEM_CALLS_PER else []
    header += ["per second", "subject busy", "client", "server", "others", "octets compared"]
    header += ["server's handshakes resumed"] if setup == "tls" else []
    lines = []
    for name, results in by_subject.items():
        cells = [name]
        for figure in figures:
            cells += [spread([figure.value(result) for result in results]), ratio_cell(figure, name, by_subject)]
        if workload in SYSTEM_CALLS_PER:
            cells.append(system_calls_cell(results))
        lines.append(cells + load_cells(setup, results))
    return [f"### {SETUPS[setup]}: {title(workload, connections, figures[0])}", "", *table(header, lines), ""]


def ratio_cell(figure: Figure, name: str, by_subject: dict[str, list[dict]]) -> str:
    if name == "imapmeter" or "imapmeter" not in by_subject:
        return ""
    return "**" + spread(ratios(figure, by_subject["imapmeter"], by_subject[name]), ".2f").replace(" ", "** ", 1)


def introduction(document: dict) -> list[str]:
    first = document["results"][0]["result"]["journal"]
    text = ["# Benchmarks", "",
            f"Measured on {document['date']} by `{document['command']}` ({document['minutes']} minutes): "
            f"{document['rounds']} interleaved rounds (twice as many of commands and handshakes, half as "
            "many again of bulk, lines and mixed, a tenth of idle), each with a window of "
            f"{document['seconds']:g} s or more, fresh processes every five rounds, one worker each. Values are medians with (the "
            "interval of 95 %); less is better everywhere. CPU is user and system time of the whole subject, all "
            "processes and threads. Ratios are taken round by round. Absolute figures differ between machines, so only the ratios mean something elsewhere.", "",
            f"TLS: {first['version']}, {first['cipher']}, {first['group']}, one P-256 certificate for all; with TLS "
            "upstream the server's certificate is verified by all. The client compares every octet with what the "
            "server must have said; imapmeter's own counters equal the work done in every one of its "
            f"{sum(entry['counters_checked'] for entry in document['results'])} measurements.", ""]
    disturbance = median(others(entry["result"]) for entry in document["results"])
    if disturbance > QUIET_LIMIT:
        text += [f"**Not a quiet machine**: other processes used {disturbance:.0%} of a CPU (median). "
                 "Run it again alone before quoting any of this.", ""]
    return text


def subject_text(name: str, subject: dict) -> list[str]:
    text = [f"**{name}**: {subject['version']}, one worker", ""]
    for setup, configuration in subject["configuration"].items():
        text += [f"{SETUPS[setup]}:", "", "```", configuration.strip(), "```", ""]
    return text


def left_out(document: dict) -> list[str]:
    sentences = sorted({f"- {entry['subject']} {entry['why']}: no {entry['row']}." for entry in document["omitted"]})
    return ["## Left out", "", *sentences, ""] if sentences else []


def reader_alone(document: dict) -> list[str]:
    if not document["reader"]:
        return []
    header = ["workload", "octets", "lines", "instructions per octet", "instructions per line", "ns per octet",
              "ns per line"]
    return ["## The reader alone", "",
            "`parser_bench`: a session's tracker fed from memory; instructions by callgrind.", "",
            *table(header, reader.lines(document["reader"])), ""]


def markdown(document: dict, drawn: dict[str, str]) -> str:
    """`drawn`: set-up -> file of its chart."""
    text = introduction(document)
    for setup, heading in SETUPS.items():
        lines = overview(document, setup)
        text += [f"## {heading}", "", *lines, ""] if lines else []
        text += [f"![The same with intervals]({drawn[setup]})", ""] if setup in drawn else []
    text += not_below(document) + control(document) + observers_share(document) + asio_waits(document)
    text += reader_alone(document)
    text += ["## Every row", "",
             "With the share of one CPU that each side used within the window. `!`: more than "
             f"{BUSY_LIMIT:.0%}, so that latencies and rates of this row are partly the load's own; CPU per operation "
             "is not. At the rate of `mixed`: less than planned was done in time.", ""]
    for key, by_subject in groups(document).items():
        text += detail(key, by_subject)
    text += left_out(document)
    text += ["## Machine", "", *table(["", ""], [[key, value] for key, value in document["machine"].items()]), "",
             "## Subjects", ""]
    for name, subject in document["subjects"].items():
        text += subject_text(name, subject)
    return "\n".join(text)
