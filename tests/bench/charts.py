"""One chart per set-up, drawn by gnuplot: the ratios of every row, with the intervals of their medians."""

import math
import subprocess
from pathlib import Path

from figures import SETUPS, figures_of, groups, interval, peers_in, ratios, title
from processes import BenchError
from subjects.common import program

# Readable on a light and on a dark page; there is no background.
TEXT = "#808080"
COLOURS = {"haproxy": "#3b82c4", "nginx-stream": "#2f9e6b", "nginx-mail": "#9a6fd0", "stunnel": "#d0782e",
           "hitch": "#c9517f"}
FILLED, OPEN = 7, 6  # gnuplot's circles: as packaged, tuned
ROW, HEADER, WIDTH = 62, 130, 860  # pixels
BEYOND = 4.0  # ratios above are drawn at the edge


def points(document: dict, setup: str) -> tuple[list[str], dict[str, list[str]]]:
    """The labels of the rows, and of each peer the lines `median interval row`."""
    peers = peers_in(document)
    labels: list[str] = []
    found: dict[str, list[str]] = {}
    for (of_setup, workload, connections), by_subject in groups(document).items():
        if of_setup != setup or "imapmeter" not in by_subject:
            continue
        for figure in figures_of(workload):
            present = [peer for peer in peers if peer in by_subject]
            for index, peer in enumerate(present):
                values = [min(value, BEYOND) for value in ratios(figure, by_subject["imapmeter"], by_subject[peer])]
                lower, middle, upper = interval(values)
                row = len(labels) + 0.8 * ((index + 0.5) / len(present) - 0.5)
                found.setdefault(peer, []).append(f"{middle:.4f} {lower:.4f} {upper:.4f} {row:.3f}")
            labels.append(title(workload, connections, figure))
    return labels, found


def script(labels: list[str], found: dict[str, list[str]], heading: str) -> str:
    blocks = [f"$p{index} << END\n" + "\n".join(lines) + "\nEND" for index, lines in enumerate(found.values())]
    ticks = ", ".join(f'"{label}" {row}' for row, label in enumerate(labels))
    plots = [f'$p{index} using 1:4:2:3 with xerrorbars pt {OPEN if peer.endswith("-tuned") else FILLED} ps 0.5 '
             f'lw 1.5 lc rgb "{COLOURS[peer.removesuffix("-tuned")]}" title "{peer}"'
             for index, peer in enumerate(found)]
    largest = max(float(line.split()[2]) for lines in found.values() for line in lines)
    return "\n".join([
        f'set terminal svg size {WIDTH},{HEADER + ROW * len(labels)} font "sans-serif,13" noenhanced',
        *blocks, f'set title "imapmeter divided by each peer, {heading}: left of 1 is cheaper" textcolor rgb "{TEXT}"',
        f'set border 1 lc rgb "{TEXT}"', f'set xtics 0.2 nomirror textcolor rgb "{TEXT}"',
        f'set ytics ({ticks}) scale 0 textcolor rgb "{TEXT}"',
        f'set xrange [0:{max(1.4, math.ceil(largest * 5) / 5)}]', f"set yrange [{len(labels) - 0.5}:-0.5]",
        f'set key below right horizontal samplen 1.5 maxcols 3 textcolor rgb "{TEXT}"',
        f'set arrow from 1,graph 0 to 1,graph 1 nohead lw 1.5 lc rgb "{TEXT}"',
        *(f'set arrow from graph 0,first {row + 0.5} to graph 1,first {row + 0.5} nohead lw 0.3 lc rgb "{TEXT}"'
          for row in range(len(labels) - 1)),
        "plot " + ", \\\n  ".join(plots), ""])


def draw(document: dict, page: Path) -> dict[str, str]:
    """Writes the charts beside `page`. Set-up -> name of its file."""
    files = {}
    for setup, heading in SETUPS.items():
        labels, found = points(document, setup)
        if not labels or not found:
            continue
        done = subprocess.run([program("gnuplot")], input=script(labels, found, heading),
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BenchError(f"gnuplot failed: {done.stderr.strip()[-300:]}")
        file = page.with_name(f"{page.stem}-{setup}.svg")
        file.write_text(done.stdout)
        files[setup] = file.name
    return files
