"""Test tools from npm: installed as a package-lock.json says, beside the binary, where they stay for the next run."""

import os
import shutil
import subprocess
from pathlib import Path

from .proxy import binary
from .timing import FACTOR


class NodeFolder:
    """A copy of the files of `source` in which `npm ci` has run; again only where the lock has changed."""

    def __init__(self, source: Path, patience: float = 150):
        self.path = Path(binary()).resolve().parent / source.name
        self.patience = patience * FACTOR
        self.path.mkdir(exist_ok=True)
        for file in source.iterdir():
            if file.is_file():
                shutil.copy(file, self.path)
        lock, installed = self.path / "package-lock.json", self.path / "node_modules" / "installed.json"
        if not installed.exists() or installed.read_bytes() != lock.read_bytes():
            status, said = self.run("npm", "ci", "--ignore-scripts")
            if status:
                raise AssertionError(f"npm ci ended with {status}:\n{said}")
            shutil.copy(lock, installed)

    def run(self, *command: str, **environment: str) -> tuple[int, str]:
        """Exit status, and what it says on both streams."""
        program = shutil.which(command[0])
        if program is None:
            raise AssertionError(f"{command[0]} is not installed")
        done = subprocess.run([program, *command[1:]], cwd=self.path, text=True, stdout=subprocess.PIPE, check=False,
                              stderr=subprocess.STDOUT, timeout=self.patience, env={**os.environ, **environment})
        return done.returncode, done.stdout
