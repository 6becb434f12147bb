"""RealDovecot: the Dovecot of the demonstration (deploy/demo/dovecot.py) as the tests of real servers want it."""

import re
import shutil
import sys
import tempfile
from pathlib import Path

from .real_server import RealServer
from .scripted import ScriptedSession
from .timing import FAKETIME, scaled, wait_until

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "deploy" / "demo"))
from dovecot import PASSWORD, Dovecot  # noqa: E402


COMPRESS = """\
protocol imap {
  mail_plugins = imap_zlib
}
"""
# Dovecot's patience is half an hour, whatever it is told; under this clock the half hour is over in a few seconds.
IMPATIENT = f"import_environment = LD_PRELOAD={FAKETIME} FAKETIME=+0x300 FAKETIME_DONT_RESET=1\n"


def wait_for_log(dovecot: Dovecot, pattern: str, times: int = 1) -> list[str]:
    """The lines of its log that match, once there are so many; without them the error shows the whole log."""
    def found() -> list[str]:
        return [line for line in Path(dovecot.log).read_text("utf-8").splitlines() if re.search(pattern, line)]
    try:
        wait_until(lambda: len(found()) >= times, scaled(10))
    except AssertionError as error:
        log = Path(dovecot.log).read_text("utf-8")
        raise AssertionError(f"Dovecot did not log {pattern} {times} times: {log}") from error
    return found()


class RealDovecot(RealServer):
    password = PASSWORD

    def __init__(self, options: str = ""):
        self._directory = Path(tempfile.mkdtemp(prefix="imapmeter-"))
        self.dovecot = Dovecot(self._directory / "dovecot", "mail_fsync = never\n" + COMPRESS + options)
        self.dovecot.start()

    @property
    def url(self) -> str:
        return f"imap://127.0.0.1:{self.dovecot.imap}"

    def kick(self, _: ScriptedSession) -> None:
        self.dovecot.doveadm("kick", self.kicked)

    def close(self) -> None:
        self.dovecot.stop()
        shutil.rmtree(self._directory, ignore_errors=True)
