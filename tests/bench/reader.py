"""The reader alone: parser_bench by the clock and, for instructions, under callgrind."""

import os
import re
from pathlib import Path

from processes import BenchError, output_of
from subjects.common import program, text_of

# Workload -> rounds of two runs under callgrind: their difference is free of what the program does only once.
ROUNDS = {"bulk": (2, 6), "lines": (2, 6), "commands": (1000, 3000), "statuses": (2, 6)}
# The two ends of the reader, without what feeds them.
MEASURED = ("imapmeter::imap::SessionTracker::server(*", "imapmeter::imap::SessionTracker::client(*")
SAID = re.compile(r"(\d+) octets, (\d+) lines: +([\d.]+) ns")
COLLECTED = re.compile(r"Collected : (\d+)")


def collected(parser_bench: Path, workload: str, rounds: int) -> int:
    text = text_of([program("valgrind"), "--tool=callgrind", "--callgrind-out-file=/dev/null",
                    *(f"--toggle-collect={function}" for function in MEASURED),
                    str(parser_bench), workload, str(rounds)])
    found = COLLECTED.search(text)
    if not found or int(found[1]) == 0:
        raise BenchError(f"callgrind counted nothing in parser_bench {workload}: {text[-200:]}")
    return int(found[1])


def measure(parser_bench: Path, cpu: int) -> list[dict]:
    results = []
    for workload, (few, many) in ROUNDS.items():
        said = SAID.search(output_of([str(parser_bench), workload],
                                     preexec_fn=lambda: os.sched_setaffinity(0, {cpu})))
        instructions = (collected(parser_bench, workload, many) - collected(parser_bench, workload, few)) / (many - few)
        results.append({"workload": workload, "octets": int(said[1]), "lines": int(said[2]), "ns": float(said[3]),
                        "instructions": instructions})
        print(f"reader alone, {workload}: {instructions / int(said[2]):.0f} instructions a line", flush=True)
    return results


def lines(results: list[dict]) -> list[list[str]]:
    return [[result["workload"], f"{result['octets']:,}", f"{result['lines']:,}",
             f"{result['instructions'] / result['octets']:.3f}", f"{result['instructions'] / result['lines']:,.0f}",
             f"{result['ns'] / result['octets']:.3f}", f"{result['ns'] / result['lines']:,.0f}"] for result in results]
