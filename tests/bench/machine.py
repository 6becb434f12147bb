"""The build of the tools, the certificates, and what the machine is."""

import hashlib
import os
import platform
import re
import ssl
from dataclasses import dataclass
from pathlib import Path

from processes import BenchError, output_of


OURS = ["imapmeter", "parser_bench", "imapmeter_asio"]


@dataclass
class Tools:
    client: Path
    server: Path
    imapmeter: Path | None
    parser_bench: Path | None
    asio: Path | None  # imapmeter on another loop


def build(root: Path, directory: Path, binary: Path | None, peers_only: bool) -> Tools:
    """Builds the load tools, and imapmeter with what only it is measured by where no binary is given, without tests."""
    targets = ["bench_client", "bench_server"] + ([] if binary or peers_only else OURS)
    if not (directory / "CMakeCache.txt").exists():
        output_of(["cmake", "-S", str(root), "-B", str(directory), "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
                   "-DIMAPMETER_TESTS=OFF", "-DIMAPMETER_BENCH=ON"])
    print(f"building {', '.join(targets)}", flush=True)
    output_of(["cmake", "--build", str(directory), "--target", *targets])
    if binary and not binary.exists():
        raise BenchError(f"there is no {binary}")
    imapmeter = None if peers_only else (binary or directory / "imapmeter").resolve()
    tools = directory / "tests" / "bench"
    built = [None, None] if binary or peers_only else [tools / "parser_bench", tools / "imapmeter_asio"]
    return Tools(tools / "bench_client", tools / "bench_server", imapmeter, *built)


@dataclass
class Certificates:
    ca: Path
    cert: Path
    key: Path
    both: Path        # certificate and key in one file, for those who want it so
    fingerprint: str  # SHA-256, as the client prints it


def make_certificates(scratch: Path) -> Certificates:
    """A CA and one P-256 certificate, used by every subject and by the server behind them."""
    ca, cert, key = scratch / "ca.pem", scratch / "cert.pem", scratch / "key.pem"
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    output_of(["openssl", "req", "-x509", *new_key, "-keyout", str(scratch / "ca.key"), "-out", str(ca),
               "-subj", "/CN=imapmeter benchmark CA"])
    output_of(["openssl", "req", "-x509", *new_key, "-keyout", str(key), "-out", str(cert), "-subj", "/CN=localhost",
               "-CA", str(ca), "-CAkey", str(scratch / "ca.key"), "-addext", "basicConstraints=critical,CA:FALSE",
               "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
    both = scratch / "both.pem"
    both.write_text(cert.read_text() + key.read_text())
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(cert.read_text())).hexdigest().upper()
    return Certificates(ca, cert, key, both, ":".join(re.findall("..", digest)))


def first_match(pattern: str, text: str, otherwise: str = "unknown") -> str:
    found = re.search(pattern, text, re.MULTILINE)
    return found.group(1).strip() if found else otherwise


def describe(cpus: list[int]) -> dict[str, str]:
    info = Path("/proc/cpuinfo").read_text()
    return {
        "processor": first_match(r"^model name\s*:\s*(.*)$", info),
        "virtual machine": "yes" if " hypervisor" in info else "no",
        "CPUs": f"{os.cpu_count()}, of which subject on {cpus[0]}, client on {cpus[1]}, server on {cpus[-1]}",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') // 2**20} MiB",
        "kernel": platform.release(),
        "congestion control": Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip(),
        "system": first_match(r'^PRETTY_NAME="(.*)"$', Path("/etc/os-release").read_text()),
        "OpenSSL": " ".join(ssl.OPENSSL_VERSION.split()[:2]),  # the library, which may be another than the program's
        "compiler": output_of(["c++", "--version"]).splitlines()[0],
    }
