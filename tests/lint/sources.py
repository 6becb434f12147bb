"""The project's own files: what Git knows or would add, so that a build folder is never looked at."""

import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


def listed():
    """Paths relative to ROOT."""
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        names = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):  # an exported tree without Git
        names = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*")]
        names = [name for name in names if not name.startswith(("build/", ".git/"))]
    return sorted(pathlib.Path(name) for name in names if name and (ROOT / name).is_file())


def with_suffix(*suffixes):
    return [path for path in listed() if path.suffix in suffixes]
