#!/usr/bin/env python3
"""clang-tidy over the product's .cc files: tidy.py [--analyzer] BUILD_FOLDER [FILE ...].

The compilation database is g++'s; clang refuses a few of its options, so that they are taken out of a copy, and so are
g++'s precompiled headers. The static analyzer's checks take two thirds of the time and are left out unless asked for.

Most of a file's time goes into the headers that it includes. So files of one folder are read one behind the other, as
one. Where their own names collide, a batch is halved until they do not.
"""

import argparse
import collections
import concurrent.futures
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import sources

NOT_CLANG = ("-fzero-call-used-regs=", "-ftrivial-auto-var-init=", "-Winvalid-pch")
FOLDERS = ("proxy/", "metrics/", "config/")
PARALLEL = 2
BATCH = 8
COLLISION = "[clang-diagnostic-error"


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


def batches(entries, files):
    """Lists of entries that are compiled alike."""
    alike = collections.defaultdict(list)
    for entry in entries:
        if entry["file"] in files:
            words = [word for word in entry["command"].split() if word != entry["file"] and not word.endswith(".o")]
            alike[" ".join(words)].append(entry)
    return [group[i:i + BATCH] for group in alike.values() for i in range(0, len(group), BATCH)]


class Joined:
    """Files of a batch, one behind the other in a file of its own."""

    def __init__(self, folder, batch):
        self.path = pathlib.Path(tempfile.mkdtemp(dir=folder)) / "batch.cc"
        self._starts = []
        lines = []
        for entry in batch:
            self._starts.append((len(lines), entry["file"]))
            lines += pathlib.Path(entry["file"]).read_text(encoding="utf-8").splitlines()
        self.path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        command = batch[0]["command"].replace(batch[0]["file"], str(self.path))
        (self.path.parent / "compile_commands.json").write_text(
            json.dumps([{**batch[0], "file": str(self.path), "command": command}]))

    def original(self, text):
        """The places in `text` as they are in the files themselves."""
        def place(match):
            line = int(match[1])
            start, file = [each for each in self._starts if each[0] < line][-1]
            return f"{file}:{line - start}:"
        return re.sub(re.escape(str(self.path)) + r":(\d+):", place, text)


def check(command, folder, batch):
    """What is found in the batch, empty if nothing."""
    joined = Joined(folder, batch)
    run = subprocess.run([*command, "-p", str(joined.path.parent), str(joined.path)], capture_output=True, text=True)
    if run.returncode == 0:
        return ""
    if COLLISION in run.stdout and len(batch) > 1:
        half = len(batch) // 2
        return check(command, folder, batch[:half]) + check(command, folder, batch[half:])
    return joined.original(run.stdout or run.stderr)


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
    files = {str(path.resolve()) for path in given.files} or {entry["file"] for entry in entries}
    work = batches(entries, files)
    if not work:
        sys.exit("no file to check: is this the build folder?")
    command = [tool, "--quiet", f"--config-file={sources.ROOT / '.clang-tidy'}",
               *([] if given.analyzer else ["--checks=-clang-analyzer-*"])]
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
        found = [text for text in pool.map(lambda batch: check(command, folder, batch), work) if text]
    print("\n".join(found) or f"{sum(map(len, work))} files, nothing found")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
