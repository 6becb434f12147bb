#!/usr/bin/env python3
"""The dashboards divide what is used of each limit by this limit, in promtool: the one query that joins families."""
import pathlib
import sys
import tempfile
import unittest

from boards import without_variables
from support import DEPLOY, output_of

sys.path.append(str(DEPLOY / "grafana"))
from expressions import saturation

TARGET = 'job="imapmeter",instance="a"'
SERIES = {
    'imapmeter_sessions{%s,listener="one",state="idle"}': "40x20",
    'imapmeter_sessions{%s,listener="two",state="selected"}': "10x20",
    'imapmeter_upstream_sessions{%s,upstream="mail",server="s:143"}': "5x20",
    'imapmeter_upstream_sessions{%s,upstream="mail",server="t:143"}': "7x20",
    'imapmeter_upstream_sessions{%s,upstream="test",server="t:143"}': "2x20",
    'imapmeter_relay_buffer_bytes{%s}': "3x20",
    'process_resident_memory_bytes{%s}': "9x20",
    'imapmeter_sessions_accepted_total{%s,listener="one"}': "0+120x20",
    'imapmeter_limit{%s,listener="all",limit="sessions"}': "100x20",
    'imapmeter_limit{%s,listener="all",limit="sessions_per_upstream"}': "20x20",
    'imapmeter_limit{%s,listener="all",limit="relay_buffer_bytes"}': "4x20",
    'imapmeter_limit{%s,listener="all",limit="memory_bytes"}': "10x20",
    'imapmeter_limit{%s,listener="one",limit="handshakes"}': "8x20",
    'imapmeter_limit{%s,listener="one",limit="handshakes_per_second"}': "8x20",
}
USED = {("all", "sessions"): 0.5, ("all", "sessions_per_upstream"): 0.6, ("all", "relay_buffer_bytes"): 0.75,
        ("all", "memory_bytes"): 0.9, ("one", "handshakes_per_second"): 0.25}


def promtool_test():
    lines = ["rule_files: []", "evaluation_interval: 1m", "tests:", "  - interval: 1m", "    input_series:"]
    for series, values in SERIES.items():
        lines += [f"      - series: {series % TARGET}", f"        values: {values}"]
    lines += ["    promql_expr_test:", f"      - expr: '{without_variables(saturation(), '5m')}'",
              "        eval_time: 15m", "        exp_samples:"]
    for (listener, limit), share in USED.items():
        lines += [f"""          - labels: '{{{TARGET},listener="{listener}",limit="{limit}"}}'""",
                  f"            value: {share}"]
    return "\n".join(lines) + "\n"


class LimitTest(unittest.TestCase):
    def test_each_limit(self):
        directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (directory / "test.yml").write_text(promtool_test())
        self.assertIn("SUCCESS", output_of("promtool", "test", "rules", directory / "test.yml"))


if __name__ == "__main__":
    unittest.main()
