"""imapmeter in front of several servers of one upstream, and the verdict that it gives."""
import json
import pathlib
import urllib.request

from processes import Child

SETTINGS = """\
listeners:
  - bind: imaps://127.0.0.1:{imaps}
    self_signed: {directory}
upstreams:
  - servers: {servers}
    any_server_serves_any_user: true
admin: 127.0.0.1:{admin}
"""


class Imapmeter:
    """The binary in front of `servers` (host:port each), with its settings and a CA of its own in `directory`."""

    def __init__(self, binary, directory, servers, imaps, admin):
        self.binary = binary
        self.directory = pathlib.Path(directory)
        # JSON's strings and lists are YAML's too
        self.settings = SETTINGS.format(imaps=imaps, admin=admin, directory=json.dumps(str(self.directory)),
                                        servers=json.dumps([f"imap://{server}" for server in servers]))
        self.ca = self.directory / "ca.pem"
        self.admin = self.address = ""
        self._child = None

    def start(self):
        self.directory.mkdir()
        settings = self.directory / "imapmeter.yaml"
        settings.write_text(self.settings)
        log, output = self.directory / "imapmeter.log", self.directory / "stdout"
        with open(log, "wb") as log_file, open(output, "wb") as output_file:
            self._child = Child([self.binary, "--config", settings], stdout=output_file, stderr=log_file)
        if not self._child.wait_ready(lambda: "\n" in output.read_text(), 20, "imapmeter's ready line"):
            raise RuntimeError(f"imapmeter did not start: {log.read_text(errors='replace')[-2000:]}")
        values = dict(word.split("=", 1) for word in output.read_text().split()[1:])
        self.admin, self.address = values["admin"], values["address"]

    def stop(self):
        if self._child:
            self._child.stop()

    def running(self):
        return self._child.running()

    def verdict(self):
        """What /api/v1/verdict says now."""
        with urllib.request.urlopen(f"http://{self.admin}/api/v1/verdict", timeout=10) as answer:
            return json.load(answer)
