#!/usr/bin/env python3
"""metrics_documented.py BINARY: docs/metrics.md and /metrics name the same families, types, labels and label values."""

import re
import subprocess
import sys
import urllib.request

import sources

ROW = re.compile(r"^\| `(\w+)`( ●)? \| (counter|gauge|histogram) \| ([^|]*)\|", re.MULTILINE)
TYPE = re.compile(r"^# TYPE (\w+) (\w+)$", re.MULTILINE)
SERIES = re.compile(r"^(\w+)(?:\{(.*)\})? ", re.MULTILINE)
LABEL = re.compile(r'(\w+)="([^"]*)"')
# Values that come from the configuration or the build.
FREE = {"listener", "upstream", "server", "certificate", "bind", "version", "revision", "openssl", "boost"}
ARGUMENTS = ["--listen", "imaps://127.0.0.1:0", "--self-signed", "--upstream", "imap://127.0.0.1:1", "--admin", "127.0.0.1:0"]


def scrape(binary):
    with subprocess.Popen([binary, *ARGUMENTS], stdout=subprocess.PIPE, text=True) as child:
        try:
            ready = child.stdout.readline()
            address = re.search(r"\badmin=(\S+)", ready).group(1)
            with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
                return answer.read().decode()
        finally:
            child.terminate()


def family(sample, types):
    """A histogram's samples bear suffixes."""
    base = re.sub(r"_(bucket|sum|count)$", "", sample)
    return base if types.get(base) == "histogram" else sample


def findings(exposed, document):
    documented = {name: (always, kind, set(re.findall(r"`(\w+)`", labels)))
                  for name, always, kind, labels in ROW.findall(document)}
    types = dict(TYPE.findall(exposed))
    labels, values = {}, set()
    for sample, text in SERIES.findall(exposed):
        name = family(sample, types)
        pairs = [pair for pair in LABEL.findall(text) if pair[0] != "le"]
        labels[name] = {label for label, _ in pairs}
        values |= {(name, label, value) for label, value in pairs if label not in FREE}
    for name in types.keys() - documented.keys():
        yield f"{name} is exposed and not documented"
    for name, (always, kind, wanted) in documented.items():
        if name not in types:
            if always:
                yield f"{name} is documented as always there and not exposed"
        elif types[name] != kind or labels[name] != wanted:
            yield f"{name} is a {types[name]} with {sorted(labels[name])}, documented as {kind} with {sorted(wanted)}"
    quoted = re.findall(r"`([^`]+)`", document)
    words = {word for each in quoted for word in (each, *each.split())}  # `A B C` documents three values
    for name, label, value in sorted(values):
        if value not in words:
            yield f"{name}: {label}=\"{value}\" is not documented"


def main():
    # The second has the kinds of failures.
    document = "".join((sources.ROOT / "docs" / name).read_text() for name in ("metrics.md", "verdict.md"))
    exposed = scrape(sys.argv[1])
    missing = exposed.replace("imapmeter_bye_total", "imapmeter_bye_count_total").replace('"NOT_DEFINED"', '"UNHEARD_OF"')
    if len(list(findings(missing, document))) != 3:
        sys.exit("the test itself is broken: it does not find what is not documented")
    found = list(findings(exposed, document))
    print("\n".join(found))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
