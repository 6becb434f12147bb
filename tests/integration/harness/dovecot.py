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
    """The lines of its log that match, once there are so many. It writes them when it likes: a process of its own does."""
    def found() -> list[str]:
        return [line for line in Path(dovecot.log).read_text("utf-8").splitlines() if re.search(pattern, line)]
    try:
        wait_until(lambda: len(found()) >= times, scaled(30))
    except AssertionError as error:
        raise AssertionError(f"Dovecot did not log {pattern} {times} times: {Path(dovecot.log).read_text('utf-8')}") from error
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
