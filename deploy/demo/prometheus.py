"""A private Prometheus on loopback, with the configuration and rules of deploy/prometheus, and its answers."""
import json
import pathlib
import re
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request

from processes import Child

CONFIGURATION = pathlib.Path(__file__).parent.parent / "prometheus"


class Prometheus:
    """Scrapes imapmeter at `target` (host:port) every second; everything it writes lies in `directory`."""

    def __init__(self, directory, target, port):
        self.directory = pathlib.Path(directory)
        self.target = target
        self.address = f"127.0.0.1:{port}"
        self.url = f"http://{self.address}"
        self._child = None

    def start(self):
        self.directory.mkdir(parents=True, exist_ok=True)
        self._configure()
        log = self.directory / "prometheus.log"
        with open(log, "wb") as output:
            self._child = Child(["prometheus", f"--config.file={self.directory / 'prometheus.yml'}",
                                 f"--storage.tsdb.path={self.directory / 'data'}",
                                 f"--web.listen-address={self.address}"],
                                stdout=output, stderr=subprocess.STDOUT)
        if not self._child.wait_ready(self._ready, 30, "Prometheus to be ready"):
            raise RuntimeError(f"Prometheus did not start: {log.read_text(errors='replace')[-2000:]}")
        return self

    def stop(self):
        if self._child:
            self._child.stop()
            self._child = None

    def running(self):
        return self._child.running()

    def query(self, expression):
        """[(labels, value)], as of now. ValueError with Prometheus's own words if the expression is no good."""
        found = self._ask("query?" + urllib.parse.urlencode({"query": expression}), expression)
        return [(series["metric"], float(series["value"][1])) for series in found["result"]]

    def firing(self):
        """The alerts that fire now: name, and in which of which server if it is about one."""
        alerts = [each["labels"] for each in self._ask("alerts")["alerts"] if each["state"] == "firing"]
        return sorted(" ".join([each["alertname"], *(each[label] for label in ("server", "what") if label in each)])
                      for each in alerts)

    def rules(self):
        return [rule for group in self._ask("rules")["groups"] for rule in group["rules"]]

    def alert_waits(self):
        """{alert: the seconds that its rule waits before it fires}"""
        return {rule["name"]: rule["duration"] for rule in self.rules() if rule["type"] == "alerting"}

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def _ask(self, what, expression=""):
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{what}", timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise ValueError(f"{expression}: {error.read().decode(errors='replace')}") from error

    def _configure(self):
        text = (CONFIGURATION / "prometheus.yml").read_text()
        for theirs, ours in (("_interval: 15s", "_interval: 1s"), ("127.0.0.1:19143", self.target)):
            if theirs not in text:
                raise RuntimeError(f"{CONFIGURATION}/prometheus.yml: expected {theirs}")
            text = text.replace(theirs, ours)
        (self.directory / "prometheus.yml").write_text(text)
        for rules in re.findall(r"^ +- (\S+\.yml)$", text, re.MULTILINE):
            shutil.copy(CONFIGURATION / rules, self.directory)

    def _ready(self):
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=1) as answer:
                return answer.status == 200
        except OSError:
            return False
