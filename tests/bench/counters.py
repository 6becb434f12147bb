"""imapmeter's own counters against the journals of the clients: a cheap proxy that miscounts is no result."""

import re
import time
import urllib.request

from processes import BenchError

SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'(\w+)="([^"]*)"')


def scrape(admin: str) -> list[tuple[str, dict[str, str], float]]:
    with urllib.request.urlopen(f"http://{admin}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    found = (SAMPLE.match(line) for line in lines if not line.startswith("#"))
    return [(match[1], dict(LABEL.findall(match[2] or "")), float(match[3])) for match in found if match]


def total(samples, family: str, **labels: str) -> float | None:
    """The sum of a family's matching samples; None where the family has none at all."""
    family_samples = [(given, value) for name, given, value in samples if name == family]
    if not family_samples:
        return None
    return sum(value for given, value in family_samples if labels.items() <= given.items())


def at_rest(admin: str, seconds: float = 5.0):
    """The samples once no session is open."""
    deadline = time.monotonic() + seconds
    while True:
        samples = scrape(admin)
        if total(samples, "imapmeter_sessions") == 0:
            return samples
        if time.monotonic() > deadline:
            raise BenchError(f"imapmeter still counts open sessions {seconds:.0f} s after the last one ended")


def check(admin: str, journals: list[dict]) -> None:
    samples = at_rest(admin)

    def done(*keys: str) -> int:
        return sum(journal[key] for journal in journals for key in keys)

    def responses(**labels):
        return "imapmeter_responses_total", labels

    def data(keyword):
        return "imapmeter_untagged_data_total", {"keyword": keyword}

    def octets(direction):
        return "imapmeter_bytes_total", {"direction": direction}

    expected = [
        (*responses(), done("greetings", "tagged_ok", "untagged_ok", "untagged_bye")),
        (*responses(kind="greeting", status="OK"), done("greetings")),
        (*responses(kind="tagged", status="OK"), done("tagged_ok")),
        (*responses(kind="untagged", status="OK"), done("untagged_ok")),
        (*responses(kind="untagged", status="BYE"), done("untagged_bye")),
        (*data("EXISTS"), done("untagged_exists")),
        (*octets("server_to_client"), done("bytes_in")),
        (*octets("client_to_server"), done("bytes_out")),
        ("imapmeter_sessions_accepted_total", {}, done("connections")),
        ("imapmeter_tls_handshakes_total", {"side": "client", "result": "ok"},
         done("full_handshakes", "resumed_handshakes")),
        ("imapmeter_opaque_sessions_total", {}, 0),
        ("imapmeter_anomalies_total", {}, 0),
        ("imapmeter_authored_total", {}, 0),
    ]
    for family, labels, value in expected:
        counted = total(samples, family, **labels)
        if family == "imapmeter_untagged_data_total" and counted is None:
            counted = 0  # has no sample before the first datum
        if counted != value:
            text = ", ".join(f'{name}="{label}"' for name, label in labels.items())
            raise BenchError(f"{family}{{{text}}} is {counted}, but {value} is what was done")
