"""Deflated: a connection after COMPRESS DEFLATE (RFC 4978), with what a ScriptedSession uses of a Wire."""

import zlib

from .wire import Wire


class Deflated:
    """Takes over `wire` behind the CRLF of the tagged OK; `sent` and `received` go on to count compressed octets."""

    def __init__(self, wire: Wire):
        self.wire = wire
        self.plain_sent = self.plain_received = 0
        self._before = (wire.sent.octets, wire.received.octets)
        self._deflate = zlib.compressobj(wbits=-15)
        self._inflate = zlib.decompressobj(wbits=-15)
        self._buffer = bytearray()

    @property
    def sent(self):
        return self.wire.sent

    @property
    def received(self):
        return self.wire.received

    @property
    def deflated_sent(self) -> int:
        return self.sent.octets - self._before[0]

    @property
    def deflated_received(self) -> int:
        return self.received.octets - self._before[1]

    def send(self, octets: bytes) -> None:
        self.plain_sent += len(octets)
        self.wire.send(self._deflate.compress(octets) + self._deflate.flush(zlib.Z_SYNC_FLUSH))

    def read_line(self) -> bytes:
        """Less than a line at the end of the stream."""
        while (at := self._buffer.find(b"\n")) < 0 and self._fill():
            pass
        return self._take(at + 1 if at >= 0 else len(self._buffer))

    def recv_exact(self, size: int) -> bytes:
        while len(self._buffer) < size:
            if not self._fill():
                raise AssertionError(f"{len(self._buffer)} of {size} octets, then {self.wire.closed_by_peer}")
        return self._take(size)

    def close_clean(self) -> str:
        return self.wire.close_clean()

    def _fill(self) -> bool:
        octets = self.wire.recv()
        inflated = self._inflate.decompress(octets)
        self.plain_received += len(inflated)
        self._buffer += inflated
        return bool(octets)

    def _take(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken
