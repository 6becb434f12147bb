"""PROXY headers (HAProxy's doc/proxy-protocol.txt), composed and taken apart by a reading of our own."""

import ipaddress
import struct
from dataclasses import dataclass, field

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
UNKNOWN = b"PROXY UNKNOWN\r\n"
LOCAL = SIGNATURE + b"\x20\0\0\0"

TYPE_TLS, TLS_VERSION, TLS_CIPHER = 0x20, 0x21, 0x23

Endpoint = tuple[str, int]


def text_header(source: Endpoint, destination: Endpoint) -> bytes:
    """Version 1."""
    protocol = "TCP6" if ":" in source[0] else "TCP4"
    return f"PROXY {protocol} {source[0]} {destination[0]} {source[1]} {destination[1]}\r\n".encode()


def binary_header(source: Endpoint, destination: Endpoint, extensions: bytes = b"") -> bytes:
    """Version 2."""
    addresses = b"".join(ipaddress.ip_address(end[0]).packed for end in (source, destination))
    block = addresses + struct.pack("!HH", source[1], destination[1]) + extensions
    return SIGNATURE + bytes((0x21, 0x21 if ":" in source[0] else 0x11)) + struct.pack("!H", len(block)) + block


def extension(kind: int, value: bytes) -> bytes:
    return struct.pack("!BH", kind, len(value)) + value


@dataclass
class ProxyHeader:
    """Of version 2. `tls`: the client's version and cipher suite; None where it has no TLS."""
    local: bool
    source: Endpoint = ("", 0)
    destination: Endpoint = ("", 0)
    tls: tuple[str, str] | None = None
    certificate: bool = False  # the client has shown one that was verified
    others: set[int] = field(default_factory=set)  # types of further extensions


def take_proxy_header(wire) -> ProxyHeader:
    """Takes a header off a Wire that has read nothing before, and not an octet that follows it."""
    start = _take(wire, 16)
    if start[:12] != SIGNATURE or start[12] not in (0x20, 0x21):
        raise AssertionError(f"no PROXY header of version 2: {start!r}")
    block = _take(wire, struct.unpack("!H", start[14:])[0])
    if start[12] == 0x20:
        return ProxyHeader(local=True)
    size = {0x11: 4, 0x21: 16}[start[13]]
    ports = struct.unpack_from("!HH", block, 2 * size)
    ends = [(str(ipaddress.ip_address(block[i * size:(i + 1) * size])), ports[i]) for i in range(2)]
    header = ProxyHeader(False, *ends)
    for kind, value in _extensions(block[2 * size + 4:]):
        if kind != TYPE_TLS:
            header.others.add(kind)
            continue
        flags, verify = struct.unpack_from("!BI", value)
        within = dict(_extensions(value[5:]))
        header.tls = (within[TLS_VERSION].decode(), within[TLS_CIPHER].decode()) if flags & 1 else None
        header.certificate = verify == 0
    return header


def _take(wire, size: int) -> bytes:
    taken = 0
    while taken < size:
        got = wire.trickle(size - taken)
        if got == 0:
            raise EOFError(f"the stream ended after {taken} of {size} octets")
        taken += got
    return wire.recv_exact(size)


def _extensions(octets: bytes):
    """(type, value) of each; they fill the octets exactly."""
    while octets:
        kind, size = struct.unpack_from("!BH", octets)
        if len(octets) < 3 + size:
            raise AssertionError(f"an extension of {size} octets in {octets!r}")
        yield kind, octets[3:3 + size]
        octets = octets[3 + size:]
