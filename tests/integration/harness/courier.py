"""RealCourier: Courier IMAP from Debian's packages on a port of loopback. Its paths are built in, so its own /etc and
/run are laid over the machine's."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from .real_server import RealServer, greets
from .scripted import ScriptedSession
from .timing import FAKETIME, wait_until
from .unpacked import Unpacked

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "deploy" / "demo"))
from processes import free_port  # noqa: E402

OWNER = "mail"

AUTHENTICATION = """\
authmodulelist="authuserdb"
authmodulelistorig="authuserdb"
daemons=1
authdaemonvar=/run/courier/authdaemon
DEBUG_LOGIN=0
DEFAULTOPTIONS=""
LOGGEROPTS=""
"""
# As in Debian's /etc/courier/imapd, but for AUTH=PLAIN, a look for new mail each second of IDLE, and no locks, which want
# another daemon.
ENVIRONMENT = {
    "IMAP_CAPABILITY": "IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=ORDEREDSUBJECT THREAD=REFERENCES SORT QUOTA "
                       "AUTH=PLAIN IDLE",
    "IMAP_KEYWORDS": "1", "IMAP_ACL": "1", "IMAP_USELOCKS": "0", "IMAP_IDLE_TIMEOUT": "1", "IMAP_STARTTLS": "NO",
    "IMAP_CHECK_ALL_FOLDERS": "0", "IMAP_OBSOLETE_CLIENT": "0", "IMAP_MAILBOX_SANITY_CHECK": "1",
    "IMAP_DISABLETHREADSORT": "0", "IMAP_ENHANCEDIDLE": "0", "IMAP_TRASHFOLDERNAME": "Trash",
    "IMAP_MOVE_EXPUNGE_TO_TRASH": "0",
}
# A bad password costs 5 s, and Courier's patience is half an hour, whatever it is told: so it has a clock of its own.
SWIFT, IMPATIENT = "+0x20", "+0x600"
START = """\
/usr/lib/courier/courier-authlib/authdaemond &
exec /usr/sbin/couriertcpd -address=127.0.0.1 -maxprocs=40 -maxperip=40 -nodnslookup -noidentlookup {port} \
    /usr/lib/courier/courier/imaplogin /usr/bin/imapd Maildir
"""


class RealCourier(RealServer):
    prefix = "INBOX."

    def __init__(self):
        self._directory = Path(tempfile.mkdtemp(prefix="imapmeter-"))
        self._etc, self._run = self._directory / "etc", self._directory / "run"
        self._clock = self._directory / "clock"
        self._programs = Unpacked("courier", {"/etc": self._etc}, {"/run": self._run})
        self.port = free_port()
        try:
            self._configure()
            # the clock is for OWNER's processes: what root has made of it, they could not read
            self._programs.start("setpriv", "--reuid", OWNER, "--regid", OWNER, "--clear-groups", "env",
                                 *(f"{name}={value}" for name, value in ENVIRONMENT.items()),
                                 f"LD_PRELOAD={FAKETIME}", f"FAKETIME_TIMESTAMP_FILE={self._clock}",
                                 "FAKETIME_NO_CACHE=1",
                                 "sh", "-c", START.format(port=self.port), log=self._directory / "log")
            wait_until(lambda: greets(self.port) or not self._programs.running(), 20, "Courier to greet")
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        return f"imap://127.0.0.1:{self.port}"

    def kick(self, _: ScriptedSession) -> None:
        """There is no other way than to end the process that serves the user."""
        for pid in self._programs.processes("/usr/bin/imapd"):
            if f"AUTHENTICATED={self.kicked}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                os.kill(pid, signal.SIGTERM)

    def lose_patience(self) -> None:
        self._clock.write_text(IMPATIENT)

    def close(self) -> None:
        self._programs.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _configure(self) -> None:
        self._clock.write_text(SWIFT)
        (self._etc / "courier").mkdir(parents=True)
        (self._run / "courier" / "authdaemon").mkdir(parents=True)
        (self._etc / "courier" / "authdaemonrc").write_text(AUTHENTICATION)
        secret = subprocess.run(["openssl", "passwd", "-6", "-stdin"], input=self.password, capture_output=True,
                                text=True, check=True).stdout.strip()
        owner = Path("/etc/passwd").read_text().split(f"\n{OWNER}:", 1)[1].split(":")[1:3]
        os.chmod(self._directory, 0o755)
        users = self._etc / "courier" / "userdb"
        users.touch(0o600)
        for user in (self.user, self.kicked):
            home = self._directory / user
            home.mkdir()
            users.write_text(users.read_text() + f"{user}\tuid={owner[0]}|gid={owner[1]}|home={home}|mail={home}/Maildir"
                             f"|systempw={secret}\n")
            self._programs.run("/usr/bin/maildirmake.courier", str(home / "Maildir"))
            for path in (home, *home.rglob("*")):
                shutil.chown(path, OWNER, OWNER)
        self._programs.run("/usr/sbin/makeuserdb", "-f", str(users))
        for path in (self._etc, *self._etc.rglob("*"), self._run, *self._run.rglob("*")):
            shutil.chown(path, OWNER, OWNER)
