#!/usr/bin/env python3
"""The dashboard fits into any Grafana: variables in every query, words and units on every panel."""
import re
import tempfile
import unittest

from support import dashboard, expressions, output_of, panels, without_variables

# Not of one listener: the process, and the servers behind it.
WITHOUT_LISTENER = ("process_", "imapmeter_upstream_")
METRIC = re.compile(r"\b((?:imapmeter|process)_\w+)(\{[^}]*\})?")


class DashboardTest(unittest.TestCase):
    def test_variables(self):
        variables = {variable["name"]: variable for variable in dashboard()["templating"]["list"]}
        self.assertEqual(list(variables), ["datasource", "job", "instance", "listener"])
        self.assertEqual(variables["datasource"]["type"], "datasource")

    def test_every_query_matches_every_variable(self):
        for title, expression in expressions():
            with self.subTest(title, expression=expression):
                selectors = METRIC.findall(expression)
                self.assertTrue(selectors)
                for metric, labels in selectors:
                    wanted = ["job", "instance"] + ([] if metric.startswith(WITHOUT_LISTENER) else ["listener"])
                    for name in wanted:
                        self.assertIn(f'{name}=~"${name}"', labels)

    def test_every_rate_follows_the_chosen_interval(self):
        for title, expression in expressions():
            with self.subTest(title):
                windows = re.findall(r"(rate|increase)\(\w+\{[^}]*\}\[([^\]]+)\]", expression)
                self.assertEqual(len(windows), len(re.findall(r"\b(?:rate|increase)\(", expression)))
                for function, window in windows:
                    self.assertEqual(window, {"rate": "$__rate_interval", "increase": "$__range"}[function])
                for metric, _ in METRIC.findall(expression):
                    if metric.endswith("_total"):
                        self.assertTrue(windows, "a counter as it is says nothing")

    def test_every_panel_explains_itself(self):
        titles = [panel["title"] for panel in panels()]
        self.assertEqual(len(titles), len(set(titles)))
        for panel in panels():
            with self.subTest(panel["title"]):
                self.assertTrue(panel["title"] and panel["description"].endswith("."))
                self.assertTrue(panel["fieldConfig"]["defaults"]["unit"])
                self.assertEqual(panel["datasource"], {"type": "prometheus", "uid": "${datasource}"})
                for target in panel["targets"]:
                    self.assertEqual(target["datasource"], panel["datasource"])
                    self.assertTrue(target["legendFormat"])

    def test_nothing_overlaps(self):
        taken = set()
        for panel in dashboard()["panels"]:
            place = panel["gridPos"]
            self.assertLessEqual(place["x"] + place["w"], 24)
            cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                     for y in range(place["y"], place["y"] + place["h"])}
            self.assertFalse(cells & taken, panel["title"])
            taken |= cells

    def test_promtool_accepts_every_query(self):
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            file.write("groups:\n  - name: dashboard\n    rules:\n")
            for number, (_, expression) in enumerate(expressions()):
                quoted = without_variables(expression).replace("'", "''")
                file.write(f"      - record: panel:query:{number}\n        expr: '{quoted}'\n")
            file.flush()
            self.assertIn(f"{len(expressions())} rules found", output_of("promtool", "check", "rules", file.name))


if __name__ == "__main__":
    unittest.main()
