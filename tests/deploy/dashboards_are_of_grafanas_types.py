#!/usr/bin/env python3
"""TypeScript finds each dashboard to be one by Grafana's published types, and refuses what is none."""
import copy
import json
import re
import unittest

from boards import boards
from support import ROOT

from harness.node import NodeFolder

FOLDER = NodeFolder(ROOT / "tests" / "grafana-types")


def checked(dashboards):
    """{name: what TypeScript says against it}"""
    for old in FOLDER.path.glob("board-*.ts"):
        old.unlink()
    for name, board in dashboards.items():
        text = json.dumps(board, indent=1)
        (FOLDER.path / f"board-{name}.ts").write_text(
            f"import type {{ OurDashboard }} from './dashboard';\nexport const board: OurDashboard = {text};\n")
    status, said = FOLDER.run("node", "node_modules/typescript/bin/tsc", "--project", ".", "--pretty", "false")
    findings = {name: "" for name in dashboards}
    for file, finding in re.findall(r"^(\S+?)\(\d+,\d+\): (error .*(?:\n .*)*)", said, re.MULTILINE):
        name = re.fullmatch(r"board-(.+)\.ts", file)
        if not name:
            raise AssertionError(said)  # the types themselves, or how they are used
        findings[name[1]] += finding + "\n"
    if status and not any(findings.values()):
        raise AssertionError(said)
    return findings


def first(board, kind):
    return next(panel for panel in board["panels"] if panel["type"] == kind)


def change(value, *path):
    """A change of what is under `path` of the first panel of the kind that path begins with."""
    def made(board):
        at = first(board, path[0])
        for key in path[1:-1]:
            at = at[key]
        at[path[-1]] = value
    return made


# What Grafana would not read, or silently ignore.
WRONG = {
    "refresh-is-a-number": lambda board: board.update(refresh=30),
    "variable-of-no-type": lambda board: board["templating"]["list"][1].update(type="querry"),
    "link-without-a-title": lambda board: board["links"][0].pop("title"),
    "place-is-text": change("8", "timeseries", "gridPos", "h"),
    "unit-is-a-number": change(5, "stat", "fieldConfig", "defaults", "unit"),
    "color-mode-unheard-of": change("rainbow", "timeseries", "fieldConfig", "defaults", "color", "mode"),
    "no-option-of-a-line": change("dotted", "timeseries", "fieldConfig", "defaults", "custom", "drawStyle"),
    "setting-of-no-line": change(1, "timeseries", "fieldConfig", "defaults", "custom", "lineWidht"),
    "graph-mode-of-no-stat": change("bars", "stat", "options", "graphMode"),
    "option-of-no-table": change(True, "table", "options", "showHeaders"),
    "cell-of-no-table": change({"type": "colour"}, "table", "fieldConfig", "defaults", "custom", "cellOptions"),
    "mode-of-no-bar": change("3d", "bargauge", "options", "displayMode"),
    "panel-of-no-kind": change("graph", "timeseries", "type"),
}


class TypesTest(unittest.TestCase):
    def test_each_is_a_dashboard_and_what_is_wrong_is_refused(self):
        right = boards()
        wrong = {}
        for name, spoil in WRONG.items():
            spoil(wrong.setdefault(name, copy.deepcopy(right["imapmeter-overview"])))
        findings = checked(right | wrong)
        for name in right:
            self.assertEqual(findings[name], "")
        for name in wrong:
            with self.subTest(name):
                self.assertEqual(findings[name].count("error TS"), 1, findings[name])


if __name__ == "__main__":
    unittest.main()
