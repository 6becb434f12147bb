"""A strict reader of the Prometheus text format 0.0.4: what it lets pass, every scraper accepts."""

import math
import re
import subprocess
from dataclasses import dataclass, field

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"')
_TYPES = ("counter", "gauge", "histogram", "summary", "untyped")
_ESCAPES = {r"\\": "\\", r"\"": '"', r"\n": "\n"}

Labels = tuple[tuple[str, str], ...]


class ExpositionError(AssertionError):
    """The exposition breaks a rule of the format."""


@dataclass
class Family:
    type: str = ""
    help: str | None = None
    samples: dict[tuple[str, Labels], float] = field(default_factory=dict)


class Exposition:
    """One scrape."""

    def __init__(self, families: dict[str, Family]):
        self.families = families
        self.samples = {key: value for family in families.values() for key, value in family.samples.items()}

    @property
    def series(self) -> int:
        return len(self.samples)

    def sum(self, name: str, **labels: str) -> float:
        """Over all samples of this name that carry these labels; 0 where there are none."""
        wanted = set(labels.items())
        return sum(value for (sample, have), value in self.samples.items() if sample == name and wanted <= set(have))

    def by(self, name: str, label: str, **labels: str) -> dict[str, float]:
        """The non-zero sums per value of `label`."""
        sums: dict[str, float] = {}
        wanted = set(labels.items())
        for (sample, have), value in self.samples.items():
            if sample == name and wanted <= set(have) and value:
                key = dict(have)[label]
                sums[key] = sums.get(key, 0) + value
        return sums

    def has(self, name: str) -> bool:
        return name in self.families

    def counters(self) -> dict[tuple[str, Labels], float]:
        """Every sample that may never go backwards."""
        found = {}
        for family in self.families.values():
            for (name, labels), value in family.samples.items():
                if family.type == "counter" or (family.type == "histogram" and not name.endswith("_sum")):
                    found[name, labels] = value
        return found


def parse(text: str) -> Exposition:
    """Raises ExpositionError at the first line that is not allowed."""
    if text and not text.endswith("\n"):
        raise ExpositionError("the last line does not end in LF")
    families: dict[str, Family] = {}
    finished: set[str] = set()
    current = ""
    for number, line in enumerate(text.split("\n")[:-1], 1):
        try:
            name = _read_line(line, families)
        except ExpositionError as error:
            raise ExpositionError(f"line {number}: {error}: {line[:200]!r}") from None
        if name and name != current:
            if name in finished:
                raise ExpositionError(f"line {number}: the lines of {name} are not together")
            finished.add(current)
            current = name
    for name, family in families.items():
        _check_family(name, family)
    return Exposition(families)


def check_with_promtool(text: str) -> None:
    """Prometheus' own reader and its lint find nothing to say."""
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0 or done.stdout or done.stderr:
        raise ExpositionError(f"promtool check metrics: {done.stdout}{done.stderr}")


def _read_line(line: str, families: dict[str, Family]) -> str:
    """Returns the family that the line belongs to, "" for an empty line or a comment."""
    if line.startswith("# HELP ") or line.startswith("# TYPE "):
        kind, name, rest = (line[2:].split(" ", 2) + ["", ""])[:3]
        if not _NAME.fullmatch(name):
            raise ExpositionError("bad metric name")
        family = families.setdefault(name, Family())
        _describe(family, kind, rest)
        return name
    if not line or line.startswith("#"):
        return ""
    name, labels, value = _sample(line)
    owner = _owner(name, families)
    family = families[owner]
    if (name, labels) in family.samples:
        raise ExpositionError("duplicate series")
    family.samples[name, labels] = value
    return owner


def _describe(family: Family, kind: str, rest: str) -> None:
    if family.samples:
        raise ExpositionError(f"{kind} behind the samples")
    if kind == "HELP":
        if family.help is not None:
            raise ExpositionError("second HELP")
        if not rest.strip():
            raise ExpositionError("empty HELP")
        family.help = rest
        return
    if family.type:
        raise ExpositionError("second TYPE")
    if rest not in _TYPES:
        raise ExpositionError("unknown TYPE")
    family.type = rest


def _sample(line: str) -> tuple[str, Labels, float]:
    match = _NAME.match(line)
    if not match:
        raise ExpositionError("bad metric name")
    name, at = match[0], match.end()
    labels: list[tuple[str, str]] = []
    if line[at:at + 1] == "{":
        labels, at = _labels(line, at + 1)
    if line[at:at + 1] != " ":
        raise ExpositionError("no space before the value")
    fields = line[at + 1:].split(" ")
    if len(fields) > 2 or (len(fields) == 2 and not re.fullmatch(r"-?\d+", fields[1])):
        raise ExpositionError("something behind the value")
    return name, tuple(sorted(labels)), _number(fields[0])


def _labels(line: str, at: int) -> tuple[list[tuple[str, str]], int]:
    labels: list[tuple[str, str]] = []
    while line[at:at + 1] != "}":
        match = _LABEL.match(line, at)
        if not match:
            raise ExpositionError("bad label")
        if match[1] in (key for key, _ in labels):
            raise ExpositionError("duplicate label")
        labels.append((match[1], re.sub(r"\\.", lambda escape: _ESCAPES[escape[0]], match[2])))
        at = match.end()
        if line[at:at + 1] == ",":
            at += 1
        elif line[at:at + 1] != "}":
            raise ExpositionError("bad label list")
    return labels, at + 1


def _number(text: str) -> float:
    if text in ("+Inf", "-Inf", "NaN"):
        return float(text.replace("Inf", "inf"))
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text):
        raise ExpositionError("bad value")
    return float(text)


def _owner(name: str, families: dict[str, Family]) -> str:
    """The family of a sample; a sample without TYPE is an error here."""
    if name in families and families[name].type not in ("", "histogram", "summary"):
        return name
    for suffix in ("_bucket", "_sum", "_count"):
        base = name.removesuffix(suffix)
        if base != name and base in families and families[base].type in ("histogram", "summary"):
            return base
    raise ExpositionError("no TYPE for this sample")


def _check_family(name: str, family: Family) -> None:
    if not family.type or family.help is None:
        raise ExpositionError(f"{name}: HELP or TYPE is missing")
    if family.type == "counter" and not name.endswith("_total"):
        raise ExpositionError(f"{name}: a counter whose name does not end in _total")
    if family.type == "histogram":
        _check_histogram(name, family)
    for key, value in family.samples.items():
        if math.isnan(value) or (math.isinf(value) or value < 0) and family.type == "counter":
            raise ExpositionError(f"{key}: {value}")


def _check_histogram(name: str, family: Family) -> None:
    """Buckets rise, none is repeated, +Inf is the count, and each set of labels has a sum and a count."""
    buckets: dict[Labels, list[tuple[float, float]]] = {}
    for (sample, labels), value in family.samples.items():
        if sample == f"{name}_bucket":
            edges = [edge for key, edge in labels if key == "le"]
            if len(edges) != 1:
                raise ExpositionError(f"{name}: a bucket without le")
            rest = tuple(label for label in labels if label[0] != "le")
            buckets.setdefault(rest, []).append((_number(edges[0]), value))
    others = {labels for sample, labels in family.samples if sample != f"{name}_bucket"}
    for labels in others | set(buckets):
        steps = buckets.get(labels, [])
        if steps != sorted(steps) or len({edge for edge, _ in steps}) != len(steps):
            raise ExpositionError(f"{name}{labels}: bucket edges are not in order")
        if any(low[1] > high[1] for low, high in zip(steps, steps[1:])):
            raise ExpositionError(f"{name}{labels}: buckets are not cumulative")
        count = family.samples.get((f"{name}_count", labels))
        if not steps or not math.isinf(steps[-1][0]) or steps[-1][1] != count:
            raise ExpositionError(f"{name}{labels}: +Inf bucket and _count differ")
        if (f"{name}_sum", labels) not in family.samples:
            raise ExpositionError(f"{name}{labels}: no _sum")
