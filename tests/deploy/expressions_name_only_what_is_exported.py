#!/usr/bin/env python3
"""No rule, alert, dashboard or runbook names a metric, label or label value that imapmeter does not export."""
import collections
import json
import os
import re
import unittest

from promql import named
from support import DEPLOY, ROOT, output_of

RULES = DEPLOY / "prometheus" / "rules.yml"
# What of Prometheus itself may be named.
OWN = {"up": {}, "scrape_duration_seconds": {}, "scrape_samples_scraped": {}, "scrape_series_added": {},
       "ALERTS": {"alertname": set(), "alertstate": {"pending", "firing"}, "severity": {"critical", "warning"}}}
# Their values come from a configuration, ours or Prometheus's.
CONFIGURED = {"job", "instance", "listener", "upstream", "server", "bind", "certificate"}

SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? \S+$", re.MULTILINE)
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
RULE = re.compile(r"^      - (record|alert): (\S+)\n((?: {8}.*\n|\n)+)", re.MULTILINE)
EXPR = re.compile(r"^        expr: (?:\|2\n((?: {10}.*\n)+)|(.+)\n)", re.MULTILINE)

Rule = collections.namedtuple("Rule", "kind name expression labels text")


def exported():
    """{metric: {label: its values}}"""
    found = collections.defaultdict(lambda: collections.defaultdict(set))
    for metric, labels in SAMPLE.findall(output_of(os.environ["IMAPMETER_VOCABULARY"])):
        for label, value in [("job", ""), ("instance", ""), *LABEL.findall(labels)]:
            found[metric][label].add(value)
    return found


def rules():
    for kind, name, text in RULE.findall(RULES.read_text()):
        block, line = EXPR.search(text).groups()
        labels = re.search(r"^        labels: \{(.*)\}$", text, re.MULTILINE)
        yield Rule(kind, name, block or line, dict(re.findall(r"(\w+): (\w+)", labels[1] if labels else "")), text)


class Vocabulary:
    """What imapmeter exports, Prometheus adds, and the rules record."""

    def __init__(self):
        self.metrics = exported()
        for metric, labels in OWN.items():
            self.metrics[metric] |= {"job": set(), "instance": set()} | labels
        for rule in rules():
            if rule.kind == "alert":
                self.metrics["ALERTS"]["alertname"].add(rule.name)
            else:
                self._record(rule)

    def _record(self, rule):
        """It has no other labels than what it is made from."""
        self.metrics.setdefault(rule.name, collections.defaultdict(set))
        parts = named(rule.expression)
        for metric in parts.metrics():
            for label, values in self.metrics.get(metric, {}).items():
                self.metrics[rule.name][label] |= values
        for label, value in rule.labels.items():
            self.metrics[rule.name][label].add(value)

    def labels(self, metrics):
        return {label for metric in metrics for label in self.metrics.get(metric, ())}

    def complaints(self, expression):
        parts = named(expression)
        for metric, matchers in parts.selectors:
            if metric not in self.metrics:
                yield f"metric {metric}"
                continue
            for label, operator, value in matchers:
                if label not in self.metrics[metric]:
                    yield f"label {label} of {metric}"
                elif label not in CONFIGURED and "$" not in value:
                    yield from (f'{metric}{{{label}="{wrong}"}}'
                                for wrong in wrong_values(operator, value, self.metrics[metric][label]))
        for labels, metrics in parts.label_lists:
            unknown = set(labels) - self.labels(metrics) - parts.made
            yield from (f"label {label} of {' '.join(dict.fromkeys(metrics))}" for label in sorted(unknown))


def wrong_values(operator, value, known):
    if operator in ("=", "!="):
        return [] if value in known or value == "" else [value]
    return [each for each in alternatives(value) if not any(re.fullmatch(each, one) for one in known)]


def alternatives(pattern):
    """a|(b|c) is a and (b|c)."""
    parts, depth = [""], 0
    for char in pattern:
        depth += (char == "(") - (char == ")")
        if char == "|" and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return parts


def objects(node):
    """Every JSON object in it."""
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from objects(child)


def of_variable(query):
    """label_values(selector, label) of Grafana as an expression."""
    query = query["query"] if isinstance(query, dict) else query
    return re.sub(r"^label_values\((.+),\s*(\w+)\)$", r"count by (\2) (\1)", query)


def of_dashboard(dashboard):
    yield from (each["expr"] for each in objects(dashboard) if "expr" in each)
    for variable in dashboard.get("templating", {}).get("list", []):
        if variable["type"] == "query":
            yield of_variable(variable["query"])


def of_documents():
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for block in re.findall(r"^ *```promql\n(.*?)^ *```", path.read_text(), re.MULTILINE | re.DOTALL):
            yield path.name, block


class ExpressionsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vocabulary = Vocabulary()

    def check(self, where, expression):
        with self.subTest(where, expression=expression):
            self.assertEqual(list(self.vocabulary.complaints(expression)), [])

    def test_rules(self):
        count = 0
        for rule in rules():
            self.check(rule.name, rule.expression)
            count += 1
        self.assertIn(f" {count} rules found", output_of("promtool", "check", "rules", RULES))

    def test_what_alerts_say(self):
        for rule in rules():
            labels = self.vocabulary.labels(named(rule.expression).metrics())
            for label in re.findall(r"\$labels\.(\w+)", rule.text):
                self.assertIn(label, labels, rule.name)

    def test_dashboards(self):
        paths = sorted((DEPLOY / "grafana").rglob("*.json"))
        self.assertTrue(paths)
        for path in paths:
            expressions = list(of_dashboard(json.loads(path.read_text())))
            self.assertTrue(expressions, path)
            for expression in expressions:
                self.check(path.name, expression)

    def test_documents(self):
        found = list(of_documents())
        self.assertTrue(found)
        for where, expression in found:
            self.check(where, expression)

    def test_every_limit_is_in_the_vocabulary(self):
        told = re.findall(r'\btell\([^,]+, "(\w+)"', (ROOT / "proxy" / "main.cc").read_text())
        self.assertEqual(set(told), self.vocabulary.metrics["imapmeter_limit"]["limit"])

    def test_what_is_wrong_is_found(self):
        known = 'rate(imapmeter_bye_total{reason="logout"}[5m])'
        for expression, complaint in [
                ("rate(imapmeter_byes_total[5m])", "metric imapmeter_byes_total"),
                (f"{known} > imapmeter_status_codes", "metric imapmeter_status_codes"),
                ("imapmeter_command_duration_seconds", "metric imapmeter_command_duration_seconds"),
                ('{__name__="up"}', "metric "),
                ('imapmeter_bye_total{kind="logout"}', "label kind of imapmeter_bye_total"),
                ('imapmeter_bye_total{reason="quit"}', 'imapmeter_bye_total{reason="quit"}'),
                ('imapmeter_bye_total{listener="any",reason!="quit"}', 'imapmeter_bye_total{reason="quit"}'),
                ('imapmeter_bye_total{reason=~"logout|quit"}', 'imapmeter_bye_total{reason="quit"}'),
                ('imapmeter_bye_total{reason!~"(log|hang)out|idle.*"}', 'imapmeter_bye_total{reason="idle.*"}'),
                ("imapmeter_idle_duration_seconds_bucket{le='2'}", 'imapmeter_idle_duration_seconds_bucket{le="2"}'),
                ("sum by (reasons) (imapmeter_bye_total)", "label reasons of imapmeter_bye_total"),
                ("sum(imapmeter_bye_total) without (kind)", "label kind of imapmeter_bye_total"),
                ("imapmeter_anomalies_total + sum by (kind) (up)", "label kind of up"),
                ("up / on (hosts) group_left imapmeter_bye_total", "label hosts of up imapmeter_bye_total"),
                ("up / on (job) group_left (what) up", "label what of up"),
                ('ALERTS{alertname="ImapMeterGone"}', 'ALERTS{alertname="ImapMeterGone"}'),
                ('job_party:imapmeter_failures:ratio5m{party="nobody"}',
                 'job_party:imapmeter_failures:ratio5m{party="nobody"}'),
                ('upstream_server:imapmeter_outlier:value5m{what="luck"}',
                 'upstream_server:imapmeter_outlier:value5m{what="luck"}'),
                (of_variable("label_values(imapmeter_sessions, reason)"), "label reason of imapmeter_sessions"),
                (of_variable({"query": 'label_values(imapmeter_session{job="$job"}, state)'}),
                 "metric imapmeter_session"),
        ]:
            with self.subTest(expression):
                self.assertIn(complaint, list(self.vocabulary.complaints(expression)))

    def test_what_is_right_passes(self):
        for expression in [
                'imapmeter_bye_total{job=~"$job",reason=~"$reason"}[$__rate_interval]',
                'imapmeter_bye_total{reason!="",reason=~"log.+|(in|re)activity"} # imapmeter_byes_total',
                'sum by (job) (up) and on (job) imapmeter_command_duration_seconds_bucket{le="+Inf"}',
                'sum by (node) (label_replace(up, "node", "$1", "instance", "(.*):.*"))',
                'topk(3, rate(imapmeter_response_codes_total{status="NO",code!="none"}[1h] offset 5m)) > bool 1e-3',
                'ALERTS{alertname="ImapMeterDown",alertstate="firing"}',
                'upstream_server:imapmeter_outlier:value5m{what="logins"}',
                of_variable('label_values(imapmeter_sessions{instance=~"$instance"}, listener)'),
        ]:
            with self.subTest(expression):
                self.assertEqual(list(self.vocabulary.complaints(expression)), [])


if __name__ == "__main__":
    unittest.main()
