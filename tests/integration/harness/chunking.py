"""The four ways in which every byte script is cut: whole, one octet per write, after every CRLF, at random."""

import os
import random
import re

CHUNKINGS = ("whole", "octets", "lines", "random")

_seed = int(os.environ.get("IMAPMETER_SEED", random.SystemRandom().randrange(1 << 32)))
_random = random.Random(_seed)
_printed = False


def seed() -> int:
    """The seed of this process; IMAPMETER_SEED=N repeats a run."""
    return _seed


def chunks(data: bytes, chunking: str) -> list[bytes]:
    """`data` cut into non-empty pieces that join to it again."""
    if chunking == "whole":
        return [data] if data else []
    if chunking == "octets":
        return [data[i:i + 1] for i in range(len(data))]
    if chunking == "lines":
        return [part for part in re.split(rb"(?<=\r\n)", data) if part]
    if chunking == "random":
        return _random_chunks(data)
    raise ValueError(chunking)


def _random_chunks(data: bytes) -> list[bytes]:
    global _printed
    if not _printed:
        print(f"random chunking: IMAPMETER_SEED={_seed}", flush=True)
        _printed = True
    pieces = []
    at = 0
    while at < len(data):
        size = _random.choice((1, 2, 3, 7, 64, 1000, 17000))
        pieces.append(data[at:at + size])
        at += size
    return pieces
