#!/usr/bin/env python3
"""hardening.py BINARY: a position-independent executable, full RELRO, no executable stack, canaries, fortified calls,
and control-flow protection (FAULTS section 5), as readelf sees them."""

import re
import subprocess
import sys


def readelf(binary, *options):
    return subprocess.run(["readelf", "--wide", *options, binary], check=True, capture_output=True, text=True).stdout


def findings(binary):
    header, segments = readelf(binary, "--file-header"), readelf(binary, "--segments")
    dynamic, symbols = readelf(binary, "--dynamic"), readelf(binary, "--dyn-syms")
    stack = re.search(r"GNU_STACK.*?(R\S*\s?\S?)\s+0x\d+$", segments, re.MULTILINE)
    checks = {
        "is not position-independent (PIE)": re.search(r"Type:\s+DYN", header) and "FLAGS_1" in dynamic and "PIE" in dynamic,
        "has no RELRO segment": "GNU_RELRO" in segments,
        "is not bound at start (full RELRO)": "BIND_NOW" in dynamic or re.search(r"FLAGS_1.*NOW", dynamic),
        "has an executable stack (NX)": stack and "E" not in stack.group(1),
        "has no stack canary": "__stack_chk_fail" in symbols,
        "has no fortified calls": re.search(r"__(mem|str|read|recv|v?s?n?printf|fread|fdelt|poll)\w*_chk", symbols),
        "has a run path": "RPATH" not in dynamic and "RUNPATH" not in dynamic,
        "has text relocations": "TEXTREL" not in dynamic,
    }
    return [what for what, good in checks.items() if not good]


def main():
    found = findings(sys.argv[1])
    for what in found:
        print(f"{sys.argv[1]} {what}")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
