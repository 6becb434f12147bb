"""RealCyrus: Cyrus IMAP from Debian's packages on a port of loopback, everything that it writes in one directory."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from .real_server import RealServer, greets
from .scripted import ScriptedSession
from .timing import FAKETIME, wait_until
from .unpacked import Unpacked

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "deploy" / "demo"))
from processes import free_port  # noqa: E402

OWNER = "mail"  # Cyrus gives no mail to root

# delete_mode: else DELETE gives a mailbox a name with the second in it, and a second DELETE of that second finds it taken.
SETTINGS = """\
configdirectory: {directory}/conf
defaultpartition: default
partition-default: {directory}/spool
temp_path: {directory}/tmp
cyrus_user: {owner}
servername: localhost
allowplaintext: yes
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {directory}/sasldb2
sasl_mech_list: PLAIN LOGIN
autocreate_quota: 10000
autocreate_post: yes
failedloginpause: 0
delete_mode: immediate
"""
SERVICES = """\
START {{
  recover cmd="ctl_cyrusdb -C {directory}/imapd.conf -r"
}}
DAEMON {{
  idled cmd="idled -C {directory}/imapd.conf"
}}
SERVICES {{
  imap cmd="imapd -C {directory}/imapd.conf" listen="127.0.0.1:{port}" prefork=1
}}
EVENTS {{
}}
"""

IMPATIENT = {"LD_PRELOAD": FAKETIME, "FAKETIME": "+0x300"}


class RealCyrus(RealServer):
    def __init__(self, environment: dict[str, str] | None = None):
        self._directory = Path(tempfile.mkdtemp(prefix="imapmeter-"))
        self._programs = Unpacked("cyrus")
        self.port = free_port()
        try:
            self._configure()
            self._programs.start("/usr/lib/cyrus/bin/master", "-C", self._path("imapd.conf"), "-M",
                                 self._path("cyrus.conf"), "-p", self._path("master.pid"), "-D",
                                 log=self._directory / "log", env={**os.environ, **(environment or {})})
            wait_until(lambda: greets(self.port) or not self._programs.running(), 20, "Cyrus to greet")
        except BaseException:
            self.close()
            raise
        if not self._programs.running():
            raise AssertionError(f"Cyrus did not start: {(self._directory / 'log').read_text()}")

    @property
    def url(self) -> str:
        return f"imap://127.0.0.1:{self.port}"

    def kick(self, session: ScriptedSession) -> None:
        """Cyrus tells a user who is locked out so with the next command."""
        deny = ("/usr/lib/cyrus/bin/cyr_deny", "-C", self._path("imapd.conf"))
        self._programs.run(*deny, "-m", "[come back later", self.kicked)
        session.begin(b"NOOP")

    def close(self) -> None:
        self._programs.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _path(self, name: str) -> str:
        return str(self._directory / name)

    def _configure(self) -> None:
        for name in ("conf", "conf/socket", "spool", "tmp"):
            (self._directory / name).mkdir()
        text = {"directory": self._directory, "owner": OWNER, "port": self.port}
        Path(self._path("imapd.conf")).write_text(SETTINGS.format(**text))
        Path(self._path("cyrus.conf")).write_text(SERVICES.format(**text))
        for user in (self.user, self.kicked):
            self._programs.run("/usr/sbin/saslpasswd2", "-p", "-c", "-f", self._path("sasldb2"), "-u", "localhost", user,
                               input=self.password)
        os.chmod(self._directory, 0o755)
        for path in (self._directory, *self._directory.rglob("*")):
            shutil.chown(path, OWNER, OWNER)
