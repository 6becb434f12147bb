#!/usr/bin/env python3
"""While one of the demo's servers is slow, refuses logins, is dead, the verdict names this one and no other. Then it
serves again, nothing is left, and every expression of the rules and dashboards has found data."""
import json
import os
import re
import subprocess
import unittest
import urllib.request

from boards import expressions, without_variables
from support import FACTOR, ROOT, tool
from demo_fills_prometheus import DemoCase
from processes import wait_until
from prometheus import Prometheus

PHASE = 20 * FACTOR  # two steps of the verdict's ten seconds, whenever they are


def always_there(expression):
    """With comparisons that say 0 or 1 instead of leaving out: what they compare must be there all the same."""
    parts = re.split(r"(\{[^}]*\}|\[[^]]*\])", expression)  # every second one: matchers, ranges
    parts[::2] = [re.sub(r"([=!]=|[<>]=?)(?!=| *bool)", r"\1 bool", part) for part in parts[::2]]
    return "".join(parts)


class IncidentTest(DemoCase):
    def setUp(self):
        self.incident = self.demo("--incident", "--phase", str(PHASE))
        self.admin = self.incident.wait_for(r"console +http://(\S+)/\n")[1]
        self.prometheus = Prometheus(self.incident.scratch, "", self.incident.wait_for(
            r"Prometheus +http://127\.0\.0\.1:(\d+)")[1])
        self.named = set()  # the servers that any verdict has named

    def api(self, what):
        with urllib.request.urlopen(f"http://{self.admin}/api/v1/{what}", timeout=10) as answer:
            return json.load(answer)

    def verdict(self):
        verdict = self.api("verdict")
        self.named |= {outlier["server"] for outlier in verdict["outliers"]}
        return verdict

    def in_phase(self, name, condition):
        """The verdict for which condition(verdict) holds, while this phase lasts."""
        self.incident.wait_for(rf"PHASE \d of 5: {name}", PHASE + 30)
        verdict = wait_until(lambda: (said := self.verdict()) and condition(said) and said, PHASE, name)
        self.assertEqual(re.findall(r"PHASE \d of 5: (\w+)", self.incident.text)[-1], name)
        return verdict

    def names(self, name, what):
        """In this phase, the outlier of the verdict that differs in `what`."""
        def found(verdict):
            return [outlier for outlier in verdict["outliers"] if outlier["what"] == what]
        verdict = self.in_phase(name, found)
        self.assertEqual((verdict["state"], verdict["party"]), ("trouble", "server"))
        return found(verdict)[0]

    def test_the_verdict_names_the_server(self):
        self.in_phase("calm", lambda verdict: verdict["state"] == "well")
        slow = self.names("slow", "first_response")
        server = slow["server"]
        self.assertIn(f"server {server} is stopped and continued", self.incident.text)
        self.assertGreater(slow["value"], slow["siblings"])
        refusing = self.names("unavailable", "logins")
        self.assertEqual(refusing["code"], "UNAVAILABLE")
        self.names("dead", "connects")
        self.assertEqual(self.named, {server})
        self.incident.wait_for(rf"UTC  verdict  .*{re.escape(server)}.* is slow")
        self.serves_again(server)
        self.every_expression_has_found_data()
        self.incident.process.terminate()
        self.assertEqual(self.incident.end(), 0, self.incident.text)
        self.assert_nothing_is_left(self.incident)

    def serves_again(self, name):
        def logins():
            servers = [server for upstream in self.api("status")["upstreams"] for server in upstream["servers"]]
            return next(server for server in servers if server["server"] == name)["auth_attempts"]["success"]
        before = logins()
        self.incident.wait_for("PHASE 5 of 5: back", PHASE + 30)
        wait_until(lambda: logins() > before, 30 * FACTOR, "a login at the server that is back")

    def every_expression_has_found_data(self):
        rules = [(rule["name"], rule["query"]) for rule in self.prometheus.rules()]
        for title, expression in rules + [(title, without_variables(text)) for title, text in expressions()]:
            with self.subTest(title):
                ever = f"count_over_time((({always_there(expression)}) > -Inf)[{PHASE * 5:.0f}s:5s])"
                self.assertTrue(self.prometheus.query(ever), expression)


class RunTest(unittest.TestCase):
    def test_run_passes_it_on(self):
        script = ('source "$0/run"; refuse_beside_another_server() { :; }; install_packages() { :; }; build() { :; }; '
                  'exec() { echo "$@"; }; main --incident --phase 5')
        done = subprocess.run([tool("bash"), "-c", script, ROOT], check=True, capture_output=True, text=True,
                              env=dict(os.environ))
        self.assertIn("deploy/demo/demo.py --incident --phase 5\n", done.stdout)


if __name__ == "__main__":
    unittest.main()
