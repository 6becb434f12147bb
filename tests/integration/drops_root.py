#!/usr/bin/env python3
"""C18: started as root with a user to become, imapmeter keeps the right to bind low ports and no other; without, it
warns and serves. In a network namespace of its own: that takes root."""

import os
import pwd
import shutil
import stat
import subprocess
import tempfile
import unittest
from pathlib import Path

from harness import Certificates, IntegrationCase, scaled
from harness.namespace import enter_namespace
from harness.proxy import binary

USER = "nobody"
BIND_LOW_PORTS = 1 << 10  # CAP_NET_BIND_SERVICE


class DropsRoot(IntegrationCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        enter_namespace()
        cls.entry = pwd.getpwnam(USER)
        cls.certificates = cls.enterClassContext(Certificates())
        cls.certificates.directory.chmod(0o755)

    def pair_of(self, owner: int) -> tuple[Path, Path]:
        """Certificate and key that nobody but the owner reads."""
        cert, key = self.certificates.issue(f"owner-{owner}", "DNS:localhost")
        for path in (cert, key):
            os.chown(path, owner, 0)
            path.chmod(0o400)
        return cert, key

    def of_each_thread(self, *keys: str) -> set[tuple[str, ...]]:
        seen = set()
        for task in Path(f"/proc/{self.proxy.pid}/task").iterdir():
            lines = dict(line.split(":\t", 1) for line in (task / "status").read_text("ascii").splitlines()
                         if ":\t" in line)
            seen.add(tuple(lines[key].strip() for key in keys))
        return seen

    def test_C18_becomes_the_user(self):
        self.start(listen="127.0.0.1:993", certificate=self.pair_of(self.entry.pw_uid), arguments=("--user", USER))
        uid, gid = str(self.entry.pw_uid), str(self.entry.pw_gid)
        self.assertEqual(self.of_each_thread("Uid", "Gid"), {("\t".join([uid] * 4), "\t".join([gid] * 4))})
        for sets, expected in (("CapEff CapPrm CapBnd", BIND_LOW_PORTS), ("CapInh CapAmb", 0)):
            for name in sets.split():
                self.assertEqual({int(value, 16) for value, in self.of_each_thread(name)}, {expected}, name)
        self.assertEqual(self.of_each_thread("NoNewPrivs"), {("1",)})
        groups = {int(group) for value, in self.of_each_thread("Groups") for group in value.split()}
        self.assertEqual(groups, set(os.getgrouplist(USER, self.entry.pw_gid)), "not root's")
        self.assertEqual(os.stat(f"/proc/{self.proxy.pid}/mem").st_uid, 0, "dumpable: its user could read its memory")
        self.assertFalse(self.proxy.log_lines("running as root"))
        self.check_invariants()

    def test_C18_reads_nothing_that_the_user_may_not_read(self):
        """What the start could read and a reload could not would be found out on the worst day."""
        cert, key = self.pair_of(0)
        done = self.run_binary("--user", USER, certificate=(cert, key))
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"{cert}: cannot be read: Permission denied", done.stderr)

    def test_C18_without_a_user(self):
        self.start(listen="127.0.0.1:993", certificate=self.pair_of(0))
        self.assertEqual(len(self.proxy.log_lines("running as root")), 1)
        self.check_invariants()

    def test_C18_no_such_user(self):
        done = self.run_binary("--user", "no-such-user")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--user", done.stderr)
        self.assertIn("no-such-user", done.stderr)

    def test_C18_only_root_becomes_another(self):
        directory = Path(self.enterContext(tempfile.TemporaryDirectory()))
        directory.chmod(0o755)
        copy = shutil.copy(binary(), directory / "imapmeter")
        os.chmod(copy, os.stat(copy).st_mode | stat.S_IXOTH | stat.S_IROTH)
        done = self.run_binary("--user", "root", program=("setpriv", f"--reuid={USER}", "--clear-groups", copy))
        self.assertEqual(done.returncode, 1)
        self.assertIn("only root can become", done.stderr)

    def run_binary(self, *more: str, certificate=None, program=None) -> subprocess.CompletedProcess:
        pair = ("--cert", certificate[0], "--key", certificate[1]) if certificate else ("--self-signed",)
        return subprocess.run(
            [*(program or (binary(),)), "--listen", "imaps://127.0.0.1:0", *pair, "--upstream", "imap://127.0.0.1:143",
             "--admin", "none", *more], capture_output=True, text=True, timeout=scaled(10), check=False)


if __name__ == "__main__":
    unittest.main()
