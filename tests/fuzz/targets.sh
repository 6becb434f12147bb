#!/usr/bin/env bash
# What the scripts of this folder know of the targets.
set -euo pipefail

# All targets, a line each.
targets() { basename --suffix=_fuzz.cc -a tests/fuzz/*_fuzz.cc; }

# dictionary TARGET: its file.
dictionary() {
  if [[ -f tests/fuzz/$1.dict ]]; then echo "tests/fuzz/$1.dict"; else echo tests/fuzz/imap.dict; fi
}
