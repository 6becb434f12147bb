"""Traffic: the programs of tests/integration/traffic, each both sides of many sessions in one process."""

import os
import re
import subprocess
from pathlib import Path

from .chunking import seed
from .exposition import Exposition
from .invariants import at_rest, check_conservation
from .proxy import Proxy
from .timing import scaled

_SAMPLE = re.compile(r'(?P<name>\w+)(?:\{(?P<labels>.*)\})? (?P<value>\d+)')
_LABEL = re.compile(r'(\w+)="([^"]*)"')

# family -> {((label, value), …): count}
Samples = dict[str, dict[tuple[tuple[str, str], ...], float]]


class Traffic:
    """`program` listens as soon as this returns (see port); run() sends its traffic through a proxy in front of it.
    Options become flags: capability_words=1 is --capability-words 1."""

    def __init__(self, program: str, **options):
        directory = os.environ.get("IMAPMETER_TRAFFIC_DIR")
        if not directory:
            raise AssertionError("IMAPMETER_TRAFFIC_DIR names no directory")
        options = {"seed": seed(), "patience": int(scaled(30)), **options}
        flags = [word for name, value in options.items() for word in ("--" + name.replace("_", "-"), str(value))]
        print(f"{program} {' '.join(flags)} (IMAPMETER_SEED={seed()} repeats it)", flush=True)
        self._child = subprocess.Popen([Path(directory) / program, *flags], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        word, port = (self._child.stdout.readline().split() + ["", ""])[:2]
        if word != "upstream":
            self.close()
            raise AssertionError(f"{program} did not start")
        self.port = int(port)

    def run(self, proxy: Proxy, timeout: float) -> Samples:
        """What the proxy must have counted; AssertionError with the first wrong octet of each session otherwise."""
        host, port = proxy.address
        try:
            output, errors = self._child.communicate(f"{host} {port}\n", scaled(timeout))
        except subprocess.TimeoutExpired:
            self.close()
            raise AssertionError(f"not done after {scaled(timeout):g} s") from None
        if self._child.returncode != 0:
            raise AssertionError(f"exit status {self._child.returncode}:\n{errors[:4000]}")
        return _samples(output)

    def close(self) -> None:
        self._child.kill()
        self._child.communicate()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def check_counted(proxy: Proxy, expected: Samples, ignored: frozenset[str] = frozenset()) -> Exposition:
    """Every expected family, summed over the labels that are not expected, equals the proxy's at rest, and nothing
    else in it was counted, but for samples that carry an `ignored` label value."""
    metrics = at_rest(proxy)
    wrong = []
    for family, samples in expected.items():
        labels = {label for key in samples for label, _ in key}
        counted: dict = {}
        for (name, have), value in metrics.samples.items():
            key = tuple(sorted(pair for pair in have if pair[0] in labels))
            if name == family and value and not ignored & {text for _, text in key}:
                counted[key] = counted.get(key, 0) + value
        for key in sorted(counted.keys() | samples.keys()):
            if counted.get(key, 0) != samples.get(key, 0):
                wrong.append(f"{family}{dict(key)}: {samples.get(key, 0)} expected, {counted.get(key, 0):.0f} counted")
    if wrong:
        raise AssertionError("\n".join([f"{len(wrong)} samples are wrong:", *wrong[:60]]))
    check_conservation(metrics)
    return metrics


def _samples(text: str) -> Samples:
    samples: Samples = {}
    for line in text.splitlines():
        match = _SAMPLE.fullmatch(line)
        if not match:
            raise AssertionError(f"no sample: {line!r}")
        key = tuple(sorted(_LABEL.findall(match["labels"] or "")))
        samples.setdefault(match["name"], {})[key] = int(match["value"])
    return samples
