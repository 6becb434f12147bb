#!/usr/bin/env python3
"""clang-tidy over the product's .cc files: tidy.py BUILD_FOLDER [FILE ...].

The compilation database is g++'s; clang refuses a few of its options, so that they are taken out of a copy.
"""

import concurrent.futures
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import sources

NOT_CLANG = ("-fzero-call-used-regs=", "-ftrivial-auto-var-init=")
FOLDERS = ("proxy/", "metrics/", "config/")
PARALLEL = 2
SLOWEST_SHOWN = 5


def database(build):
    """The entries of the product's files, with options that clang knows."""
    entries = []
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = pathlib.Path(entry["file"])
        if not path.is_relative_to(sources.ROOT):
            continue
        if not str(path.relative_to(sources.ROOT)).startswith(FOLDERS):
            continue
        words = entry["command"].split(" ")
        entry["command"] = " ".join(word for word in words if not word.startswith(NOT_CLANG))
        entries.append(entry)
    return entries


def check(tool, folder, file):
    start = time.monotonic()
    run = subprocess.run([tool, "--quiet", "-p", folder, file], capture_output=True, text=True)
    return file, run.returncode, run.stdout, run.stderr, time.monotonic() - start


def main():
    tool = shutil.which("clang-tidy-14") or sys.exit("clang-tidy-14 is not installed")
    entries = database(pathlib.Path(sys.argv[1]))
    wanted = [str(pathlib.Path(name).resolve()) for name in sys.argv[2:]] or [entry["file"] for entry in entries]
    if not wanted:
        sys.exit("no file to check: is this the build folder?")
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "compile_commands.json").write_text(json.dumps(entries))
        with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
            results = list(pool.map(lambda file: check(tool, folder, file), wanted))
    failed = [result for result in results if result[1] != 0]
    for _, _, out, err, _ in failed:
        print(out or err)
    for file, _, _, _, seconds in sorted(results, key=lambda result: -result[4])[:SLOWEST_SHOWN]:
        print(f"{seconds:6.1f} s  {pathlib.Path(file).relative_to(sources.ROOT)}")
    print(f"{len(results)} files, {len(failed)} with findings")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
