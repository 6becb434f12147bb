#!/usr/bin/env python3
"""Writes dashboards/*.json, which Grafana reads. The files are not edited by hand: change the Python and run this."""
import pathlib

import commands
import internals
import logins
import overview
import sessions
from grafana import text_of

DIRECTORY = pathlib.Path(__file__).resolve().parent / "dashboards"
DASHBOARDS = [each.DASHBOARD for each in (overview, logins, commands, sessions, internals)]


def files() -> dict[str, str]:
    """{file name: text}"""
    return {f"{dashboard.uid}.json": text_of(dashboard, DASHBOARDS) for dashboard in DASHBOARDS}


def main() -> None:
    DIRECTORY.mkdir(exist_ok=True)
    for name, text in files().items():
        (DIRECTORY / name).write_text(text)


if __name__ == "__main__":
    main()
