#!/usr/bin/env python3
"""The rules say what their comments say, each alert fires and stays silent, and each has a page to read."""
import re
import unittest

from support import DEPLOY, ROOT, output_of

PROMETHEUS = DEPLOY / "prometheus"
RULES = (PROMETHEUS / "rules.yml").read_text()
TESTS = (PROMETHEUS / "rules_test.yml").read_text()
ALERTS = {text.split()[0]: text for text in re.split(r"- alert: ", RULES)[1:]}
RECORDS = sorted(set(re.findall(r"- record: (\S+)", RULES)))


class RulesTest(unittest.TestCase):
    def test_promtool_accepts_the_configuration_and_the_rules(self):
        self.assertIn("1 rule files found", output_of("promtool", "check", "config", PROMETHEUS / "prometheus.yml"))
        self.assertIn("SUCCESS", output_of("promtool", "check", "rules", PROMETHEUS / "rules.yml"))

    def test_promtool_runs_the_rules(self):
        self.assertIn("SUCCESS", output_of("promtool", "test", "rules", PROMETHEUS / "rules_test.yml"))

    def test_each_alert_is_tested_both_ways(self):
        for alert in ALERTS:
            with self.subTest(alert):
                self.assertRegex(TESTS, rf"alertname: {alert}\n +exp_alerts: \[\]")
                self.assertRegex(TESTS, rf"alertname: {alert}\n +exp_alerts:\n +- exp_labels")

    def test_the_value_of_each_record_is_tested(self):
        for record in RECORDS:
            with self.subTest(record):
                self.assertRegex(TESTS, rf"expr: (round\()?{record}[{{,\n]")

    def test_each_alert_waits_and_says_what_is_wrong(self):
        self.assertGreaterEqual(len(ALERTS), 20)
        for alert, text in ALERTS.items():
            with self.subTest(alert):
                self.assertTrue(alert.startswith("ImapMeter"))
                self.assertRegex(text, r"\n        for: [1-9]\d*m\n")
                self.assertRegex(text, r"severity: (critical|warning|info)\b")
                for key in ("summary: ", "description: "):
                    self.assertIn(key, text)

    def test_each_alert_has_a_page_and_each_page_an_alert(self):
        pages = re.split(r"^## ", (ROOT / "docs" / "alerts.md").read_text(), flags=re.MULTILINE)[1:]
        self.assertEqual([page.split("\n")[0] for page in pages], list(ALERTS))
        for (alert, text), page in zip(ALERTS.items(), pages):
            with self.subTest(alert):
                self.assertIn(f"runbook_url: docs/alerts.md#{alert.lower()}\n", text)
                for part in ("**For users**", "**Look**", "**Do**"):
                    self.assertIn(part, page)


if __name__ == "__main__":
    unittest.main()
