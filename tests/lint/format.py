#!/usr/bin/env python3
"""Every .h and .cc is as clang-format leaves it. --fix rewrites those that are not."""

import shutil
import subprocess
import sys

import sources


def main():
    # Versions differ in what they produce: this is Debian 12's.
    tool = shutil.which("clang-format-14") or sys.exit("clang-format-14 is not installed")
    files = [str(path) for path in sources.with_suffix(".h", ".cc")]
    mode = ["-i"] if sys.argv[1:] == ["--fix"] else ["--dry-run", "--Werror"]
    sys.exit(subprocess.run([tool, *mode, *files], cwd=sources.ROOT).returncode)


if __name__ == "__main__":
    main()
