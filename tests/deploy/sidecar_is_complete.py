#!/usr/bin/env python3
"""kustomize builds the manifests; imapmeter accepts the sidecar's arguments, Dovecot its configuration; names fit."""
import re
import tempfile
import unittest

from support import DEPLOY, binary, output_of
from dovecot import make_certificate

KUBERNETES = DEPLOY / "kubernetes"


class SidecarTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.manifests = output_of("kubectl", "kustomize", KUBERNETES)

    def test_kinds(self):
        kinds = re.findall(r"^kind: (\w+)$", self.manifests, re.MULTILINE)
        self.assertEqual(sorted(kinds), ["ConfigMap", "Deployment", "Service"])
        monitor = output_of("kubectl", "kustomize", KUBERNETES / "podmonitor")
        self.assertEqual(re.findall(r"^kind: (\w+)$", monitor, re.MULTILINE), ["PodMonitor"])

    def test_a_native_sidecar(self):
        sidecar = self.manifests[self.manifests.index("initContainers:"):]
        self.assertRegex(sidecar, r"(?m)^ +name: imapmeter$")
        self.assertRegex(sidecar, r"(?m)^ +restartPolicy: Always$")

    def test_readiness_is_the_sidecars_own(self):
        """One dead mail server must not take the sidecar out: no question with ?upstream=."""
        paths = re.findall(r"path: (\S+)", self.manifests)
        self.assertEqual([path for path in paths if path.endswith("z")].count("/readyz"), 2)
        self.assertNotIn("upstream=", "".join(paths))

    def test_imapmeter_accepts_the_arguments(self):
        arguments = re.findall(r"^ +- (--\S+)$", self.manifests, re.MULTILINE)
        self.assertGreaterEqual(len(arguments), 6)
        with tempfile.TemporaryDirectory() as directory:
            make_certificate(f"{directory}/tls.crt", f"{directory}/tls.key")
            here = [argument.replace("/certificate/", directory + "/") for argument in arguments]
            output_of(binary(), "--check", *here)

    def test_dovecot_accepts_its_configuration(self):
        said = output_of("doveconf", "-n", "-c", KUBERNETES / "dovecot.conf")
        port = re.search(r"--upstream=imap://127\.0\.0\.1:(\d+)", self.manifests)[1]
        self.assertIn(f"port = {port}", said)

    def test_port_names_fit(self):
        declared = set(re.findall(r"name: ((?:tcp|http)-\w+)", self.manifests))
        used = set(re.findall(r"(?:port|targetPort): ((?:tcp|http)-\w+)", self.manifests
                              + output_of("kubectl", "kustomize", KUBERNETES / "podmonitor")))
        self.assertEqual(declared, used)
        listens = re.search(r"--listen=imaps://0\.0\.0\.0:(\d+)", self.manifests)[1]
        self.assertIn(f'config.linkerd.io/opaque-ports: "{listens}"', self.manifests)
        self.assertIn(f"containerPort: {listens}", self.manifests)
        metrics = re.search(r"--metrics=0\.0\.0\.0:(\d+)", self.manifests)[1]
        self.assertIn(f"containerPort: {metrics}", self.manifests)

    def test_the_drain_fits_into_the_grace_period(self):
        self.assertGreater(int(re.search(r"terminationGracePeriodSeconds: (\d+)", self.manifests)[1]), 30)


if __name__ == "__main__":
    unittest.main()
