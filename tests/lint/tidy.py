#!/usr/bin/env python3
"""clang-tidy over the product's .cc files: tidy.py [--analyzer] BUILD_FOLDER [FILE ...].

The compilation database is g++'s; clang refuses a few of its options, so that they are taken out of a copy, and so are
precompiled headers: each file has to include what it uses. The static analyzer's checks take two thirds of the time and are left out unless asked for.
"""

import argparse
import concurrent.futures
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import sources

NOT_CLANG = ("-fzero-call-used-regs=", "-ftrivial-auto-var-init=", "-Winvalid-pch")
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
        kept = " ".join(word for word in words if not word.startswith(NOT_CLANG))
        entry["command"] = re.sub(r" -include \S+/cmake_pch\.hxx", "", kept)
        entries.append(entry)
    return entries


def check(command, file):
    start = time.monotonic()
    run = subprocess.run([*command, file], capture_output=True, text=True)
    return file, run.returncode, run.stdout, run.stderr, time.monotonic() - start


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--analyzer", action="store_true")
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("files", nargs="*", type=pathlib.Path)
    return parser.parse_args()


def main():
    tool = shutil.which("clang-tidy-14") or sys.exit("clang-tidy-14 is not installed")
    given = arguments()
    entries = database(given.build)
    files = [str(path.resolve()) for path in given.files] or [entry["file"] for entry in entries]
    if not files:
        sys.exit("no file to check: is this the build folder?")
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "compile_commands.json").write_text(json.dumps(entries))
        command = [tool, "--quiet", "-p", folder, *([] if given.analyzer else ["--checks=-clang-analyzer-*"])]
        with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
            results = list(pool.map(lambda file: check(command, file), files))
    failed = [result for result in results if result[1] != 0]
    for _, _, out, err, _ in failed:
        print(out or err)
    for file, _, _, _, seconds in sorted(results, key=lambda result: -result[4])[:SLOWEST_SHOWN]:
        print(f"{seconds:6.1f} s  {pathlib.Path(file).relative_to(sources.ROOT)}")
    print(f"{len(results)} files, {len(failed)} with findings")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
