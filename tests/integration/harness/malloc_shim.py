"""MallocShim: fails allocations of one imapmeter, from inside it (malloc_shim.c)."""

import mmap
import os
import struct
import tempfile

_SIZE = 24


class MallocShim:
    """Give `environment` to a Proxy. Sanitizers have an allocator of their own: not for such builds."""

    def __init__(self):
        library = os.environ.get("IMAPMETER_MALLOC_SHIM")
        if not library:
            raise AssertionError("IMAPMETER_MALLOC_SHIM names no library")
        self._file = tempfile.NamedTemporaryFile()
        self._file.truncate(_SIZE)
        self._page = mmap.mmap(self._file.fileno(), _SIZE)
        self.environment = {"LD_PRELOAD": library, "MALLOC_SHIM_FILE": self._file.name}

    def calls(self) -> int:
        """Allocations so far, of all threads."""
        return struct.unpack_from("Q", self._page, 16)[0]

    def fail(self, before: int, times: int) -> None:
        """Lets `before` allocations succeed, then fails so many."""
        struct.pack_into("qq", self._page, 0, before, times)

    def relent(self) -> bool:
        """From here on there is memory. True: an allocation has failed since fail()."""
        before, _ = struct.unpack_from("qq", self._page, 0)
        struct.pack_into("qq", self._page, 0, 0, 0)
        return before < 0

    def close(self) -> None:
        self._page.close()
        self._file.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
