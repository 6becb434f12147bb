#!/usr/bin/env python3
"""The dashboards fit into any Grafana: as their source writes them, linked, variables in every query, words on all."""
import re
import sys
import tempfile
import unittest

from boards import DIRECTORY, boards, documented, documented_words, expressions, panels, selectors, without_variables
from support import DEPLOY, output_of

sys.path.append(str(DEPLOY / "grafana"))
from dashboards import files

UIDS = [f"imapmeter-{slug}" for slug in ("commands", "internals", "logins", "overview", "sessions")]
VARIABLES = ["datasource", "job", "instance", "listener", "upstream"]
# The labels without which a sum counts the same thing twice (docs/metrics.md).
FIXED = {"imapmeter_status_codes_total": "status_code", "imapmeter_status_rate": "window",
         "imapmeter_tls_handshakes_total": "side", "imapmeter_login_phase_duration_seconds": "phase"}
# For a look without a query engine: dashboards have rate().
NOT_SHOWN = {"imapmeter_status_rate"}
# A number's meaning and its unit belong together: what a description must call the unit.
UNITS = {"cps": r"\w+ per second", "reqps": r"responses per second", "Bps": r"bytes per second", "bytes": r"bytes",
         "percentunit": r"share( of .*)?", "s": r"seconds", "d": r"days", "short": r"(count|none).*",
         "none": r"(seconds per second|as the limit's name says)"}


def each_selector():
    for title, expression in expressions():
        for name, matchers in selectors(expression):
            yield title, expression, name, matchers


def groupings(expression):
    return re.findall(r"\b(?:by|on) \(([^)]*)\)", expression)


def wanted_variables(name, expression):
    """The variables that a selector of this family must follow."""
    labels = documented()[name][1]
    # Its limits are the whole process's, so is what is compared with them.
    if "imapmeter_limit{" in expression:
        labels = []
    own = next(([label] for label in ("listener", "upstream") if label in labels), [])
    return ["job", "instance", *own]


class DashboardTest(unittest.TestCase):
    def test_the_files_are_what_the_source_writes(self):
        self.assertEqual(list(boards()), UIDS)
        self.assertEqual({path.name: path.read_text() for path in DIRECTORY.iterdir()}, files())

    def test_variables(self):
        for uid, board in boards().items():
            self.assertEqual(board["uid"], uid)
            variables = {variable["name"]: variable for variable in board["templating"]["list"]}
            self.assertEqual(list(variables), VARIABLES)
            self.assertEqual(variables["datasource"]["type"], "datasource")

    def test_each_leads_to_all_others_and_keeps_what_is_chosen(self):
        for uid, board in boards().items():
            others = [f"/d/{other}" for other in UIDS if other != uid]
            self.assertCountEqual([each["url"] for each in board["links"]], others)
            for each in board["links"]:
                self.assertTrue(each["includeVars"] and each["keepTime"] and each["tooltip"], each)
            for each in [each for panel in panels(board) for each in panel.get("links", [])]:
                self.assertRegex(each["url"], r"^/d/[\w-]+\?\$\{__url_time_range\}&\$\{__all_variables\}$")
                self.assertIn(re.split(r"[/?]", each["url"])[2], set(UIDS) - {uid})

    def test_every_query_matches_every_variable(self):
        for title, expression, name, matchers in each_selector():
            with self.subTest(title, expression=expression):
                for variable in wanted_variables(name, expression):
                    self.assertIn((variable, "=~", f"${variable}"), matchers)

    def test_every_name_is_documented(self):
        words = documented_words()
        for title, expression in expressions():
            with self.subTest(title, expression=expression):
                known = {"job", "instance", "le"}
                self.assertTrue(selectors(expression))
                for name, matchers in selectors(expression):
                    self.assertIn(name, documented())
                    known |= set(documented()[name][1])
                    for label, operator, value in matchers:
                        self.assertIn(label, {"job", "instance", "le", *documented()[name][1]})
                        free = value.startswith("$") or label == "le"
                        self.assertTrue(free or self.means_something(operator, value, words),
                                        f"{label} is never {value}")
                for group in groupings(expression):
                    self.assertLessEqual(set(group.split(", ")), known)

    def means_something(self, operator, value, words):
        """Whether each alternative of a pattern fits a documented word."""
        if operator in ("=", "!="):
            return value in words
        return all(any(re.fullmatch(part, word) for word in words) for part in value.split("|"))

    def test_no_sum_counts_twice(self):
        for title, expression, name, matchers in each_selector():
            if label := FIXED.get(name):
                with self.subTest(title, expression=expression):
                    matched = any(each[0] == label and each[1] == "=" for each in matchers)
                    self.assertTrue(matched or any(label in group.split(", ") for group in groupings(expression)))

    def test_every_rate_follows_the_chosen_interval(self):
        for title, expression in expressions():
            with self.subTest(title, expression=expression):
                windows = re.findall(r"\b(rate|increase)\(\w+\{[^}]*\}\[([^\]]+)\]", expression)
                self.assertEqual(len(windows), len(re.findall(r"\b(?:rate|increase)\(", expression)))
                for function, window in windows:
                    self.assertEqual(window, {"rate": "$__rate_interval", "increase": "$__range"}[function])
                for counter in re.finditer(r"\b\w+_(?:total|bucket|sum|count)\{", expression):
                    self.assertRegex(expression[:counter.start()], r"\b(rate|increase)\($",
                                     "a counter as it is says nothing")

    def test_every_family_has_its_panel(self):
        shown = {name for _, _, name, _ in each_selector()}
        self.assertEqual(set(documented()) - shown, NOT_SHOWN)

    def test_every_panel_explains_itself(self):
        for board in boards().values():
            titles = [panel["title"] for panel in panels(board)]
            self.assertEqual(len(titles), len(set(titles)))
            for panel in panels(board):
                with self.subTest(panel["title"]):
                    unit = re.search(r" Unit: ([^.]+)\.$", panel["description"])
                    self.assertTrue(panel["title"] and unit)
                    if panel["type"] != "table" or len(panel["targets"]) == 1:
                        self.assertRegex(unit[1], f"^{UNITS[panel['fieldConfig']['defaults']['unit']]}")
                    self.assertEqual(panel["datasource"], {"type": "prometheus", "uid": "${datasource}"})
                    for target in panel["targets"]:
                        self.assertEqual(target["datasource"], panel["datasource"])
                        self.assertTrue(target["legendFormat"])

    def test_nothing_overlaps(self):
        for board in boards().values():
            taken = set()
            for panel in board["panels"]:
                place = panel["gridPos"]
                self.assertLessEqual(place["x"] + place["w"], 24)
                cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                         for y in range(place["y"], place["y"] + place["h"])}
                self.assertFalse(cells & taken, panel["title"])
                taken |= cells

    def test_promtool_accepts_every_query(self):
        queries = sorted({without_variables(expression) for _, expression in expressions()})
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            file.write("groups:\n  - name: dashboards\n    rules:\n")
            for number, query in enumerate(queries):
                quoted = query.replace("'", "''")
                file.write(f"      - record: panel:query:{number}\n        expr: '{quoted}'\n")
            file.flush()
            self.assertIn(f"{len(queries)} rules found", output_of("promtool", "check", "rules", file.name))

    def test_provisioning_agrees_with_the_rest(self):
        provisioning = DEPLOY / "grafana" / "provisioning"
        source = (provisioning / "datasources" / "prometheus.yml").read_text()
        interval = re.search(r"scrape_interval: (\w+)", (DEPLOY / "prometheus" / "prometheus.yml").read_text())[1]
        self.assertRegex(source, rf"timeInterval: {interval}\b")
        provider = (provisioning / "dashboards" / "imapmeter.yml").read_text()
        self.assertRegex(provider, r"(?m)^    type: file$")
        self.assertRegex(provider, r"(?m)^      path: /")


if __name__ == "__main__":
    unittest.main()
