"""AcceptShim: counts and fails the accepts of one imapmeter, from inside it (accept_shim.c)."""

import mmap
import os
import struct
import tempfile

_WORDS = 3


class AcceptShim:
    """Give `environment` to a Proxy. The listeners use accept4, which fail() fails; the HTTP listeners do not."""

    def __init__(self):
        library = os.environ.get("IMAPMETER_ACCEPT_SHIM")
        if not library:
            raise AssertionError("IMAPMETER_ACCEPT_SHIM names no library")
        self._file = tempfile.NamedTemporaryFile()
        self._file.truncate(8 * _WORDS)
        self._page = mmap.mmap(self._file.fileno(), 8 * _WORDS)
        self.environment = {
            "LD_PRELOAD": library, "ACCEPT_SHIM_FILE": self._file.name,
            "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}

    def out_of_descriptors(self) -> int:
        """Accepts that failed with EMFILE or ENFILE so far, but for those of fail()."""
        return self._word(0)

    def fail(self, error: int, times: int) -> None:
        """The next `times` accepts fail with this errno."""
        struct.pack_into("QQ", self._page, 8, error, times)

    def left(self) -> int:
        """How many of them have not been called yet."""
        return self._word(2)

    def close(self) -> None:
        self._page.close()
        self._file.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _word(self, index: int) -> int:
        return struct.unpack_from("Q", self._page, 8 * index)[0]
