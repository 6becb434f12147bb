#!/usr/bin/env python3
"""The rules say what their comments say, each alert fires and stays silent, and each has a page to read."""
import re
import unittest

from support import DEPLOY, ROOT, output_of

PROMETHEUS = DEPLOY / "prometheus"


class RulesTest(unittest.TestCase):
    def test_promtool_accepts_the_configuration_and_the_rules(self):
        self.assertIn("1 rule files found", output_of("promtool", "check", "config", PROMETHEUS / "prometheus.yml"))
        self.assertIn("6 rules found", output_of("promtool", "check", "rules", PROMETHEUS / "rules.yml"))

    def test_promtool_runs_the_rules(self):
        self.assertIn("SUCCESS", output_of("promtool", "test", "rules", PROMETHEUS / "rules_test.yml"))

    def test_each_rule_is_tested_both_ways(self):
        tests = (PROMETHEUS / "rules_test.yml").read_text()
        rules = (PROMETHEUS / "rules.yml").read_text()
        for alert in re.findall(r"alert: (\w+)", rules):
            with self.subTest(alert):
                self.assertRegex(tests, rf"alertname: {alert}\n +exp_alerts: \[\]")
                self.assertRegex(tests, rf"alertname: {alert}\n +exp_alerts:\n +- exp_labels")
        for record in re.findall(r"record: (\S+)", rules):
            with self.subTest(record):
                self.assertIn(f"expr: {record}\n", tests)

    def test_each_alert_is_documented(self):
        rules = (PROMETHEUS / "rules.yml").read_text()
        alerts = re.split(r"- alert: ", rules)[1:]
        self.assertEqual([alert.split()[0] for alert in alerts], ["ImapMeterNoRatioHigh", "ImapMeterByeBurst"])
        for alert in alerts:
            name = alert.split()[0]
            for key in ("summary: ", "description: ", "severity: "):
                self.assertIn(key, alert, name)
            page, _, anchor = re.search(r"runbook_url: (\S+)", alert)[1].partition("#")
            headings = re.findall(r"^## (.+)$", (ROOT / page).read_text(), re.MULTILINE)
            self.assertIn(anchor, [heading.lower().replace(" ", "-") for heading in headings])


if __name__ == "__main__":
    unittest.main()
