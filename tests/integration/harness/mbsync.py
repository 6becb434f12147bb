"""mbsync, an unmodified client: it synchronises maildirs with a server, compressed where the server offers that."""

import re
import subprocess
from pathlib import Path

from .timing import scaled

CONFIGURATION = """\
FSync no

IMAPStore far
Host localhost
Port {port}
User {user}
Pass {password}
SSLType IMAPS
CertificateFile {certificate}

MaildirStore near
Path {directory}/mail/
Inbox {directory}/mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Near
Expunge None
SyncState *
"""


def mbsync(directory: Path, port: int, certificate: Path | str, user: str, password: str) -> dict:
    """Synchronises all with directory/mail, which is made if absent; {(mailbox, the server's UID): message}."""
    (directory / "mail").mkdir(parents=True, exist_ok=True)
    config = directory / "mbsyncrc"
    config.write_text(CONFIGURATION.format(port=port, user=user, password=password, certificate=certificate,
                                           directory=directory), encoding="ascii")
    done = subprocess.run(["mbsync", "--config", str(config), "--all"], capture_output=True, timeout=scaled(60),
                          check=False)
    if done.returncode != 0:
        raise AssertionError(f"mbsync: {(done.stdout + done.stderr).decode(errors='replace')}")
    return _synced(directory / "mail")


def without_tuid(message: bytes) -> bytes:
    """mbsync finds the messages that it has uploaded by a header of its own."""
    return re.sub(rb"X-TUID: \S+\r?\n", b"", message, count=1)


def _synced(mail: Path) -> dict:
    """From mbsync's own record of which is which."""
    found = {}
    for state in mail.glob("*/.mbsyncstate"):
        folder = state.parent
        files = {re.search(r",U=(\d+)", file.name)[1]: file for name in ("new", "cur")
                 for file in (folder / name).iterdir()}
        entries = state.read_text(encoding="ascii").split("\n\n", 1)[1]
        for far, near, *_ in (line.split() for line in entries.splitlines()):
            found[folder.name, far] = without_tuid(files[near].read_bytes())
    return found
