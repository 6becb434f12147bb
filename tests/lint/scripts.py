#!/usr/bin/env python3
"""Shell scripts are bash's and stop at the first error; Python needs nothing but its standard library."""

import ast
import subprocess
import sys

import sources

STRICT = "set -euo pipefail"
SHELLS = ("#!/bin/bash", "#!/usr/bin/env bash", "#!/bin/sh", "#!/usr/bin/env sh")


def first_statement(lines):
    return next((line for line in lines if line.strip() and not line.startswith("#")), "")


def shell_findings(path, text):
    lines = text.splitlines()
    if not lines[0].startswith(("#!/bin/bash", "#!/usr/bin/env bash")):
        yield f"{path}: shell scripts are bash's"
    if first_statement(lines) != STRICT:
        yield f"{path}: the first statement is not `{STRICT}`"
    run = subprocess.run(["bash", "-n", str(sources.ROOT / path)], capture_output=True, text=True)
    if run.returncode != 0:
        yield f"{path}: {run.stderr.strip()}"


def python_findings(path, text, ours):
    for node in ast.walk(ast.parse(text, str(path))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module]
        for name in names:
            top = name.split(".")[0]
            if top not in sys.stdlib_module_names and top not in ours:
                yield f"{path}:{node.lineno}: {top} is not in Python's standard library"


def findings():
    paths = sources.listed()
    ours = set()  # modules and packages of this project
    for path in paths:
        if path.suffix == ".py":
            ours.update([path.stem, *path.parts[:-1]])
    for path in paths:
        data = (sources.ROOT / path).read_bytes()
        head = data[:64].decode("ascii", "replace")
        if head.startswith(SHELLS) or path.suffix == ".sh":
            yield from shell_findings(path, data.decode())
        elif path.suffix == ".py" or head.startswith("#!/usr/bin/env python3"):
            yield from python_findings(path, data.decode(), ours)


def self_test():
    for text in ("#!/bin/sh\nset -euo pipefail\n", "#!/bin/bash\necho\nset -euo pipefail\n", "#!/bin/bash\n# set -euo pipefail\n"):
        if not list(shell_findings("/dev/null", text)):
            sys.exit(f"the test itself is broken: nothing found in {text!r}")
    if not list(python_findings("x.py", "import requests\n", set())):
        sys.exit("the test itself is broken: an import outside the standard library was not found")


def main():
    self_test()
    found = list(findings())
    print("\n".join(found))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
